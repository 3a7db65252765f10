"""Slow is not broken: what comes too late is asked again in smaller rounds, and the words tell one from the other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from fake_shell import LATE, Answer, FakeShell

from labbuilder.errors import LabError, SlowMachineError, TransportError
from labbuilder.host.run import Result
from labbuilder.host.wait import Deadline
from labbuilder.verify.questions import PROBE_S, answers_of

COMMANDS = [f"question {n};" for n in range(12)]


class Slow(FakeShell):
    """Carries out so many scripts in a second; each of a round is done when all are.

    Attributes:
        rounds: How many scripts each round had, and the limit of each.
    """

    def __init__(self, pace: float, answers: dict[str, Answer] | None = None) -> None:
        super().__init__({"question": "yes"} | (answers or {}))
        self.pace = pace
        self.rounds: list[tuple[int, float]] = []

    def run_many(self, scripts: Sequence[str], *, timeout_s: float = 60.0) -> tuple[Result, ...]:
        self.rounds.append((len(scripts), timeout_s))
        done = super().run_many(scripts, timeout_s=timeout_s)
        return done if len(scripts) <= self.pace * timeout_s else tuple(LATE for _ in scripts)


def asked(shell: FakeShell, within_s: float = 1000.0) -> list[str]:
    found = answers_of("server1", COMMANDS, lambda: shell, Deadline(within_s))
    assert list(map(str, found)) == list(found)
    return [a.brief if isinstance(a, LabError) else a.stdout for a in (found[command] for command in COMMANDS)]


def test_who_answers_in_time_is_asked_once() -> None:
    shell = Slow(pace=100)
    assert asked(shell) == ["yes"] * 12
    assert shell.rounds == [(12, PROBE_S)]


def test_a_slow_machine_is_asked_again_in_smaller_rounds_until_all_is_answered() -> None:
    shell = Slow(pace=0.2)
    assert asked(shell) == ["yes"] * 12
    assert shell.rounds == [(12, PROBE_S), *[(3, PROBE_S * 2)] * 4]


def test_what_hangs_costs_its_own_check_alone() -> None:
    shell = Slow(pace=100, answers={COMMANDS[5]: LATE})
    answers = asked(shell)
    assert answers.count("yes") == 11
    assert answers[5] == "no answer within 20 s though asked alone: it hangs, server1 answered its 11 other questions"
    assert shell.rounds == [(12, PROBE_S), (1, PROBE_S * 2)]


def test_a_machine_too_slow_for_the_deadline_is_called_slow() -> None:
    found = answers_of("server1", COMMANDS, lambda: Slow(pace=0.001), Deadline(0.2))
    (error,) = {id(answer): answer for answer in found.values()}.values()
    assert isinstance(error, SlowMachineError)
    assert error.brief == "server1 is too slow: 12 of 12 questions are not answered yet"
    assert (error.details or "").startswith("this host's load is ")


class Silent(FakeShell):
    """Does not even begin, so often."""

    def __init__(self, times: int, then: Answer) -> None:
        super().__init__({"question": then})
        self.times = times

    def run_many(self, scripts: Sequence[str], *, timeout_s: float = 60.0) -> tuple[Result, ...]:
        self.times -= 1
        if self.times >= 0:
            raise SlowMachineError("server1 did not begin with a command")
        return super().run_many(scripts, timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("shell", "answer"),
    [
        (Silent(1, "yes"), "yes"),
        (Silent(9, "yes"), "server1 did not begin with a command"),
        (Silent(1, TransportError("server1 is paused")), "server1 is paused"),
    ],
)
def test_who_does_not_begin_is_asked_a_second_time(shell: FakeShell, answer: str) -> None:
    assert asked(shell) == [answer] * 12
