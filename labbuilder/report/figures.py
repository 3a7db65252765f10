"""What is read from a drill's result for every form of the report. Pure."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from labbuilder.drill import FAULTS
from labbuilder.drill.model import DrillResult, Kind, Outage

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


def of_new_clients(result: DrillResult) -> Outage:
    """The outage that new clients felt."""
    return next(outage for outage in result.outages if outage.kind is Kind.NEW)


@dataclass(frozen=True)
class Claim:
    """One thing that a drill must show.

    Attributes:
        key: "outage", "duplicates", "lost" or "verified".
    """

    key: str
    holds: bool


def claims(result: DrillResult, limit_s: float | None = None) -> tuple[Claim, ...]:
    """What must hold; without a limit it is enough that the outage of new clients ended before the repair."""
    outage = result.outage
    return (
        Claim("outage", outage is not None and (limit_s is None or outage <= limit_s)),
        Claim("duplicates", not result.duplicates),
        Claim("lost", not result.lost),
        Claim("verified", result.verification.passed),
    )


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
    """How many ACKs a server gave: before the fault, until the repair, and after it."""

    server: str
    before: int
    during: int
    after: int
    share: Share | None


def servers(result: DrillResult) -> tuple[str, ...]:
    """Those that answered, and those whose state was noted: one that never answered is told too."""
    noted = {event.machine for event in result.events if event.what == "state" and event.machine}
    return tuple(sorted({*result.servers, *noted}))


def repaired_at(result: DrillResult) -> float:
    """When the fault was mended."""
    return next((event.at_s for event in result.events if event.what == "repair"), math.inf)


def answers(result: DrillResult) -> tuple[Answers, ...]:
    """ACKs of each server, and its share."""
    repaired_s, chosen = repaired_at(result), _chosen(result)
    return tuple(_answers(result, server, repaired_s, chosen) for server in servers(result))


def _answers(result: DrillResult, server: str, repaired_s: float, chosen: Sequence[str]) -> Answers:
    own = acks(result, server)
    before, after = sum(at < 0 for at in own), sum(at >= repaired_s for at in own)
    part = share(chosen.count(server), len(chosen)) if chosen else None
    return Answers(server, before, len(own) - before - after, after, part)


def acks(result: DrillResult, server: str) -> tuple[float, ...]:
    """When the server sent an ACK."""
    return tuple(m.at_s for m in result.messages if m.type == "ACK" and m.server == server)


def _chosen(result: DrillResult) -> list[str]:
    """Of each new client that was served before the fault the server whose offer it took."""
    named = {m.xid: m.server for m in result.messages if m.type == "REQUEST" and not m.renewing}
    served = {m.xid for m in result.messages if m.type == "ACK" and m.at_s < 0}
    return [server for xid, server in named.items() if server and xid in served]


def command(result: DrillResult, *, language: str = "en") -> str:
    """What is typed to see it again, in this language."""
    words = ["labbuilder", "drill", result.drill, "--mode", result.mode, "--engine", result.engine]
    words += ["--provider", result.provider, "--seed", str(result.seed)]
    return shlex.join([*words, *(["--language", language] if language != "en" else [])])


def past_repair(result: DrillResult) -> bool:
    """The repair is part of what is measured: clients are counted until the capture's end."""
    return result.drill in FAULTS and FAULTS[result.drill].mended_early


def versions(result: DrillResult) -> str:
    """The engine's packages in one line."""
    return ", ".join(f"{name} {version}" for name, version in result.versions.items())


def printable(text: str) -> str:
    """Without control characters: no terminal obeys it, and every XML parser takes it."""
    return "".join(c if c in "\n\t" or (c.isprintable() or c == "\u00a0") else "\ufffd" for c in text)
