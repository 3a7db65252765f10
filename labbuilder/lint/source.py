"""Texts of configurations and what they include: read from files or given, decoded, counted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Self

from labbuilder.errors import LintError

MAX_BYTES = 16 * 1024 * 1024
"""All that is read for one peer, includes among it: 50,000 host declarations take 6 MB."""
MAX_DEPTH = 64
"""How deep includes, and blocks, may be nested."""
MAX_INCLUDES = 1000
"""Two files that include the next one twice, and so on, are few bytes and for ever."""

_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands; lines and columns count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def printable(text: str) -> str:
    """The text with what would steer a terminal replaced; a hostile file is shown too."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _read_file(path: str, *, regular: bool) -> bytes:
    # O_NONBLOCK: an include of a FIFO that nobody writes must not hang.
    with open(os.open(path, os.O_RDONLY | (os.O_NONBLOCK if regular else 0)), "rb") as file:
        if regular and not S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is no regular file")
        return file.read(MAX_BYTES + 1)


@dataclass(frozen=True)
class Config:
    """One peer's configuration: its text, what findings call it, and how its includes are read."""

    name: str
    """What a finding shows before the line: a path, or such as ``server1:/etc/dhcp/dhcpd.conf``."""
    text: str | bytes
    include: Callable[[str], str | bytes] = field(default=lambda path: _read_file(path, regular=True), compare=False)
    """Gives the text of an included file by the path that stands in the include; OSError or KeyError: there is none."""
    shown: Callable[[str], str] = field(default=str, compare=False)
    """What findings call an included file: both peers may include ``/etc/dhcp/hosts.conf``."""

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a file.

        A file below ``DIR/etc`` is taken for one of a machine whose root is DIR: what it includes by an absolute path
        is looked for below DIR. So what `labbuilder render` writes, or a copy of a server's tree, can be linted.

        Raises:
            LintError: It can't be read.
        """
        try:
            text = _read_file(str(path), regular=False)
        except (OSError, ValueError) as error:
            raise _unreadable(str(path), error) from error
        root = machine_root(path)
        return cls(
            str(path),
            text,
            include=lambda name: _read_file(_below(root, name), regular=True),
            shown=lambda name: _below(root, name),
        )


def machine_root(path: Path) -> Path:
    """The folder that is ``/`` of the machine whose configuration this is."""
    parts = path.absolute().parts
    last = max((i for i, part in enumerate(parts[:-1]) if part == "etc"), default=1)
    return Path(*parts[:last])


def _below(root: Path, name: str) -> str:
    return str(root) + name if name.startswith("/") and root != Path("/") else name


def _unreadable(name: str, error: Exception, place: Place | None = None) -> LintError:
    said = getattr(error, "strerror", None) or ("there is none" if isinstance(error, KeyError) else str(error))
    return LintError(
        brief=f"{f'{place}: ' if place else ''}{name} can't be read: {said}",
        resolution="give the include's file to the lint as well: an absolute path is looked for below the folder that "
        "holds the machine's etc, a relative one in the folder in which the lint runs, as the daemons do"
        if place
        else "name two files: dhcpd.conf or Kea's configuration of each peer",
        file=place.file if place else name,
        line=place.line if place else 1,
        column=place.column if place else 1,
    )


@dataclass
class Reader:
    """Decodes a configuration and its includes, and refuses loops and floods."""

    config: Config
    _bytes: int = 0
    _open: list[str] = field(default_factory=list)
    _included: int = 0

    def text(self) -> str:
        """The configuration itself.

        Raises:
            LintError: It is no text, or too long.
        """
        return self._decoded(self.config.text, printable(self.config.name))

    def open(self, name: str, place: Place) -> tuple[str, str]:
        """The text of an included file, which is being read until `close`, and what findings call it.

        Raises:
            LintError: It can't be read, is no text, is too long, or includes itself.
        """
        if name in self._open or len(self._open) >= MAX_DEPTH:
            raise LintError(
                brief=f"{place}: includes go round: {printable(' -> '.join([*self._open[-3:], name]))}",
                resolution="take the include out of one of these files",
                file=place.file,
                line=place.line,
                column=place.column,
            )
        self._included += 1
        if self._included > MAX_INCLUDES:
            raise LintError(
                brief=f"{place}: too many includes: more than {MAX_INCLUDES}",
                resolution="put the files into fewer",
                file=place.file,
                line=place.line,
                column=place.column,
            )
        self._open.append(name)
        try:
            content = self.config.include(name)
        except (OSError, KeyError, ValueError) as error:
            raise _unreadable(repr(name), error, place) from error
        shown = printable(self.config.shown(name))
        return self._decoded(content, shown), shown

    def close(self) -> None:
        """The file that was opened last has been read."""
        self._open.pop()

    def _decoded(self, content: str | bytes, name: str) -> str:
        self._bytes += len(content)
        if self._bytes > MAX_BYTES:
            raise LintError(
                brief=f"{name} is too long: with its includes more than {MAX_BYTES // 1024 // 1024} MB",
                resolution="leave out what both peers share, such as host declarations",
                file=name,
            )
        text = content if isinstance(content, str) else _text_of(content)
        if text.startswith("\ufeff"):
            raise LintError(
                brief=f"{name}:1: it begins with a byte order mark (U+FEFF), which its daemon refuses",
                resolution=f"save it without one, or: sed -i '1s/^\\xef\\xbb\\xbf//' {name}",
                file=name,
            )
        if strange := _NO_TEXT.search(text):
            line = text.count("\n", 0, strange.start()) + 1
            raise LintError(
                brief=f"{name}:{line}: it is no text: it holds the byte 0x{ord(strange.group()):02x}",
                resolution="name a configuration in plain text",
                file=name,
                line=line,
            )
        return text


def _text_of(content: bytes) -> str:
    """Decode as the daemons do, which take bytes: Latin-1 in a comment is no mistake."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")
