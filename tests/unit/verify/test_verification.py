"""What a round of checks says as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from fake_shell import FakeShell

from labbuilder.cli.output import verification_text
from labbuilder.errors import VerificationError
from labbuilder.host.run import Result
from labbuilder.services.judges import says
from labbuilder.ssh.shell import Shell
from labbuilder.verify import Check, Judgement, Outcome, Verdict, Verification, run_checks


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
        "server1: title of route: expected something, seen none  [server1# true]",
    ]


def test_a_question_that_was_not_answered_is_told_by_itself_where_the_machine_answers_others() -> None:
    found = Verification("aula", (outcome("m", "ok", Verdict.PASS), outcome("m", "bad", Verdict.ERROR, "it hangs")), 0)
    assert found.unreachable == {}
    text = verification_text(found, every=False)
    assert "title of bad" in text
    assert "it hangs" in text
    with pytest.raises(VerificationError, match="title of bad: expected something, seen it hangs"):
        found.raise_for_failures()


def test_a_judge_that_stumbles_is_an_error_of_its_check_alone() -> None:
    def stumbles(result: Result) -> Judgement:
        return Judgement(int(result.stdout) > 0, "a number", result.stdout)

    checks = [Check("odd", "m", "odd", "odd", stumbles), Check("well", "m", "well", "well", says("yes"))]
    odd, well = run_checks(checks, lambda _: FakeShell({"odd": "garbage", "well": "yes"}), lab="aula").outcomes
    assert (odd.verdict, well.verdict) == (Verdict.ERROR, Verdict.PASS)
    assert odd.observed == (
        "its answer can't be read (ValueError: invalid literal for int() with base 10: 'garbage'): garbage"
    )


def resting(machine: str, check: str, *rests_on: str) -> Check:
    return Check(check, machine, f"title of {check}", check, says("yes"), rests_on=rests_on)


CHECKS = (
    resting("a", "daemon"),
    resting("a", "port", "daemon"),
    resting("a", "state", "port", "b:daemon"),
    resting("b", "daemon"),
    resting("b", "state", "daemon", "a:daemon"),
    resting("b", "ring", "gnir"),
    resting("b", "gnir", "ring", "unknown"),
)


def told(*failing: str) -> dict[str, tuple[str, ...]]:
    """What is told, by its key, of a lab of two machines in which these fail."""
    shells = {
        name: FakeShell({c.id: "no" if f"{name}:{c.id}" in failing else "yes" for c in CHECKS}) for name in ("a", "b")
    }
    found = run_checks(CHECKS, lambda name: shells[name], lab="aula")
    return {cause.key: tuple(outcome.key for outcome in followers) for cause, followers in found.causes}


@pytest.mark.parametrize(
    ("failing", "causes"),
    [
        ([], {}),
        (["a:port"], {"a:port": ()}),
        (["a:daemon", "a:port", "a:state", "b:state"], {"a:daemon": ("a:port", "a:state", "b:state")}),
        (["a:daemon", "a:state"], {"a:daemon": (), "a:state": ()}),  # what is between the two holds
        (["a:port", "a:state", "b:daemon"], {"a:port": ("a:state",), "b:daemon": ("a:state",)}),
        (["b:ring", "b:gnir"], {"b:ring": (), "b:gnir": ()}),
    ],
)
def test_the_first_cause_is_told_with_what_follows_from_it(
    failing: list[str], causes: dict[str, tuple[str, ...]]
) -> None:
    assert told(*failing) == causes


def test_one_cause_is_shown_and_the_rest_when_it_is_asked_for() -> None:
    shells = {
        "a": FakeShell(dict.fromkeys(["daemon", "port", "state"], "no")),
        "b": FakeShell({"state": "no", "": "yes"}),
    }
    found = run_checks(CHECKS, lambda name: shells[name], lab="aula")
    text = verification_text(found, every=False)
    assert [line for line in text.splitlines() if "FAIL" in line] == ["FAIL  a          title of daemon"]
    assert "      3 more follow from it: a: title of port; a: title of state; b: title of state" in text
    assert "look      a# daemon" in text
    assert "asked" not in text
    whole = verification_text(found, every=False, evidence=True)
    assert whole.count("FAIL") == whole.count("asked") == 4
    with pytest.raises(VerificationError, match="3 more follow from it") as caught:
        found.raise_for_failures()
    assert len((caught.value.details or "").splitlines()) == 1


def test_after_a_reboot_each_round_has_its_own_causes() -> None:
    shells = {
        "a": FakeShell(dict.fromkeys(["daemon", "port", "state"], "no")),
        "b": FakeShell({"state": "no", "": "yes"}),
    }
    found = run_checks(CHECKS, lambda name: shells[name], lab="aula")
    both = found.followed_by(found, rebooted="a")
    assert [(cause.title, len(followers)) for cause, followers in both.causes] == [
        ("title of daemon", 3),
        ("title of daemon (after the reboot of a)", 3),
    ]


def test_no_outcome_at_all_is_no_success() -> None:
    assert not Verification("aula", (), 0.0).passed


class Late:
    """A machine that says yes to "late" from the second round on, and always no to "never"."""

    rounds = 0

    def run_many(self, commands: Sequence[str], *, timeout_s: float) -> tuple[Result, ...]:
        del timeout_s
        self.rounds += 1
        return tuple(Result((c,), 0, "yes" if c == "late" and self.rounds > 1 else "no") for c in commands)


@pytest.mark.parametrize(
    ("settling", "rounds", "passed"),
    [({"late": 9.0}, 2, True), ({}, 1, False), ({"late": 9.0, "never": 0.0}, 1, False)],
)
def test_only_what_follows_a_change_a_moment_later_is_asked_again(
    *, settling: dict[str, float], rounds: int, passed: bool
) -> None:
    checks = [
        Check(name, "m", name, name, says("yes"), settle_s=limit) for name, limit in (settling or {"late": 0.0}).items()
    ]
    machine = Late()
    assert run_checks(checks, lambda _: cast(Shell, machine), lab="aula").passed is passed
    assert machine.rounds == rounds


@pytest.mark.parametrize(("settle_s", "rounds", "passed"), [(9.0, 2, True), (0.0, 1, False)])
def test_what_is_on_its_way_by_what_was_seen_is_asked_again(*, settle_s: float, rounds: int, passed: bool) -> None:
    def judge(result: Result) -> Judgement:
        return Judgement(result.stdout == "yes", "yes", result.stdout, settle_s)

    machine = Late()
    check = Check("late", "m", "late", "late", judge)
    assert run_checks([check], lambda _: cast(Shell, machine), lab="aula").passed is passed
    assert machine.rounds == rounds


def test_what_passes_is_left_in_peace_until_all_does_and_is_then_asked_once_more() -> None:
    yes = iter(["no", "no", "yes", "yes"])
    shell = FakeShell({"late": lambda _: next(yes), "well": "yes"})
    checks = [Check(name, "m", name, name, says("yes"), settle_s=9.0) for name in ("late", "well")]
    assert run_checks(checks, lambda _: shell, lab="aula").passed
    assert shell.asked == ["late", "well", "late", "late", "late", "well"]


@pytest.mark.parametrize(("other", "passed"), [("failover", True), ("route", False)])
def test_two_servers_are_waited_for_when_one_knows_that_they_find_each_other(other: str, *, passed: bool) -> None:
    def check(name: str, machine: str, settle_s: float) -> Check:
        def judge(result: Result) -> Judgement:
            return Judgement(result.stdout == "yes", "yes", result.stdout, settle_s)

        return Check(name, machine, name, "late", judge)

    shells = {"one": Late(), "two": Late()}
    checks = [check("failover", "one", 9.0), check(other, "two", 0.0)]
    assert run_checks(checks, lambda machine: cast(Shell, shells[machine]), lab="aula").passed is passed
