"""The real dhcpd of Debian 12, unpacked: never installed, never a service. It needs nothing but the C library."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock
from userland import cache

from labbuilder.host.run import run

_PACKAGE = "isc-dhcp-server"
_CHATTER = ("Internet Systems", "Copyright", "All rights", "For info", "Config file", "Database file", "PID file")


class Verdict(NamedTuple):
    """What ``dhcpd -t`` says of a configuration."""

    taken: bool
    said: str


def daemon() -> Path:
    """The program, unpacked unless it is there."""
    folder = cache() / "dhcpd"
    cache().mkdir(parents=True, exist_ok=True)
    with FileLock(cache() / ".dhcpd.lock"):
        if not folder.exists():
            part = folder.with_name(".dhcpd.part")
            part.mkdir(exist_ok=True)
            if not list(part.glob("*.deb")):
                run("sh", "-c", f"cd '{part}' && (apt-get download -q {_PACKAGE} || "
                    f"(apt-get update -qq && apt-get download -q {_PACKAGE}))", timeout_s=300.0)  # fmt: skip
            run("dpkg", "-x", str(next(part.glob("*.deb"))), str(part))
            part.rename(folder)
    return folder / "usr/sbin/dhcpd"


def verdict(text: str, scratch: Path) -> Verdict:
    """Ask dhcpd of a text, in a folder that is its own for the while."""
    file = scratch / "dhcpd.conf"
    file.write_text(text, encoding="utf-8")
    command = [str(daemon_path()), "-4", "-t", "-cf", str(file), "-lf", str(scratch / "none")]
    said = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    lines = [line for line in said.stderr.splitlines() if line and not line.startswith(_CHATTER)]
    return Verdict(said.returncode == 0, "\n".join(lines).replace(f"{file} ", ""))


def daemon_path() -> Path:
    """Where `daemon` has put it."""
    return cache() / "dhcpd/usr/sbin/dhcpd"
