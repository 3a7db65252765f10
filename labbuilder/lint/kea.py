"""Kea's JSON: text to a tree of values with their places; comments, numbers and includes as Kea takes them.

One compiled regular expression scans, and a stack builds: a generated LALR parser took 4 s for 24,000 lines, and the
standard library's scanner knows no places. What is taken is what dhcp4_lexer.ll and dhcp4_parser.yy take.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from labbuilder.errors import LintError
from labbuilder.lint import syntax
from labbuilder.lint.source import MAX_DEPTH, Config, Place, Reader, printable

Kind = Literal["map", "list", "string", "integer", "float", "boolean", "null"]
# Each alternative begins and ends with characters of its own: nothing is tried twice.
_STRING = r'"([^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*)"'
_COMMENT = r"/\*[^*]*\*+(?:[^/*][^*]*\*+)*/"
_BLANK = rf"[ \t\r\n]*(?:(?:\#[^\n]*\n|//[^\n]*\n|{_COMMENT})[ \t\r\n]*)*"
_WORD = r"([-+.0-9A-Za-z]+)"
# A comma before it, then: a string, with what makes it a member; a bracket; a word; or what is none of these.
_TOKEN = re.compile(
    rf"{_BLANK}(?:(,){_BLANK})?(?:{_STRING}(?:{_BLANK}(:){_BLANK}(?:{_STRING}|{_WORD})?)?|([][{{}},:])|{_WORD}|\Z|(.))",
    re.DOTALL,
)
_COMMA, _TEXT, _COLON, _VALUE, _SCALAR, _MARK, _ALONE, _STRANGE = range(1, 9)
_START, _AFTER, _LOOSE, _MEMBER = range(4)  # after an opening bracket, an entry, a comma too many, a member's colon

_WORDS: Mapping[str, Kind] = {"true": "boolean", "false": "boolean", "null": "null"}
_SEEN = re.compile(r'"[^"\n]*"?|[\w.+-]+|.', re.DOTALL)
_STRING_WHOLE = re.compile(_STRING, re.DOTALL)
_SHOWN = 40
_INTEGER = re.compile(r"-?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_LONGEST = 4000  # digits; int() takes no more
_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt])|u00([0-9A-Fa-f]{2})|.)', re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
# What may hide an include, and the include itself; blanks as dhcp4_lexer.ll takes them.
_INCLUDE = re.compile(
    rf'{_STRING}|#[^\n]*|//[^\n]*|{_COMMENT}|(/\*)|(<\?[ \t\r\n]*include[ \t\r\n]*"([^"\n]+)"[ \t\r\n]*\?>)', re.DOTALL
)


class Value:
    """A JSON value: an object, an array, or the text of anything else, strings without quotes."""

    __slots__ = ("_at", "_joined", "_key_at", "data", "kind")

    def __init__(
        self, joined: _Joined, at: int, kind: Kind, data: dict[str, Value] | tuple[Value, ...] | str, key_at: int
    ) -> None:
        self._joined, self._at, self.kind, self.data, self._key_at = joined, at, kind, data, key_at

    @property
    def place(self) -> Place:
        """Where the value begins."""
        return self._joined.place(self._at)

    @property
    def key_place(self) -> Place:
        """Where its name stands, if it is a member."""
        return self._joined.place(self._key_at)

    def get(self, name: str) -> Value | None:
        """A member, if this is an object that has it."""
        return self.data.get(name) if isinstance(self.data, dict) else None

    def items(self, name: str) -> tuple[Value, ...]:
        """The entries of a member that is an array; none if it is not."""
        found = self.data.get(name) if isinstance(self.data, dict) else None
        return found.data if found is not None and isinstance(found.data, tuple) else ()

    def text(self, name: str) -> str | None:
        """A member that is neither object nor array."""
        found = self.data.get(name) if isinstance(self.data, dict) else None
        return found.data if found is not None and isinstance(found.data, str) else None


@dataclass(frozen=True, slots=True)
class Twice:
    """A name that one object has twice."""

    name: str
    place: Place
    first: Place


@dataclass(frozen=True)
class Document:
    """A configuration with all that it includes."""

    root: Value
    includes: tuple[tuple[str, Place], ...]
    twice: tuple[Twice, ...]


def parse(config: Config) -> Document:
    """Parse a configuration with all that it includes.

    Raises:
        LintError: It can't be read, or is no JSON of Kea's kind.
    """
    reader = Reader(config)
    joined = _Joined()
    joined.add(reader.text(), config.name, reader)
    return _Scan(joined).document()


def members(value: Value) -> Iterator[tuple[str, Value]]:
    """The members of an object; none of anything else."""
    if isinstance(value.data, dict):
        yield from value.data.items()


@dataclass
class _Joined:
    """The text with its includes in place, as Kea's scanner sees it, and where each piece of it comes from."""

    pieces: list[str] = field(default_factory=list)
    includes: list[tuple[str, Place]] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _origins: list[Place] = field(default_factory=list)
    _length: int = 0
    _lines: list[int] = field(default_factory=list)

    def add(self, text: str, name: str, reader: Reader) -> None:
        shown = printable(name)
        begin, line = 0, 1
        for match in _INCLUDE.finditer(text):
            if match[2] is not None:
                at = Place(
                    shown, text.count("\n", 0, match.start()) + 1, match.start() - text.rfind("\n", 0, match.start())
                )
                raise syntax.broken(at, "a comment that does not end")
            if match[4] is None:
                continue
            column = begin - text.rfind("\n", 0, begin)
            self._piece(text[begin : match.start()], Place(shown, line, column))
            line += text.count("\n", begin, match.end())
            self.includes.append((match[4], Place(shown, line)))
            self.add(*reader.open(*self.includes[-1]), reader)
            reader.close()
            begin = match.end()
        self._piece(text[begin:], Place(shown, line, begin - text.rfind("\n", 0, begin)))

    def _piece(self, text: str, origin: Place) -> None:
        """Each piece ends a line: a comment of one file does not go on in the next."""
        self._starts.append(self._length)
        self._origins.append(origin)
        self.pieces.append(text + "\n")
        self._length += len(text) + 1

    def place(self, at: int) -> Place:
        if not self._lines:
            self._lines = [0, *(match.end() for match in re.finditer("\n", "".join(self.pieces)))]
        piece = bisect_right(self._starts, at) - 1
        origin, start = self._origins[piece], self._starts[piece]
        first, line = bisect_right(self._lines, start) - 1, bisect_right(self._lines, at) - 1
        if line == first:
            return Place(origin.file, origin.line, at - start + origin.column)
        return Place(origin.file, origin.line + line - first, at - self._lines[line] + 1)


