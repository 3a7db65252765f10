"""A daemon's configuration as it stands in a machine: read with all that it may include, then parsed here."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from labbuilder.errors import LintError
from labbuilder.host.run import Result
from labbuilder.model.check import Judge, Judgement

if TYPE_CHECKING:
    from labbuilder.lint import Config
    from labbuilder.lint.model import Peer


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


def means(wanted: str, tell: Callable[[Result], str]) -> Judge:
    """What the files mean, however they are written.

    Args:
        wanted: What they should.
        tell: Says it, of what `files_beside` printed; LintError is told too.
    """

    def judge(files: Result) -> Judgement:
        try:
            told = tell(files)
        except LintError as error:
            told = "\n".join(filter(None, (error.brief, error.details)))
        return Judgement(told == wanted, wanted, told)

    return judge


def pools(server: Peer) -> str:
    """All that a server leases; ranges that follow each other are one."""
    from labbuilder.lint.space import merged  # noqa: PLC0415  who verifies no server needs no parser

    ranges = merged([entry for pool in server.pools for entry in pool.ranges])
    return " ".join(f"{IPv4Address(first)}-{IPv4Address(last)}" for first, last in ranges)
