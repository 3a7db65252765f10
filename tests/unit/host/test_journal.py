"""The journal survives what a crash does to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from labbuilder.host.journal import Journal, Record


def test_a_journal_cut_at_any_byte_is_still_readable(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    for name in ("server1", "server2"):
        with journal.effect("start", name, pid=1):
            pass
    whole = journal.path.read_bytes()
    for cut in range(len(whole)):
        journal.path.write_bytes(whole[:cut])
        kept = len(journal.records())
        journal.append(Record("after", "begun"))
        assert journal.records()[-1].effect == "after"
        assert len(journal.records()) in (kept + 1, kept + 2)  # a line may have lacked only its end


def test_what_failed_or_was_cut_off_is_unfinished(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    with journal.effect("create", "server1"):
        pass
    with pytest.raises(RuntimeError), journal.effect("start", "server1"):
        raise RuntimeError
    assert [(r.effect, r.state) for r in journal.unfinished()] == [("start", "failed")]
