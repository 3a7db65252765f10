"""The parser toolkit (lark), with its errors in our words: file, line, column, what was expected, the line shown.

Lark, because both languages need positions and neither has a kept parser on PyPI: those of dhcpd.conf ended between
2012 and 2019, the readers of JSON with comments know no lines. It is kept, typed, without dependencies, and LALR: no
recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lark import Lark, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from labbuilder.errors import LintError
from labbuilder.lint.source import Place, printable

_BEFORE, _AFTER = 60, 40


def parser(name: str, build: Transformer[Any, Any]) -> Lark:
    """A parser of a grammar beside this module; `build` makes the tree while it parses."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return Lark(text, parser="lalr", transformer=build, maybe_placeholders=False)


def parse(lark: Lark, text: str, place_of: Callable[[int, int], Place], words: Mapping[str, str]) -> Any:
    """Parse a text.

    Args:
        lark: The parser.
        text: What is parsed.
        place_of: The place for a line and a column of the text.
        words: What people call the grammar's terminals.

    Raises:
        LintError: The text breaks the grammar.
    """
    try:
        return lark.parse(text)
    except UnexpectedInput as error:
        raise _syntax_error(error, text, place_of, words) from error


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


def _syntax_error(
    error: UnexpectedInput, text: str, place_of: Callable[[int, int], Place], words: Mapping[str, str]
) -> LintError:
    ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    at = len(text.rstrip()) if ended else error.pos_in_stream or 0
    line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
    seen = "the end of the file" if ended else _seen(error, text[at : at + 1])
    terminals = error.accepts if isinstance(error, UnexpectedToken) and error.accepts else _allowed(error)
    expected = sorted({words[t] for t in terminals if t in words})
    what = f"{seen}, where {' or '.join(expected)} was expected" if expected else f"{seen} was not expected"
    return broken(place_of(line, column), what, shown(text, at, column))


def _allowed(error: UnexpectedInput) -> set[str]:
    return set(getattr(error, "allowed", None) or getattr(error, "expected", None) or ())


def _seen(error: UnexpectedInput, character: str) -> str:
    if isinstance(error, UnexpectedToken):
        return repr(printable(str(error.token)[:_AFTER]))
    if isinstance(error, UnexpectedCharacters) and character == '"':
        return "a string that does not end"
    return f"the character U+{ord(character):04X}" if not character.isascii() else repr(character)


def shown(text: str, at: int, column: int) -> str:
    """The line, or the part of it around the place, with a mark below."""
    start = at - min(column - 1, _BEFORE)
    end = text.find("\n", at)
    line = text[start : min(at + _AFTER, end if end >= 0 else len(text))]
    return f"{printable(line.expandtabs(1))}\n{' ' * (at - start)}^"
