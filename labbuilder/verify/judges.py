"""What checks make of what their probes said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Interface

from labbuilder.host.run import Result
from labbuilder.plan.model import Upstream
from labbuilder.spec.models import LabSpec
from labbuilder.verify.model import Judgement

Judge = Callable[..., Judgement]


def says(expected: str) -> Judge:
    """The probe's output is exactly that, white space folded."""

    def judge(result: Result) -> Judgement:
        observed = _shown(result)
        return Judgement(result.ok and observed == expected, expected, observed)

    return judge


def says_one_of(allowed: tuple[str, ...]) -> Judge:
    """The probe's output is one of these."""

    def judge(result: Result) -> Judgement:
        observed = _shown(result)
        return Judgement(result.ok and observed in allowed, " or ".join(allowed), observed)

    return judge


def _shown(result: Result) -> str:
    return " ".join((result.stdout or result.stderr).split())


def resolved(world: Upstream, *own: str) -> Judge:
    """The lab's own addresses first, where some were asked for; then the witness's, or any where there is none."""
    known = str(world.witness.address) if world.witness else None

    def judge(result: Result) -> Judgement:
        observed = _shown(result)
        expected = " ".join((*own, known or "and an address"))
        words = observed.split()
        first, rest = words[: len(own)], words[len(own) :]
        right = rest == [known] if known else bool(rest) and _is_address(rest[-1])
        return Judgement(result.ok and first == [*own] and right, expected, observed)

    return judge


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def answered(servers: tuple[str, ...]) -> Judge:
    """The first word is the client's gateway, the last an address that a resolver of the world gave."""

    def judge(result: Result) -> Judgement:
        gateway, _, answer = _shown(result).partition(" ")
        right = result.ok and gateway in servers and bool(answer) and _is_address(answer.split()[-1])
        return Judgement(right, f"an address from a resolver of the world, by {' or '.join(servers)}", answer)

    return judge


def in_pool(spec: LabSpec) -> Judge:
    """An address of the pool, with its subnet's prefix."""

    def judge(result: Result) -> Judgement:
        observed = _shown(result)
        expected = f"one of {spec.pool}, with its subnet's prefix"
        try:
            address = IPv4Interface(observed)
        except (AddressValueError, ValueError):
            return Judgement(False, expected, observed)
        right = address.ip in spec.pool and address.network == spec.networks.internal.subnet
        return Judgement(result.ok and right, expected, observed)

    return judge


def distinct(names: Sequence[str]) -> Judge:
    """Each of the machines told an address, and none told another's; their names are in the order of the probes."""

    def judge(*said: Result) -> Judgement:
        holders: dict[str, set[str]] = defaultdict(set)
        for name, result in zip(names, said, strict=True):
            for address in result.stdout.split():
                holders[address.partition("/")[0]].add(name)
        seen = [f"{address}: {', '.join(sorted(who))}" for address, who in holders.items() if len(who) > 1]
        seen += [f"none: {name}" for name, result in zip(names, said, strict=True) if not result.stdout.split()]
        expected = "each address once"
        return Judgement(not seen, expected, "; ".join(seen) or expected)

    return judge


def same_lines(other: str) -> Judge:
    """Both machines told the same lines, in any order."""

    def judge(mine: Result, theirs: Result) -> Judgement:
        here, there = set(mine.stdout.splitlines()), set(theirs.stdout.splitlines())
        differing = [f"{other} lacks {line}" for line in sorted(here - there)]
        differing += [f"{other} alone has {line}" for line in sorted(there - here)]
        expected = "the same on both"
        return Judgement(mine.ok and theirs.ok and not differing, expected, "\n".join(differing) or expected)

    return judge


def between(shortest: int, longest: int) -> Judge:
    """A whole number in these bounds."""

    def judge(result: Result) -> Judgement:
        observed = _shown(result)
        right = observed.isdigit() and shortest <= int(observed) <= longest
        return Judgement(result.ok and right, f"{shortest} to {longest}", observed)

    return judge


def translated(bridged: dict[str, str]) -> Judge:
    """The first word is the client's gateway, the second the source address that the world saw."""

    def judge(result: Result) -> Judgement:
        gateway, _, source = _shown(result).partition(" ")
        wanted = bridged.get(gateway, "")
        expected = f"{wanted or 'the bridged address of a server'}, by {gateway or 'a gateway'}"
        return Judgement(bool(wanted) and source == wanted, expected, source)

    return judge
