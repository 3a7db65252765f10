"""Kea's JSON: text to a tree of values with their places; comments and includes as Kea takes them."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lark import Token, Transformer

from labbuilder.lint import syntax
from labbuilder.lint.source import MAX_DEPTH, Config, Place, Reader, printable

_WORDS = {
    "STRING": "a string in double quotes",
    "NUMBER": "a value",
    "LBRACE": "a value",
    "LSQB": "a value",
    "COMMA": "','",
    "COLON": "':'",
    "RBRACE": "'}'",
    "RSQB": "']'",
    "$END": "the end of the file",
}
# What may hide an include, and the include itself (Kea's dhcp4_lexer.ll).
_INCLUDE = re.compile(
    r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|#[^\n]*|//[^\n]*|/\*.*?\*/|(<\?include[ \t]+"([^"\n]+)"[ \t]*\?>)', re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Value:
    """A JSON value: an object, an array, or the text of anything else, strings without quotes."""

    place: Place = field(compare=False)
    data: Mapping[str, Value] | tuple[Value, ...] | str
    depth: int = field(default=0, compare=False, repr=False)

    def get(self, name: str) -> Value | None:
        """A member, if this is an object that has it."""
        return self.data.get(name) if isinstance(self.data, Mapping) else None

    def items(self, name: str) -> tuple[Value, ...]:
        """The entries of a member that is an array; none if it is not."""
        found = self.get(name)
        return found.data if found is not None and isinstance(found.data, tuple) else ()

    def text(self, name: str) -> str | None:
        """A member that is neither object nor array."""
        found = self.get(name)
        return found.data if found is not None and isinstance(found.data, str) else None


def parse(config: Config) -> tuple[Value, tuple[tuple[str, Place], ...]]:
    """Parse a configuration with all that it includes; what these are comes with it.

    Raises:
        LintError: It can't be read, or is no JSON of Kea's kind.
    """
    reader = Reader(config)
    joined = _Joined()
    joined.add(reader.text(), config.name, reader)
    lark = syntax.parser("kea.lark", _Build(joined))
    found: Value = syntax.parse(lark, joined.text(), joined.place, _WORDS)
    return found, tuple(joined.includes)


@dataclass
class _Joined:
    """The text with its includes in place, as Kea's scanner sees it, and where each piece of it comes from."""

    _pieces: list[str] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _origins: list[Place] = field(default_factory=list)
    _lines: int = 1
    includes: list[tuple[str, Place]] = field(default_factory=list)

    def text(self) -> str:
        return "".join(self._pieces)

    def add(self, text: str, name: str, reader: Reader) -> None:
        shown = printable(name)
        begin, line = 0, 1
        for match in _INCLUDE.finditer(text):
            if match[1] is None:
                continue
            column = begin - text.rfind("\n", 0, begin)
            self._piece(text[begin : match.start()], Place(shown, line, column))
            line += text.count("\n", begin, match.end())
            self.includes.append((match[2], Place(shown, line)))
            self.add(*reader.open(*self.includes[-1]), reader)
            reader.close()
            begin = match.end()
        self._piece(text[begin:], Place(shown, line, begin - text.rfind("\n", 0, begin)))

    def _piece(self, text: str, origin: Place) -> None:
        """Each piece begins a line of its own: so a line has one origin."""
        self._starts.append(self._lines)
        self._origins.append(origin)
        self._pieces.append(text + "\n")
        self._lines += text.count("\n") + 1

    def place(self, line: int, column: int) -> Place:
        at = bisect_right(self._starts, line) - 1
        origin, below = self._origins[at], line - self._starts[at]
        return Place(origin.file, origin.line + below, column + (0 if below else origin.column - 1))


class _Build(Transformer[Token, Any]):
    def __init__(self, joined: _Joined) -> None:
        super().__init__()
        self._joined = joined

    def start(self, values: list[Value]) -> Value:
        return values[0]

    def object(self, children: list[Any]) -> Value:
        opening, *members = children
        depth = max((value.depth for _, value in members), default=0) + 1
        return self._value(opening, dict(members), depth)

    def array(self, children: list[Any]) -> Value:
        opening, *values = children
        return self._value(opening, tuple(values), max((value.depth for value in values), default=0) + 1)

    def member(self, children: list[Any]) -> tuple[str, Value]:
        name, value = children
        return self._unquoted(name), value

    def string(self, tokens: list[Token]) -> Value:
        return self._value(tokens[0], self._unquoted(tokens[0]), 0)

    def scalar(self, tokens: list[Token]) -> Value:
        return self._value(tokens[0], str(tokens[0]), 0)

    def _value(self, token: Token, data: Any, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise syntax.broken(self._place(token), f"values are nested deeper than {MAX_DEPTH}")
        return Value(self._place(token), data, depth)

    def _place(self, token: Token) -> Place:
        return self._joined.place(token.line or 1, token.column or 1)

    def _unquoted(self, token: Token) -> str:
        try:
            return str(json.loads(token, strict=False))
        except ValueError as error:
            raise syntax.broken(self._place(token), "an escape that JSON has not", printable(token)) from error


def members(value: Value) -> Iterator[tuple[str, Value]]:
    """The members of an object; none of anything else."""
    if isinstance(value.data, Mapping):
        yield from value.data.items()
