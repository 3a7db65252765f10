"""What checks make of what their probes printed."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address

from labbuilder.host.run import Result
from labbuilder.model.check import Judge, Judgement


def says(expected: str) -> Judge:
    """The probe's output is exactly that, white space folded."""

    def judge(result: Result) -> Judgement:
        observed = shown(result)
        return Judgement(result.ok and observed == expected, expected, observed)

    return judge


def says_one_of(allowed: tuple[str, ...]) -> Judge:
    """The probe's output is one of these."""

    def judge(result: Result) -> Judgement:
        observed = shown(result)
        return Judgement(result.ok and observed in allowed, " or ".join(allowed), observed)

    return judge


def between(shortest: int, longest: int) -> Judge:
    """A whole number in these bounds."""

    def judge(result: Result) -> Judgement:
        observed = shown(result)
        right = observed.isdigit() and shortest <= int(observed) <= longest
        return Judgement(result.ok and right, f"{shortest} to {longest}", observed)

    return judge


def same_lines(other: str) -> Judge:
    """Both machines printed the same lines, in any order."""

    def judge(mine: Result, theirs: Result) -> Judgement:
        here, there = set(mine.stdout.splitlines()), set(theirs.stdout.splitlines())
        differing = [f"{other} lacks {line}" for line in sorted(here - there)]
        differing += [f"{other} alone has {line}" for line in sorted(there - here)]
        expected = "the same on both"
        return Judgement(mine.ok and theirs.ok and not differing, expected, "\n".join(differing) or expected)

    return judge


def shown(result: Result) -> str:
    """Return what was printed, or complained, in one line."""
    return " ".join((result.stdout or result.stderr).split())


def is_address(text: str) -> bool:
    """The text is an IPv4 address."""
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True
