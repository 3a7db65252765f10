"""Changes to the text of a configuration: statements are taken out, put in and changed; comments stay."""

from __future__ import annotations

import re
from dataclasses import dataclass

from labbuilder.lint.source import Place

_PIECE = re.compile(r'#[^\n]*|"(?:[^"\\]|\\.)*"|[;{}]', re.DOTALL)


@dataclass(frozen=True)
class Edit:
    """What stands from `start` to `end` of a text becomes `new`."""

    start: int
    end: int
    new: str

    def of(self, text: str) -> str:
        """The text with this change."""
        return text[: self.start] + self.new + text[self.end :]


def offset(text: str, place: Place) -> int:
    """Where a place is in its text."""
    at = 0
    for _ in range(place.line - 1):
        at = text.index("\n", at) + 1
    return at + place.column - 1


def end_of_statement(text: str, start: int) -> int | None:
    """The offset after the semicolon that ends the statement at `start`; None: a block begins before one."""
    for piece in _PIECE.finditer(text, start):
        if piece[0] == ";":
            return piece.end()
        if piece[0] in "{}":
            return None
    return None


def body_of_block(text: str, start: int) -> tuple[int, int] | None:
    """From after the opening brace of the block at `start` to its closing one."""
    depth, begin = 0, 0
    for piece in _PIECE.finditer(text, start):
        if piece[0] == "{":
            begin = begin or piece.end()
            depth += 1
        elif piece[0] == "}":
            depth -= 1
            if depth <= 0:
                return (begin, piece.start()) if begin else None
    return None


def removal(text: str, start: int) -> Edit | None:
    """Take the statement at `start` out; its line goes too, unless something else stands on it."""
    end = end_of_statement(text, start)
    if end is None:
        return None
    line = text.rfind("\n", 0, start) + 1
    after = text.find("\n", end)
    after = len(text) if after < 0 else after
    if text[line:start].strip() == "" and text[end:after].strip() == "":
        return Edit(line, min(after + 1, len(text)), "")
    rest = text[end:after]
    if not rest.strip():  # the last on its line
        return Edit(line + len(text[line:start].rstrip()), end, "")
    return Edit(start, end + len(rest) - len(rest.lstrip(" \t")), "")


def addition(text: str, block: int, statement: str) -> Edit | None:
    """Put a statement at the end of the block at `block`, indented as the others are."""
    body = body_of_block(text, block)
    if body is None:
        return None
    begin, end = body
    inside = text[begin:end]
    if "\n" not in inside:
        return Edit(begin + len(inside.rstrip()), end, f" {statement} ")
    newline = "\r\n" if "\r\n" in inside else "\n"
    indent = re.search(r"\n([ \t]*)[^\s}]", inside)
    line = f"{indent[1] if indent else '  '}{statement}{newline}"
    at = text.rfind("\n", 0, end) + 1
    if text[at:end].strip():  # the brace stands after something on its line
        return Edit(end, end, f"{newline}{line}")
    return Edit(at, at, line)


def replacement(text: str, start: int, old: str, new: str) -> Edit | None:
    """In the statement at `start`, put one word in the place of another."""
    end = end_of_statement(text, start)
    if end is None:
        return None
    found = list(re.finditer(rf"(?<![\w.\"-]){re.escape(old)}(?![\w.-])", text[start:end]))
    return Edit(start + found[-1].start(), start + found[-1].end(), new) if found else None
