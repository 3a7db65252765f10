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


def test_the_end_of_a_second_one_does_not_hide_that_the_first_is_open(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(Record("fault", "begun", data={"name": "power-cut"}))
    journal.append(Record("fault", "begun", data={"name": "cut-link"}))
    journal.append(Record("fault", "done", data={"name": "cut-link"}))
    assert [record.data["name"] for record in journal.unfinished()] == ["power-cut"]
    journal.close(journal.unfinished())
    assert journal.unfinished() == ()


def test_what_was_begun_again_was_begun_last(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    for name in ("one", "two", "one"):
        journal.append(Record("restore", "begun", data={"name": name}))
    assert [record.data["name"] for record in journal.unfinished()] == ["two", "one"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b'{"effect": "lab"',
        b'{"effect": "lab"}',
        b'{"effect": 1, "state": "done"}',
        b'{"effect": "lab", "state": "maybe"}',
        b'{"effect": "lab", "state": "begun", "data": null}',
        b'{"effect": "lab", "state": "begun", "machine": 7}',
        b'{"effect": "lab", "state": "begun", "more": 7}',
        b"\xff\xfe",
    ],
    ids=repr,
)
def test_a_line_that_is_no_record_is_told_and_no_obstacle(tmp_path: Path, line: bytes) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.path.write_bytes(line + b"\n")
    journal.append(Record("spec", "done"))
    assert [record.effect for record in journal.records()] == ["spec"]
    assert journal.spoilt() == (1,)


def test_a_line_that_was_torn_by_a_kill_is_not_told_and_a_journal_may_be_no_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(Record("spec", "begun"))
    with journal.path.open("ab") as file:
        file.write(b'{"effect": "spe')
    assert journal.spoilt() == ()
    assert len(journal.records()) == 1
    assert Journal(tmp_path).records() == Journal(tmp_path / "none").records() == ()
