"""Findings as people read them: each rule once, with why and mend, and below it each place."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from labbuilder.lint.model import Finding, Severity
from labbuilder.lint.outcome import Outcome
from labbuilder.lint.words import Words

_COLOURS = {Severity.ERROR: "\033[31m", Severity.WARNING: "\033[33m", Severity.NOTE: "\033[2m"}
_BOLD = "\033[1m"
Colour = Callable[[str, str], str]


class Text:
    """Writes outcomes for people.

    Args:
        words: In their language.
        colour: Puts a text into a colour's code, where there are colours.
        width: Columns of the terminal; None: what is found stands on one line, however long, for grep.
    """

    def __init__(self, words: Words, colour: Colour, width: int | None) -> None:
        self._words = words
        self._colour = colour
        self._width = width

    def __call__(self, outcomes: Sequence[Outcome]) -> str:
        """All that were looked at; of several, each with a head."""
        several = len(outcomes) > 1
        parts = (self._one(outcome, headed=several) for outcome in outcomes if not outcome.error)
        return "\n\n".join(parts)

    def _one(self, outcome: Outcome, *, headed: bool) -> str:
        lines = [self._colour(", ".join(outcome.files), _BOLD)] if headed else []
        found = outcome.findings
        for rule in dict.fromkeys(finding.rule for finding in found):
            lines += self._rule([finding for finding in found if finding.rule == rule])
        lines += [self._words(line) for line in outcome.told]
        return "\n".join([*lines, self._sum(outcome)])

    def _rule(self, same: Sequence[Finding]) -> Iterator[str]:
        first, word = same[0], self._words(same[0].severity.value)
        yield f"{self._colour(word, _COLOURS[first.severity])}: {first.rule}"
        for finding in same:
            yield from self._wrapped(f"  {finding.where}: ", self._words(finding.what), 6, self._width)
            if finding.other:
                yield f"      {self._words('there')}: {finding.other}"
        for head, text in (("why", first.why), ("mend", first.mend)):
            first_line = f"  {self._words(head) + ': ':6}"
            yield from self._wrapped(first_line, self._words(text), len(first_line), self._width or 100)
        yield ""

    def _sum(self, outcome: Outcome) -> str:
        counts = Counter(finding.severity.value for finding in outcome.findings)
        if not counts:
            pair = len(outcome.files) > 1
            return self._words("Nothing found: the two fit each other." if pair else "Nothing found.")
        return ", ".join(f"{n} {self._words(f'{word}s' if n > 1 else word)}" for word, n in counts.items()) + "."

    @staticmethod
    def _wrapped(head: str, text: str, indent: int, width: int | None) -> list[str]:
        if width is None:
            return [head + text]
        return textwrap.wrap(
            text,
            max(40, min(width, 100)),
            initial_indent=head,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
