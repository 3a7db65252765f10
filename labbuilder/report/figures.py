"""What is read from a drill's result for every form of the report. Pure."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from labbuilder.drill.model import DrillResult, Outage, Reading

_Z_95 = 1.959964  # of the normal distribution, both sides


class Found(StrEnum):
    """What an outage's figure can say."""

    MEASURED = "measured"
    BELOW_RESOLUTION = "below_resolution"
    UNASKED = "unasked"
    UNANSWERED = "unanswered"
    NO_BASELINE = "no_baseline"


def found(outage: Outage) -> Found:
    """Why there is a figure, or none."""
    if outage.seconds is not None:
        return Found.MEASURED if outage.seconds > outage.resolution_s else Found.BELOW_RESOLUTION
    if not outage.asked:
        return Found.UNASKED
    return Found.NO_BASELINE if outage.answered else Found.UNANSWERED


@dataclass(frozen=True)
class Claim:
    """One thing that a drill must show.

    Attributes:
        key: "outage", what the stopwatch looks for ("duplicates", "lost"), or "verified".
        reading: Of which stopwatch; None: of the lab as a whole.
        seen: What was seen that must not be.
    """

    key: str
    holds: bool
    reading: Reading | None = None
    seen: tuple[str, ...] = ()


def claims(result: DrillResult, limit_s: float | None = None) -> tuple[Claim, ...]:
    """What must hold of each stopwatch, and of the repaired lab.

    Args:
        result: The drill.
        limit_s: The longest outage of new clients; None: it is enough that it ended before the repair.
    """
    judged = [reading for reading in result.stopwatches if reading.judged]
    found = [claim for reading in judged for claim in _claims_of(result, reading, limit_s)]
    return (*found, Claim("verified", result.verification.passed))


def _claims_of(result: DrillResult, reading: Reading, limit_s: float | None) -> Iterator[Claim]:
    seconds = reading.outage.seconds
    within = limit_s is None or reading is not result.addresses
    yield Claim("outage", seconds is not None and (within or seconds <= (limit_s or 0.0)), reading)
    for wrong in reading.wrong:
        yield Claim(wrong.key, not wrong.seen, reading, wrong.seen)


def holds(result: DrillResult, limit_s: float | None = None) -> bool:
    """Every claim does."""
    return all(claim.holds for claim in claims(result, limit_s))


@dataclass(frozen=True)
class Share:
    """A server's part of the new clients before the fault, with the Wilson interval of 95 %.

    Attributes:
        answers: Clients that took its offer. Not those whose ACK came from it: two dhcpds may both send one.
    """

    answers: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """From 0 to 1."""
        return self.answers / self.of


def share(answers: int, of: int) -> Share:
    """The interval of a binomial share (Wilson 1927): sound for few answers too, and for none of many."""
    part, square = answers / of, _Z_95**2
    centre = (part + square / (2 * of)) / (1 + square / of)
    half = _Z_95 * math.sqrt(part * (1 - part) / of + square / (4 * of**2)) / (1 + square / of)
    return Share(answers, of, max(0.0, centre - half), min(1.0, centre + half))


@dataclass(frozen=True)
class Answers:
    """How many answers a server gave: before the fault, until the repair, and after it."""

    server: str
    before: int
    during: int
    after: int
    share: Share | None


def servers(result: DrillResult) -> tuple[str, ...]:
    """Those that answered, and those whose state was noted: one that never answered is told too."""
    noted = {event.machine for event in result.events if event.what == "state" and event.machine}
    answered = {e.server for reading in result.stopwatches for e in reading.exchanges if e.server}
    return tuple(sorted({*result.servers, *noted, *answered}))


def repaired_at(result: DrillResult) -> float:
    """When the fault was mended."""
    return next((event.at_s for event in result.events if event.what == "repair"), math.inf)


def answers(result: DrillResult, reading: Reading) -> tuple[Answers, ...]:
    """How many answers each server gave by this stopwatch, and its share."""
    repaired_s, chosen = repaired_at(result), _chosen(reading)

    def of(server: str) -> Answers:
        own = answered(reading, server)
        before, after = sum(at < 0 for at in own), sum(at >= repaired_s for at in own)
        part = share(chosen.count(server), len(chosen)) if chosen else None
        return Answers(server, before, len(own) - before - after, after, part)

    return tuple(of(server) for server in servers(result))


def answered(reading: Reading, server: str) -> tuple[float, ...]:
    """When the server answered; of DHCP every ACK of it, also one to a client that took another's."""
    if reading.messages:
        return tuple(m.at_s for m in reading.messages if m.type == "ACK" and m.server == server)
    return tuple(e.answered_at_s for e in reading.exchanges if e.server == server and e.answered_at_s is not None)


def _chosen(reading: Reading) -> list[str]:
    """Of each new client that was served before the fault the server whose offer it took."""
    if not reading.messages:
        kind = reading.outage.kind
        return [e.server for e in reading.exchanges if e.server and e.kind == kind and (e.answered_at_s or 0) < 0]
    named = {m.xid: m.server for m in reading.messages if m.type == "REQUEST" and not m.renewing}
    served = {m.xid for m in reading.messages if m.type == "ACK" and m.at_s < 0}
    return [server for xid, server in named.items() if server and xid in served]


def command(result: DrillResult, *, language: str = "en") -> str:
    """What is typed to see it again, in this language."""
    words = ["labbuilder", "drill", result.drill, "--mode", result.mode, "--engine", result.engine]
    words += ["--provider", result.provider, "--seed", str(result.seed)]
    return shlex.join([*words, *(["--language", language] if language != "en" else [])])


def versions(result: DrillResult) -> str:
    """The engine's packages in one line."""
    return ", ".join(f"{name} {version}" for name, version in result.versions.items())


def printable(text: str) -> str:
    """Without control characters: no terminal obeys it, and every XML parser takes it."""
    return "".join(c if c in "\n\t" or (c.isprintable() or c == "\u00a0") else "\ufffd" for c in text)
