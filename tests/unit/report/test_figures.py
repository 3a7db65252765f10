"""What is reckoned from a drill's result."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drills import NAMES, felt, recorded, wrong

from labbuilder.drill.model import Kind, Outage
from labbuilder.report import figures
from labbuilder.report.figures import Found


def made(*, asked: int = 4, answered: int = 4, seconds: float | None = 1.0, resolution_s: float = 0.1) -> Outage:
    return Outage(Kind.NEW, asked, answered, seconds, None, resolution_s)


@pytest.mark.parametrize(
    ("outage", "said"),
    [
        (made(), Found.MEASURED),
        (made(seconds=0.1), Found.BELOW_RESOLUTION),
        (made(seconds=None, asked=0, answered=0), Found.UNASKED),
        (made(seconds=None, answered=0), Found.UNANSWERED),
        (made(seconds=None, answered=3), Found.NO_BASELINE),
    ],
)
def test_a_missing_figure_says_why(outage: Outage, said: Found) -> None:
    assert figures.found(outage) is said


@pytest.mark.parametrize(
    ("clients", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (100, 200, 0.4314, 0.5686), (10, 10, 0.7225, 1.0)],
)
def test_the_interval_is_wilsons(clients: int, of: int, low: float, high: float) -> None:
    """The values are of R's prop.test(clients, of, correct=FALSE)."""
    part = figures.share(clients, of)
    assert (part.low, part.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_ack_of_the_capture_is_counted_once(name: str) -> None:
    result = recorded(name)
    counted = figures.answers(result, result.addresses)
    assert sum(a.before + a.during + a.after for a in counted) == sum(m.type == "ACK" for m in result.messages)
    assert sum(a.share.value for a in counted if a.share) == pytest.approx(1.0)


def test_in_hot_standby_the_primary_alone_answers_until_it_is_gone() -> None:
    result = recorded("kea-hot-standby")
    primary, second = figures.answers(result, result.addresses)
    assert primary.share is not None
    assert (primary.share.value, second.before) == (1.0, 0)
    assert second.during > 50


def test_the_share_is_of_the_offers_that_were_taken_when_both_send_an_ack() -> None:
    """Two dhcpds ACK most requests; the one that was named is the one that serves."""
    result = recorded()
    flipped = tuple(
        replace(m, server={"server1": "server2", "server2": "server1"}[m.server]) if m.type == "ACK" and m.server else m
        for m in result.messages
    )
    other = felt(result, messages=flipped)
    assert [a.share for a in figures.answers(other, other.addresses)] == [
        a.share for a in figures.answers(result, result.addresses)
    ]


def test_what_must_hold() -> None:
    result = recorded()
    assert figures.holds(result)
    assert [c.key for c in figures.claims(result)] == ["outage", "duplicates", "lost", "verified"]
    assert figures.holds(result, limit_s=0.5)
    assert not figures.holds(result, limit_s=0.05)
    assert not figures.holds(wrong(result, duplicates=("192.168.1.7: a and b",)))
    assert not figures.holds(wrong(result, lost=("a: 192.168.1.7 was refused",)))
    assert not figures.holds(replace(result, verification=replace(result.verification, outcomes=())))


@pytest.mark.parametrize("limit_s", [None, 1000.0])
def test_a_pair_of_which_nobody_took_over_fails_whatever_the_limit(limit_s: float | None) -> None:
    dark = tuple(replace(o, seconds=None, answered=0) for o in recorded().outages)
    result = felt(recorded(), outages=dark)
    assert not figures.holds(result, limit_s=limit_s)
    assert not result.passed


def test_the_command_repeats_provider_and_language() -> None:
    result = replace(recorded(), provider="incus")
    plain = "labbuilder drill crash-primary --mode load-balancing --engine isc --provider incus --seed 1"
    assert figures.command(result) == plain
    assert figures.command(result, language="es") == f"{plain} --language es"


def test_the_command_survives_a_shell() -> None:
    assert "'$(reboot)'" in figures.command(replace(recorded(), drill="$(reboot)"))
