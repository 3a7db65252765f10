"""Every text of the reports, in each language side by side."""

from __future__ import annotations

from labbuilder.drill.model import DrillResult, Event, Outage
from labbuilder.errors import SpecError
from labbuilder.report.figures import Claim, Found, Share, found, of_new_clients
from labbuilder.report.texts import DRILLS_ES, TEXTS

LANGUAGES = ("en", "es")


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
        self._column = LANGUAGES.index(language)

    def __call__(self, key: str, **values: object) -> str:
        """One text, with its values."""
        return TEXTS[key][self._column].format(**values)

    def number(self, value: float, digits: int = 0) -> str:
        """As the language writes it."""
        text = f"{value:.{digits}f}"
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
        kinds = {found(outage) for outage in result.outages}
        return [self(f"note_{kind}") for kind in (Found.BELOW_RESOLUTION, Found.NO_BASELINE) if kind in kinds]

    def event(self, event: Event, result: DrillResult) -> str:
        """What happened; states are the engine's own words."""
        if event.what == "fault":
            return self.title(result)
        key = f"event_{event.what}"
        return self(key, machine=event.machine, state=event.text) if key in TEXTS else event.text

    def title(self, result: DrillResult) -> str:
        """What the drill does."""
        return DRILLS_ES.get(result.drill, result.title) if self.language == "es" else result.title

    def outage(self, outage: Outage) -> str:
        """The figure in a few words: a cell of a table."""
        if outage.seconds is None:
            return self(f"outage_{found(outage)}")
        sign = "\u2264\u00a0" if found(outage) is Found.BELOW_RESOLUTION else ""
        return sign + self.seconds(outage.seconds)

    def claim(self, claim: Claim, limit_s: float | None) -> str:
        """What must hold."""
        return self(f"claim_{claim.key}", limit=self.seconds(limit_s or 0.0))

    def seen(self, claim: Claim, result: DrillResult) -> str:
        """What was seen of it."""
        if claim.key == "outage":
            return self.outage(of_new_clients(result))
        if claim.key == "verified":
            total = len(result.verification.outcomes)
            return self("checks", good=total - len(result.verification.failures), total=total)
        return "; ".join(result.duplicates if claim.key == "duplicates" else result.lost) or self("none")
