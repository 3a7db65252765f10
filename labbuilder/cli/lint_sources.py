"""Where the configurations come from that `labbuilder lint` looks at: files here, and files of running hosts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from labbuilder.cli.lint_options import host_and_path
from labbuilder.errors import HostError, LintError, TransportError
from labbuilder.lint import Config
from labbuilder.lint.source import MAX_BYTES

_USUAL = (
    "/etc/dhcp/dhcpd.conf",
    "/etc/kea/kea-dhcp4.conf",
    "/usr/local/etc/dhcpd.conf",
    "/usr/local/etc/kea/kea-dhcp4.conf",
)
_FAILOVER = re.compile(rb'^(?!\s*(?:#|//)).*(?:\bfailover\s+peer\b|"high-availability")', re.MULTILINE)
_NONE = "No such file or directory"


@contextmanager
def opened(names: Sequence[str]) -> Iterator[tuple[Config, ...]]:
    """The configurations; what they include is read as long as the block runs.

    Raises:
        LintError: One can't be read.
    """
    with ExitStack() as stack:
        yield tuple(_opened(name, stack) for name in names)


def _opened(name: str, stack: ExitStack) -> Config:
    remote = host_and_path(name)
    if remote is None:
        return Config.from_file(Path(name))
    try:
        return _of_host(*remote, stack)
    except (TransportError, HostError) as error:
        raise LintError(error.brief, error.details, error.resolution, file=name) from error


def _of_host(host: str, path: str, stack: ExitStack) -> Config:
    from labbuilder.ssh.hosts import reading  # noqa: PLC0415  files here need no ssh

    files = stack.enter_context(reading(host, most_bytes=MAX_BYTES + 1))

    def read(name: str) -> bytes:
        return files.read(name if name.startswith("/") else f"/{name}")  # as a daemon does that systemd started

    there, text = _configuration(host, path, read)
    folder = there.rpartition("/")[0]
    return Config(
        f"{host}:{there}",
        text,
        include=read,
        shown=lambda name: f"{host}:{name}",
        may_show=lambda shown: shown.startswith(f"{host}:{folder}/"),
    )


def _configuration(host: str, path: str, read: Callable[[str], bytes]) -> tuple[str, bytes]:
    """The one that is named, or is there, or alone speaks of failover: Debian's packages bring a file each."""
    found: dict[str, bytes] = {}
    said = f"There is none of {', '.join(_USUAL)}."
    for candidate in [path] if path else _USUAL:
        try:
            found[candidate] = read(candidate)
        except OSError as error:
            said = f"{candidate} can't be read: {error.strerror}" if path or error.strerror != _NONE else said
    meant = {name: text for name, text in found.items() if len(found) == 1 or _FAILOVER.search(text)}
    if len(meant) == 1:
        return next(iter(meant.items()))
    raise LintError(
        brief=f"{host}: which configuration?" if found else f"{host}: no configuration can be read",
        details=f"There are {' and '.join(found)}." if found else said,
        resolution=f"name it, as scp does: {host}:{next(iter(found), '/etc/dhcp/dhcpd.conf')}",
        file=f"{host}:{path}",
    )