class _Scan:
    """Puts the scanner's tokens together."""

    def __init__(self, joined: _Joined) -> None:
        self._joined = joined
        self._text = "".join(joined.pieces)
        self._twice: list[Twice] = []
        self._top: list[Value] = []
        self._map: dict[str, Value] | None = None  # the object that is being read, if it is one,
        self._list = self._top  # or the array
        self._around: list[tuple[Value, dict[str, Value] | None, list[Value]]] = []
        self._name, self._name_at = "", 0
        self._state = _START

    def document(self) -> Document:
        for match in _TOKEN.finditer(self._text):
            last = match.lastindex
            if last is None or last == _COMMA:  # the end
                if self._around or not self._top or last:
                    self._unexpected(match)
                break
            if last == _MARK:
                self._mark(match)
            elif self._map is not None:
                self._member(match, last, self._map)
            else:
                self._entry(match, last)
        return Document(self._top[0], tuple(self._joined.includes), tuple(self._twice))

    def _fits(self, match: re.Match[str]) -> bool:
        """Whether a further entry may stand here: a comma stands between two, and not before the first."""
        if not self._around:
            return not self._top and match[_COMMA] is None
        return self._state == _LOOSE or (match[_COMMA] is None) == (self._state == _START)

    def _member(self, match: re.Match[str], last: int, inside: dict[str, Value]) -> None:
        if self._state == _MEMBER or last not in {_COLON, _VALUE, _SCALAR} or not self._fits(match):
            self._unexpected(match)
        self._name, self._name_at = match[_TEXT], match.start(_TEXT) - 1
        if "\\" in self._name:
            self._name = self._unescaped(self._name, self._name_at)
        if self._name in inside:
            self._twice.append(Twice(self._name, self._joined.place(self._name_at), inside[self._name].key_place))
        if last == _COLON:
            self._state = _MEMBER
            return
        self._state = _AFTER
        inside[self._name] = self._string(match, last) if last == _VALUE else self._word(match, last)

    def _entry(self, match: re.Match[str], last: int) -> None:
        if last not in {_TEXT, _ALONE} or not self._fits(match):
            self._unexpected(match)
        self._list.append(self._string(match, last) if last == _TEXT else self._word(match, last))
        self._state = _AFTER

    def _mark(self, match: re.Match[str]) -> None:
        mark = match[_MARK]
        if mark == "," and self._state in {_AFTER, _LOOSE} and self._around:
            self._state = _LOOSE
        elif mark in "{[" and (self._state == _MEMBER or self._map is None):
            if match[_COMMA] is not None if self._state == _MEMBER else not self._fits(match):
                self._unexpected(match)
            self._begin(mark, match.start(_MARK))
        elif mark == ("]" if self._map is None else "}") and self._around and self._state != _MEMBER:
            if match[_COMMA] is not None and self._state == _START:
                self._unexpected(match)
            self._end()
        else:
            self._unexpected(match)

    def _begin(self, mark: str, at: int) -> None:
        if len(self._around) >= MAX_DEPTH:
            raise syntax.broken(self._joined.place(at), f"values are nested deeper than {MAX_DEPTH}")
        entries: dict[str, Value] = {}
        if mark == "{":
            value = Value(self._joined, at, "map", entries, self._name_at)
        else:
            value = Value(self._joined, at, "list", (), self._name_at)
        if self._map is not None:
            self._map[self._name] = value
        else:
            self._list.append(value)
        self._around.append((value, self._map, self._list))
        self._map, self._list, self._state = entries if mark == "{" else None, [], _START

    def _end(self) -> None:
        entries = self._list if self._map is None else None
        value, self._map, self._list = self._around.pop()
        if entries is not None:
            value.data = tuple(entries)
        self._state = _AFTER

    def _string(self, match: re.Match[str], group: int) -> Value:
        text, at = match[group], match.start(group) - 1
        if "\\" in text:
            text = self._unescaped(text, at)
        return Value(self._joined, at, "string", text, self._name_at)

    def _word(self, match: re.Match[str], group: int) -> Value:
        text, at = match[group], match.start(group)
        kind = _WORDS.get(text) or self._number(text, at)
        return Value(self._joined, at, kind, text, self._name_at)

    def _number(self, text: str, at: int) -> Kind:
        if _INTEGER.fullmatch(text):
            if len(text) > _LONGEST or not -(1 << 63) <= int(text) < 1 << 63:
                raise self._broken(at, f"{printable(text[:40])} is no integer of 64 bits")
            return "integer"
        if not _FLOAT.fullmatch(text):
            if text.lower() in _WORDS:
                raise self._broken(at, f"{text!r}, where {text.lower()} is written in lower case")
            raise self._broken(at, f"{printable(text[:40])!r}, where a value was expected")
        return "float"

    def _unescaped(self, text: str, at: int) -> str:
        def one(match: re.Match[str]) -> str:
            if match[1]:
                return _ESCAPED.get(match[1], match[1])
            if match[2]:
                return chr(int(match[2], 16))
            raise self._broken(
                at, f"an escape that JSON has not, or Kea: {printable(text[match.start() : match.start() + 6])}"
            )

        return _ESCAPE.sub(one, text)

    def _unexpected(self, match: re.Match[str]) -> NoReturn:
        """Say what stands where something else was expected."""
        in_map, comma, last = self._map is not None, match[_COMMA] is not None, match.lastindex
        closing, entry = ("'}'", "a string in double quotes") if in_map else ("']'", "a value")
        at = match.end() if last is None else match.start(min(last, _TEXT) if match[_TEXT] is not None else last)
        at -= match[_TEXT] is not None
        if self._state == _MEMBER:
            at, wanted = match.start(_COMMA) if comma else at, "a value"
        elif not self._around:
            wanted = "the end of the file" if self._top else "a value"
        elif self._state == _AFTER and not comma:
            wanted = f"',' or {closing}"
        elif comma and self._state == _START:
            at, wanted = match.start(_COMMA), f"{closing} or {entry}"
        elif last == _TEXT and in_map:
            found = _TOKEN.match(self._text, match.end())
            at, wanted = found.start(found.lastindex) if found and found.lastindex else len(self._text), "':'"
        elif match[_COLON] and not in_map and self._fits(match):
            at, wanted = match.start(_COLON), f"',' or {closing}"
        else:
            wanted = f"{closing} or {entry}"
        at = min(at, len(self._text.rstrip()))
        raise self._broken(at, f"{self._seen(at)}, where {wanted} was expected")

    def _seen(self, at: int) -> str:
        if at == len(self._text.rstrip()):
            return "the end of the file"
        token = _SEEN.match(self._text, at)
        text = token[0] if token else ""
        if text == "\ufeff":
            return "a byte order mark (BOM)"
        if text.startswith('"') and not _STRING_WHOLE.fullmatch(text):
            return "a string that does not end, or holds a tab or another control character"
        return repr(printable(text[:_SHOWN])) if text.isascii() else f"the character U+{ord(text[0]):04X}"

    def _broken(self, at: int, what: str) -> LintError:
        start = self._text.rfind("\n", 0, at) + 1
        return syntax.broken(self._joined.place(at), what, syntax.shown(self._text, at, at - start + 1))
