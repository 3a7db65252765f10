"""Errors of syntax in our words: file, line, column, what was expected, the line shown."""

from __future__ import annotations

from labbuilder.errors import LintError
from labbuilder.lint.source import Place, printable

_BEFORE, _AFTER = 60, 40


def broken(place: Place, what: str, shown: str = "", resolution: str = "mend the line") -> LintError:
    """The error for a text that its daemon would refuse too."""
    return LintError(
        brief=f"{place}:{place.column}: {what}",
        details=shown or None,
        resolution=resolution,
        file=place.file,
        line=place.line,
        column=place.column,
    )


def shown(text: str, at: int, column: int) -> str:
    """The line, or the part of it around the place, with a mark below."""
    start = at - min(column - 1, _BEFORE)
    end = text.find("\n", at)
    line = text[start : min(at + _AFTER, end if end >= 0 else len(text))]
    return f"{printable(line.expandtabs(1))}\n{' ' * (at - start)}^"
