"""Texts of configurations and what they include: read from files or given, decoded, counted."""

from __future__ import annotations

import os
import re
import select
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR, S_ISFIFO, S_ISREG
from typing import BinaryIO, Self

from labbuilder.errors import LintError

MAX_BYTES = 16 * 1024 * 1024
"""All that is read for one peer, includes among it: 50,000 host declarations take 6 MB."""
MAX_DEPTH = 64
"""How deep includes, and blocks, may be nested."""
MAX_INCLUDES = 1000
"""Two files that include the next one twice, and so on, are few bytes and for ever."""

_CHUNK = 1 << 20
_NOBODY_MS, _SILENT_MS = 1000, 60_000  # ssh may ask for a password before it writes
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
    """A file's content, or what a pipe gives.

    A device is not even opened: that may do something. Nor does a FIFO hold us up that nobody writes into.

    Raises:
        OSError: It can't be read, or is neither.
    """
    if not _readable(Path(path).stat().st_mode, regular=regular):
        raise OSError(0, "it is no regular file" if regular else "it is neither a file nor a pipe")
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as file:
        found = os.fstat(file.fileno())
        if found.st_size > MAX_BYTES:
            return bytes(MAX_BYTES + 1)  # too long, whatever is in it
        return _pipe(file.fileno()) if S_ISFIFO(found.st_mode) else _whole(file)


def _readable(mode: int, *, regular: bool) -> bool:
    return S_ISREG(mode) or S_ISDIR(mode) or (S_ISFIFO(mode) and not regular)  # a folder's own error says what it is


def _whole(file: BinaryIO) -> bytes:
    parts, size = [], 0
    while size <= MAX_BYTES and (part := file.read(_CHUNK)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _pipe(fd: int) -> bytes:
    """All that is written into a pipe; what writes may take its time, but must be there."""
    wait = select.poll()
    wait.register(fd, select.POLLIN)
    found = bytearray()
    while len(found) <= MAX_BYTES:
        try:
            part = os.read(fd, _CHUNK)
        except BlockingIOError:
            if not wait.poll(_SILENT_MS):
                raise OSError(0, f"nothing was written into it for {_SILENT_MS // 1000} s") from None
            continue
        found += part
        if part:
            continue
        if found:
            break
        events = wait.poll(_NOBODY_MS)  # who wrote nothing and left is an event, who never came is none
        if not events:
            raise OSError(0, "nobody writes into it")
        if not events[0][1] & select.POLLIN:
            break
    return bytes(found)


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
    may_show: Callable[[str], bool] = field(default=lambda _: True, compare=False)
    """Whether an error may show a line of a file that findings call so: ``/etc/shadow`` can be included too."""

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
            may_show=lambda name: _belongs(name, path),
        )


def machine_root(path: Path) -> Path:
    """The folder that is ``/`` of the machine whose configuration this is."""
    parts = path.absolute().parts
    last = max((i for i, part in enumerate(parts[:-1]) if part == "etc"), default=1)
    return Path(*parts[:last])


def _below(root: Path, name: str) -> str:
    return str(root) + name if name.startswith("/") and root != Path("/") else name


def _belongs(name: str, named: Path) -> bool:
    """Whether a file lies below the folder of the one that was named, links followed; a pipe is who named it's own."""
    found, folder = os.path.realpath(name), os.path.realpath(named.parent)
    if name == printable(str(named)) and not Path(found).is_file():
        return True
    return folder != "/" and found.startswith(f"{folder}/")


def _unreadable(name: str, error: Exception, place: Place | None = None) -> LintError:
    said = getattr(error, "strerror", None) or ("there is none" if isinstance(error, KeyError) else str(error))
    return LintError(
        brief=f"{f'{place}: ' if place else ''}{name} can't be read: {said}",
        resolution="give the include's file to the lint as well: an absolute path is looked for below the folder that "
        "holds the machine's etc, a relative one in the folder in which the lint runs, as the daemons do"
        if place
        else "name a dhcpd.conf or a configuration of kea-dhcp4: of both peers, or of one server",
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
        text = content if isinstance(content, str) else _text_of(content, name)
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


def _text_of(content: bytes, name: str) -> str:
    """Decode as the daemons do, which take bytes: Windows-1252 or Latin-1 in a comment is no mistake."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise LintError(
            brief=f"{name}: it is UTF-16, which no daemon reads",
            resolution=f"save it as UTF-8: iconv -f UTF-16 -t UTF-8 {name}",
            file=name,
        )
    for encoding in ("utf-8", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")
