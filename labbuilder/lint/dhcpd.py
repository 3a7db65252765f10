"""dhcpd.conf's grammar: text to a tree of statements with their places, and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer

from labbuilder.lint import syntax
from labbuilder.lint.source import MAX_DEPTH, Config, Place, Reader, printable

_WORDS = {
    "NAME": "a name or value",
    "STRING": "a name or value",
    "SEMICOLON": "';'",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "$END": "the end of the file",
}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[0-3][0-7]{2}|.)", re.DOTALL)
_VALUE = re.compile(r"[a-zA-Z0-9_.:-]+")
_LETTERS = {"t": "\t", "r": "\r", "n": "\n", "b": "\b"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its words as they are written, and what its braces hold, if it has any."""

    words: tuple[str, ...]
    block: tuple[Statement, ...] | None = None
    place: Place = field(default=Place(""), compare=False)

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


def parse(config: Config) -> tuple[Statement, ...]:
    """Parse a configuration with all that it includes.

    An include stands for the statements of its file, in the block in which it stands; as in dhcpd, these must be whole.

    Raises:
        LintError: It can't be read, or dhcpd would refuse its syntax.
    """
    reader = Reader(config)
    return tuple(_statements(_nodes(reader.text(), config.name), printable(config.name), reader, 0))


def printed(statements: Iterable[Statement], indent: str = "") -> str:
    """The statements as text that parses to the same tree."""
    lines = []
    for statement in statements:
        head = indent + " ".join(statement.words)
        if statement.block is None:
            lines.append(f"{head};\n")
        else:
            lines.append(f"{head} {{\n{printed(statement.block, indent + '  ')}{indent}}}\n")
    return "".join(lines)


def _nodes(text: str, name: str) -> list[_Node]:
    nodes: list[_Node] = syntax.parse(
        _parser(), text, lambda line, column: Place(printable(name), line, column), _WORDS
    )
    return nodes


def _statements(nodes: Sequence[_Node], file: str, reader: Reader, depth: int) -> Iterator[Statement]:
    """The statements of a file or block; what it includes comes right after the include."""
    after_key = False
    for node in nodes:
        place = Place(file, node.line, node.column)
        if depth > MAX_DEPTH:
            raise syntax.broken(place, f"blocks and includes are nested deeper than {MAX_DEPTH}")
        if not node.words:
            if not after_key:
                raise syntax.broken(place, "one ';' too many, which dhcpd refuses", resolution="take it out")
            after_key = False
            continue
        block = None if node.block is None else tuple(_statements(node.block, file, reader, depth + 1))
        yield (statement := Statement(node.words, block, place))
        after_key = block is not None and statement.starts("key")  # dhcpd takes one ';' there, and only there
        if block is None and statement.starts("include"):
            text, name = reader.open(_include_name(statement), place)
            yield from _statements(_nodes(text, name), name, reader, depth + 1)
            reader.close()


def _include_name(statement: Statement) -> str:
    if len(statement.words) != 2 or not statement.words[1].startswith('"'):  # noqa: PLR2004
        raise syntax.broken(statement.place, "an include wants one file name in quotes", printed([statement]))
    return unquoted(statement.words[1])


@cache
def _parser() -> Lark:
    return syntax.parser("dhcpd.lark", _Build())


@dataclass(frozen=True, slots=True)
class _Node:
    """A statement before its file is known; a semicolon too many has no words."""

    words: tuple[str, ...]
    block: tuple[_Node, ...] | None
    line: int
    column: int


class _Build(Transformer[Token, Any]):
    """Makes nodes while lark parses: no second tree of a file of megabytes."""

    def start(self, nodes: list[_Node]) -> list[_Node]:
        return nodes

    def simple(self, words: list[list[Token]]) -> _Node:
        first = words[0][0]
        return _Node(_joined(words), None, first.line or 0, first.column or 0)

    def block(self, children: list[Any]) -> _Node:
        nodes = tuple(child for child in children if isinstance(child, _Node))
        words = children[: len(children) - len(nodes)]
        return _Node(_joined(words), nodes, words[0][0].line, words[0][0].column)

    def extra(self, tokens: list[Token]) -> _Node:
        return _Node((), None, tokens[0].line or 0, tokens[0].column or 0)

    def plain(self, tokens: list[Token]) -> list[Token]:
        return tokens

    def record(self, children: list[Any]) -> list[Token]:
        opening, *words = children
        sign = opening.update(value="=" if opening[0] == "=" else "of")
        return [sign, opening.update(value="{"), *(t for word in words for t in word), opening.update(value="}")]


def _joined(words: Iterable[list[Token]]) -> tuple[str, ...]:
    """The words, with what dhcpd reads as one value joined: ``10 . 0.0.1``."""
    joined: list[str] = []
    for token in (token for word in words for token in word):
        name = token.type == "NAME"
        if name and joined and _VALUE.fullmatch(joined[-1]) and (joined[-1][-1] in ".:" or token[0] in ".:"):
            joined[-1] += token
        else:
            joined.append(str(token))
    return tuple(joined)
