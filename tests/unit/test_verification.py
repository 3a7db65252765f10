"""What a round of checks says as a whole."""

from __future__ import annotations

import pytest

from labbuilder.cli.output import verification_text
from labbuilder.errors import VerificationError
from labbuilder.verify import Outcome, Verdict, Verification


def outcome(machine: str, check: str, verdict: Verdict, observed: str = "") -> Outcome:
    return Outcome(check, machine, f"title of {check}", verdict, "true", "something", observed)


def test_an_unreachable_machine_is_told_once_and_still_fails() -> None:
    gone = [outcome("server2", f"c{n}", Verdict.ERROR, "server2 can't be reached over SSH") for n in range(27)]
    found = Verification("aula", (*gone, outcome("server1", "route", Verdict.FAIL, "none")), 0.1)
    assert not found.passed
    text = verification_text(found, every=False)
    assert text.count("server2 can't be reached over SSH") == 1
    assert "title of route" in text
    assert "0 of 28 checks passed" in text
    with pytest.raises(VerificationError) as caught:
        found.raise_for_failures()
    assert (caught.value.details or "").splitlines() == [
        "server2: no check could be asked: server2 can't be reached over SSH",
        "server1: title of route: expected something, seen none  [true]",
    ]


def test_no_outcome_at_all_is_no_success() -> None:
    assert not Verification("aula", (), 0.0).passed
