"""dhcpd.conf: text to a tree of statements with their places, and back.

Written by hand: dhcpd's own parser tells from the words of each statement where it must end, and which options there
are changes while it reads; and a generated LALR parser took 4 s for 24,000 lines.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from labbuilder.errors import LintError
from labbuilder.lint.dhcpd_grammar import TOP, Frame, Grammar
from labbuilder.lint.dhcpd_words import Wrong
from labbuilder.lint.source import MAX_DEPTH, Config, Place, Reader, printable
from labbuilder.lint.syntax import broken, shown

# Tokens as common/conflex.c reads them; an address, a chain of bytes or a name with dots is one.
_TOKEN = re.compile(
    r'[ \t\r\n\f\v]*("[^"\\]*(?:\\.[^"\\]*)*"|[A-Za-z0-9-][A-Za-z0-9_.:-]*|#[^\n]*|[^ \t\r\n\f\v])', re.DOTALL
)
# A statement of words alone, in one line, as most are: read at once, which halves the time.
_PLAIN = re.compile(
    r"[ \t\r\n]*((\w+)[\w-]*(?:[ \t]+(?:[A-Za-z0-9-](?:[\w.:-]*[\w-])?|\"[!#-\[\]-~]{0,99}\"))*)[ \t]*([;{])",
    re.ASCII,
)
_ENDLESS = {"no", "default", "case", "No", "NO"}  # words of statements that may end without a semicolon
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[0-3][0-7]{2}|.)", re.DOTALL)
_VALUE = re.compile(r"[a-zA-Z0-9_.:-]+")
_LETTERS = {"t": "\t", "r": "\r", "n": "\n", "b": "\b"}
_LONGEST = 1499  # of a string: dhcpd's buffer
_NO_FAILOVER = ("no", "failover", "peer")
_SHOWN = 40


@dataclass(slots=True)
class Statement:
    """One statement: its words as they are written, and what its braces hold, if it has any."""

    words: tuple[str, ...]
    block: tuple[Statement, ...] | None = None
    place: Place = field(default=Place(""), compare=False)

    @property
    def name(self) -> str:
        """Its first word; dhcpd takes it in any case."""
        return self.words[0].lower()

    def starts(self, *names: str) -> bool:
        """Whether it begins with these names; dhcpd takes them in any case."""
        return tuple(word.lower() for word in self.words[: len(names)]) == names

    def value(self, after: int) -> str:
        """What follows so many words, a lone string without its quotes."""
        rest = self.words[after:]
        return unquoted(rest[0]) if len(rest) == 1 else " ".join(rest).replace(" ,", ",")


def unquoted(word: str) -> str:
    """A string's content, its escapes read; any other word as it is."""
    return _ESCAPE.sub(_unescaped, word[1:-1]) if word.startswith('"') else word


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 1:
        return _LETTERS.get(code, "\0" if code == "0" else code)
    return chr(int(code[1:], 16) if code[0] == "x" else int(code, 8))


def parse(config: Config, grammar: Grammar | None = None) -> tuple[Statement, ...]:
    """Parse a configuration with all that it includes.

    An include stands for the statements of its file, in the block in which it stands; as in dhcpd, these must be whole.

    Args:
        config: The configuration.
        grammar: Which statements there are, and where; without it any words are a statement.

    Raises:
        LintError: It can't be read, or dhcpd would refuse its syntax.
    """
    reader = Reader(config)
    return tuple(_File(reader.text(), printable(config.name), grammar, reader).statements(TOP, 0))


def printed(statements: Iterable[Statement], indent: str = "") -> str:
    """The statements as text that parses to the same tree."""
    lines = []
    for statement in statements:
        head = indent + " ".join(statement.words)
        if statement.block is not None:
            lines.append(f"{head} {{\n{printed(statement.block, indent + '  ')}{indent}}}\n")
        elif statement.words[-1] == ":" or statement.starts(*_NO_FAILOVER):
            lines.append(f"{head}\n")
        else:
            lines.append(f"{head};\n")
    return "".join(lines)


