"""What a drill refuses, without a machine."""

from __future__ import annotations

from labbuilder.drill.run import refusal
from labbuilder.verify import Outcome, Verdict, Verification


def outcome(number: int, verdict: Verdict, machine: str = "server1") -> Outcome:
    return Outcome("a.check", machine, f"title {number}", verdict, "true", "1", "no answer")


def test_a_refusal_tells_five_checks_a_line_each_and_how_many_more() -> None:
    outcomes = tuple(outcome(n, Verdict.FAIL if n else Verdict.PASS) for n in range(9))
    told = refusal("power-cut", Verification("aula", outcomes, 1.0))
    assert told.brief == "the drill power-cut is refused: 8 of 9 checks fail already"
    assert told.details == "\n".join([*(f"server1: title {n}" for n in range(1, 6)), "and 3 more"])


def test_a_refusal_tells_a_machine_that_can_not_be_asked_once() -> None:
    outcomes = tuple(outcome(n, Verdict.ERROR, "client1") for n in range(20))
    told = refusal("power-cut", Verification("aula", (*outcomes, outcome(20, Verdict.FAIL)), 1.0))
    assert told.details == "client1: no check could be asked: no answer\nserver1: title 20"
