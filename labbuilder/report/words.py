"""The texts and numbers of the reports in each language; texts.yaml has the words."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from labbuilder.drill.model import DrillResult, Event, Exchange, Message, Outage, Reading
from labbuilder.errors import SpecError
from labbuilder.report.evidence import translated
from labbuilder.report.figures import Claim, Found, Share, found, printable

LANGUAGES = ("en", "es")


@cache
def texts() -> dict[str, dict[str, str]]:
    """Each text by its key, in each language."""
    found: dict[str, dict[str, str]] = yaml.safe_load(Path(__file__).with_name("texts.yaml").read_text("utf-8"))
    return found


class Words:
    """The texts and numbers of one language."""

    def __init__(self, language: str) -> None:
        """Choose the language.

        Raises:
            SpecError: There is no such language.
        """
        if language not in LANGUAGES:
            raise SpecError(brief=f"no report is written in {language!r}", resolution=f"use {' or '.join(LANGUAGES)}")
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """One text, with its values."""
        return texts()[key][self.language].format(**values)

    def number(self, value: float, digits: int = 0) -> str:
        """As the language writes it."""
        text = f"{value:.{digits}f}".replace("-", "\u2212")
        return text.replace(".", ",") if self.language == "es" else text

    def seconds(self, value: float) -> str:
        """A span of time, to three digits at most."""
        if abs(value) < 0.1:  # noqa: PLR2004  below it milliseconds read better
            milliseconds = value * 1000
            return f"{self.number(milliseconds, 0 if abs(milliseconds) >= 10 else 1)} ms"  # noqa: PLR2004
        return f"{self.number(value, 2)} s"

    def percent(self, share: Share) -> str:
        """A share with its interval."""
        value, low, high = (self.number(100 * part) for part in (share.value, share.low, share.high))
        return self("share", value=value, low=low, high=high)

    def span(self, value: float | None) -> str:
        """A span of time, or a dash."""
        return "\u2013" if value is None else self.seconds(value)

    def notes(self, result: DrillResult) -> list[str]:
        """What the outages' figures mean where they are none."""
        kinds = {found(outage) for reading in result.stopwatches for outage in reading.outages}
        notes = [self(f"note_{kind}") for kind in (Found.BELOW_RESOLUTION, Found.NO_BASELINE) if kind in kinds]
        return notes + ([] if all(reading.judged for reading in result.stopwatches) else [self("note_unjudged")])

    def kind(self, kind: str) -> str:
        """Who wants something; a kind without a text of its own says its name."""
        return self(f"kind_{kind}") if f"kind_{kind}" in texts() else printable(kind)

    def of(self, key: str, reading: Reading, **values: object) -> str:
        """A text about one stopwatch: its own, or the one for all that have none."""
        own, name = f"{key}_{reading.stopwatch}", printable(reading.stopwatch)
        return self(own if own in texts() else f"{key}_other", stopwatch=name, **values)

    def event(self, event: Event, result: DrillResult) -> str:
        """What happened; states are the engine's own words."""
        if event.what == "fault":
            return self.title(result)
        key = f"event_{event.what}"
        return self(key, machine=event.machine, state=self.state(event.text)) if key in texts() else event.text

    def state(self, state: str) -> str:
        """A failover state: the engine's own word, but for what is no state."""
        return self("state_unwatched") if state == "unwatched" else state

    def flag(self, event: Event) -> str:
        """An event in a word or two, with its time."""
        return self("flag", what=self(f"flag_{event.what}"), at=self.moment(event.at_s))

    def moment(self, at_s: float) -> str:
        """A moment on the drill's clock."""
        return f"{self.number(at_s, 2)} s"

    def offset(self, seconds: float) -> str:
        """How much later."""
        return f"+{self.seconds(seconds)}" if seconds else "0"

    def summary(self, result: DrillResult) -> str:
        """What new clients felt, in a sentence or two; of other stopwatches the figure."""
        outage, late = result.addresses.outage, "_late" if result.counted == "end" else ""
        values = {"outage": self.span(outage.seconds), "resolution": self.seconds(outage.resolution_s)}
        told = [self(f"summary_{found(outage)}{_measured_to(outage, result)}", **values)]
        if outage.longest_wait_s is not None:
            wait, counts = self.seconds(outage.longest_wait_s), {"asked": outage.asked, "answered": outage.answered}
            told.append(self(f"summary_wait{late}", wait=wait, **counts))
        if outage.answered and outage.unserved:
            told.append(self(f"summary_unserved{late}", unserved=outage.unserved))
        others = ((self.of("outage_of", each), self.outage(each.outage, result)) for each in result.stopwatches[1:])
        told += [f"{head[:1].upper()}{head[1:]}: {figure}." for head, figure in others]
        return " ".join(told)

    def exchange(self, exchange: Exchange, *, is_open: bool) -> str:
        """One client's wish and its answer; open: it still waited when the capture ended."""
        kind, asked = self.kind(exchange.kind), self.moment(exchange.asked_at_s)
        if exchange.answered_at_s is None:
            key = "exchange_open" if is_open else "exchange_unanswered"
            return self(key, kind=kind, client=exchange.client, asked=asked)
        waited = self.seconds(exchange.answered_at_s - exchange.asked_at_s)
        return self("exchange", kind=kind, client=exchange.client, asked=asked, server=exchange.server, waited=waited)

    def said(self, message: Message) -> str:
        """What a message says, besides its type."""
        if message.type == "DISCOVER":
            return self("said_secs", secs=message.secs)
        if message.type == "REQUEST" and message.server:
            return self("said_names", address=message.address, server=message.server)
        if message.lease_s is not None:
            return self("said_lease", address=message.address, lease=message.lease_s)
        return message.address or ""

    def rung(self, message: Message, exchange: Exchange) -> str:
        """A message in a sentence, for who hears the picture."""
        sender = message.server if message.from_server else self("client")
        return f"{self.offset(message.at_s - exchange.asked_at_s)}: {sender}: {message.type} {self.said(message)}"

    def title(self, result: DrillResult) -> str:
        """What the drill does."""
        return texts().get(f"drill_{result.drill}", {}).get(self.language, result.title)

    def outage(self, outage: Outage, result: DrillResult) -> str:
        """The figure in a few words: a cell of a table."""
        if outage.seconds is None:
            return self(f"outage_{found(outage)}{_measured_to(outage, result)}")
        sign = "\u2264\u00a0" if found(outage) is Found.BELOW_RESOLUTION else ""
        return sign + self.seconds(outage.seconds)

    def unserved(self, outage: Outage) -> str:
        """How many got no answer, though others did; empty when none."""
        return self("unserved", unserved=outage.unserved) if outage.unserved else ""

    def claim(self, claim: Claim, result: DrillResult, limit_s: float | None) -> str:
        """What must hold."""
        if claim.reading is None:
            return self(f"claim_{claim.key}")
        if claim.key != "outage":
            return self(f"claim_{claim.key}") if f"claim_{claim.key}" in texts() else printable(claim.key)
        served = "claim_served_late" if result.counted == "end" else "claim_served"
        limited = limit_s is not None and claim.reading is result.addresses
        return self("claim_outage", limit=self.seconds(limit_s or 0.0)) if limited else self.of(served, claim.reading)

    def seen(self, claim: Claim, result: DrillResult) -> str:
        """What was seen of it."""
        if claim.reading is None:
            return self.checks(result)
        if claim.key != "outage":
            return "; ".join(map(self.evidence, claim.seen)) or self("none_found")
        outage = claim.reading.outage
        if found(outage) is Found.UNANSWERED:
            return self(f"seen_unanswered{_measured_to(outage, result)}")
        return ", ".join(filter(None, (self.outage(outage, result), self.unserved(outage))))

    def wrong(self, claim: Claim) -> str:
        """The head above what was seen and must not be."""
        key = f"{claim.key}_head"
        return self(key) if key in texts() else printable(claim.key)

    def count(self, claim: Claim, result: DrillResult) -> str:
        """The same as a figure."""
        if claim.reading is not None:
            return str(len(claim.seen))
        total = len(result.verification.outcomes)
        return f"{total - len(result.verification.failures)}\u202f/\u202f{total}"

    def evidence(self, text: str) -> str:
        """What a check or a stopwatch said, where there are words for it; a machine's own words stay as they are."""
        return translated(text, self.language)

    def checks(self, result: DrillResult) -> str:
        """How many checks of the repaired lab passed."""
        total = len(result.verification.outcomes)
        return self("checks", good=total - len(result.verification.failures), total=total)


def _measured_to(outage: Outage, result: DrillResult) -> str:
    """Of a text that says until when nobody was answered, the end of its key."""
    return "_late" if result.counted == "end" and found(outage) in (Found.UNANSWERED, Found.UNASKED) else ""