@dataclass
class _Open:
    """A block that is being read: the statement that it belongs to, and what it holds so far."""

    words: tuple[str, ...]
    place: Place
    frame: Frame
    found: list[Statement] = field(default_factory=list)


class _File:
    """One file being read."""

    def __init__(self, text: str, name: str, grammar: Grammar | None, reader: Reader) -> None:
        self._text = text
        self._name = name
        self._grammar = grammar
        self._reader = reader
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def statements(self, context: str, depth: int) -> list[Statement]:
        """The statements of the file, in a context of dhcpd's grammar."""
        stack = [_Open((), Place(self._name), Frame(context))]
        words: list[str] = []
        begin = at = 0
        record = False  # the braces of "option x code 200 = { ip-address, text }"
        text = self._text
        while True:
            if not words and (match := _PLAIN.match(text, at)) and match[2] not in _ENDLESS:
                at = match.end()
                taken = tuple(match[1].split())
                self._ended(taken, match.start(1), at - 1, stack, depth, braces=match[3] == "{")
                continue
            match = _TOKEN.match(text, at)
            if match is None:
                break
            token, start, at = match[1], match.start(1), match.end()
            first = token[0]
            if first == "#":
                continue
            if not record or first == ";":
                record = False
                if first == ";" or (first == "{" and not _is_definition(words)):
                    self._ended(tuple(words), begin if words else start, start, stack, depth, braces=first == "{")
                    words = []
                    continue
                if first == "}":
                    self._close(words, begin, start, stack)
                    continue
            record = first == "{" or (record and first != "}")
            if not words:
                begin = start
            self._word(token, start, words)
            if _ends_itself(words):
                self._ended(tuple(words), begin, at, stack, depth, braces=False)
                words = []
        self._end(words, begin, stack)
        return stack[0].found

    def _word(self, token: str, at: int, words: list[str]) -> None:
        """Add a token: what dhcpd reads as one value is joined, ``10 . 0.0.1``."""
        first = token[0]
        if first == '"':
            if len(token) == 1:
                raise self._broken(at, "a string that does not end was not expected")
            if len(token) > _LONGEST:
                raise self._broken(at, f"a string of more than {_LONGEST} characters, which dhcpd refuses")
        elif not first.isascii():
            raise self._broken(at, f"the character U+{ord(first):04X} was not expected")
        elif words and _belongs(words[-1], token):
            words[-1] += token
            return
        words.append(token)

    def _ended(
        self, words: tuple[str, ...], begin: int, end: int, stack: list[_Open], depth: int, *, braces: bool
    ) -> None:
        """A statement ended with a semicolon, or its braces begin."""
        top = stack[-1]
        if not words:
            self._nothing(top, end, braces=braces)
            return
        context = ""
        if self._grammar:
            try:
                if braces:
                    context = self._grammar.block(top.frame, words)
                else:
                    self._grammar.simple(top.frame, words)
            except Wrong as wrong:
                raise self._wrong(wrong, words, begin, end) from wrong
        place = self._place(begin)
        if braces:
            self._deep(place, depth + len(stack))
            stack.append(_Open(words, place, Frame(context)))
            return
        top.frame.last = ""
        top.found.append(Statement(words, None, place))
        if words[0].lower() == "include":
            self._include(words, place, top, depth + len(stack))

    def _nothing(self, top: _Open, at: int, *, braces: bool) -> None:
        """No word stands before a semicolon or a brace: dhcpd takes one semicolon after a key, and only there."""
        if braces:
            raise self._broken(at, "'{', where a name or value was expected")
        if top.frame.last != "key":
            raise self._broken(at, "one ';' too many, which dhcpd refuses", "take it out")
        top.frame.last = ""

    def _include(self, words: tuple[str, ...], place: Place, top: _Open, depth: int) -> None:
        if len(words) != 2 or words[1][0] != '"':  # noqa: PLR2004
            raise broken(place, "an include wants one file name in quotes", " ".join(words))
        self._deep(place, depth)
        text, name = self._reader.open(unquoted(words[1]), place)
        top.found += _File(text, name, self._grammar, self._reader).statements(top.frame.included, depth)
        self._reader.close()

    def _deep(self, place: Place, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise broken(place, f"blocks and includes are nested deeper than {MAX_DEPTH}")

    def _close(self, words: list[str], begin: int, at: int, stack: list[_Open]) -> None:
        if words:
            raise self._unfinished(words, begin, at, stack)
        if len(stack) == 1:
            raise self._broken(at, "'}', where no block is open: one '}' too many, or one '{' too few")
        done = stack.pop()
        stack[-1].found.append(Statement(done.words, tuple(done.found), done.place))
        stack[-1].frame.closed(done.words)

    def _end(self, words: list[str], begin: int, stack: list[_Open]) -> None:
        at = len(self._text.rstrip())
        if words:
            raise self._unfinished(words, begin, at, stack)
        if len(stack) > 1:
            line = stack[-1].place.line
            raise self._broken(at, f"the end of the file, where '}}' was expected: the block of line {line} is open")

    def _unfinished(self, words: list[str], begin: int, at: int, stack: list[_Open]) -> LintError:
        """The error for a statement that a brace or the end of the file cuts off."""
        taken = tuple(words)
        if self._grammar:
            try:
                self._grammar.simple(stack[-1].frame, taken)
            except Wrong as wrong:
                return self._wrong(wrong, taken, begin, at)
        return self._wrong(Wrong(len(taken), "';'" if self._grammar else "';' or '{'"), taken, begin, at)

    def _wrong(self, wrong: Wrong, words: Sequence[str], begin: int, end: int) -> LintError:
        """The error for a word that does not fit."""
        starts = [*self._starts(begin, len(words)), end]
        at = starts[wrong.at]
        if wrong.said:
            return self._broken(at, wrong.said)
        seen = "the end of the file" if at >= len(self._text.rstrip()) else f"'{self._text[at]}'"
        if wrong.at < len(words):
            seen = f"'{printable(words[wrong.at][:_SHOWN])}'"
        missing = ""
        if wrong.expected == "';'" and wrong.at:
            before = self._place(starts[wrong.at - 1]).line
            missing = f": it is missing after '{printable(words[wrong.at - 1][:_SHOWN])}'"
            missing += f" in line {before}" if before != self._place(at).line else ""
        return self._broken(at, f"{seen}, where {wrong.expected} was expected{missing}")

    def _starts(self, begin: int, count: int) -> list[int]:
        """Where each word of a statement begins."""
        words: list[str] = []
        starts: list[int] = []
        for match in _TOKEN.finditer(self._text, begin):
            if len(words) >= count and not (_belongs(words[-1], match[1])):
                break
            if match[1][0] != "#":
                self._word(match[1], match.start(1), words)
                starts += [match.start(1)] * (len(words) - len(starts))
        return (starts + [starts[-1]] * count)[:count]  # a label's colon may stand at its word

    def _place(self, at: int) -> Place:
        line = bisect_right(self._lines, at)
        return Place(self._name, line, at - self._lines[line - 1] + 1)

    def _broken(self, at: int, what: str, resolution: str = "mend the line") -> LintError:
        place = self._place(at)
        return broken(place, what, shown(self._text, at, place.column), resolution)


def _belongs(word: str, token: str) -> bool:
    """Whether dhcpd reads a token as part of the value that the word before it began."""
    return (word[-1] in ".:" or token[0] in ".:") and bool(_VALUE.match(token) and _VALUE.match(word))


def _is_definition(words: list[str]) -> bool:
    """Whether a brace belongs to an option's type: after ``=``, or ``array of``."""
    return bool(words) and (words[-1] == "=" or (words[-1].lower() == "of" and words[0].lower() == "option"))


def _ends_itself(words: list[str]) -> bool:
    """Labels of a switch end with their colon; and dhcpd wants no semicolon after ``no failover peer``."""
    first = words[0].lower().rstrip(":")
    if first in {"case", "default"} and words[-1][-1] == ":":
        if words[-1] != ":":
            words[-1:] = [words[-1][:-1], ":"]
        return True
    return first == "no" and tuple(map(str.lower, words)) == _NO_FAILOVER
