"""A daemon's configuration as it stands in a machine: read with all that it may include, then parsed here."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labbuilder.lint import Config


def files_beside(conf: str) -> str:
    """Shell that prints the files of its folder, each line but the names indented; keys never leave their machine."""
    redacted = "s/\\(secret[[:space:]]*\\)[^;]*/\\1redacted/; s/^/ /"
    folder = PurePosixPath(conf).parent
    return f'find -L {folder} -type f | while read -r f; do echo "$f"; sed \'{redacted}\' "$f"; done'


def config_of(machine: str, conf: str, printed: str) -> Config:
    """A machine's configuration, from what `files_beside` printed."""
    from labbuilder.lint import Config  # noqa: PLC0415

    files: dict[str, str] = {}
    name = conf
    for line in printed.splitlines(keepends=True):
        if line.startswith("/"):
            name = line.rstrip("\n")
        files[name] = files.get(name, "") + ("" if line.startswith("/") else line[1:])
    return Config(
        f"{machine}:{conf}",
        files.get(conf, ""),
        include=lambda path: files[str(PurePosixPath("/", path))],  # systemd starts the daemons in /
        shown=lambda path: f"{machine}:{path}",
    )
