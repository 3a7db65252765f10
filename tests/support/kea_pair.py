"""Real pairs of kea-dhcp4 that run in a network namespace of their own; nothing of them is left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kea_tree import DAEMON, tree

_SETUP = """\
for place in /mnt /run/kea /var/lib/kea; do mkdir -p "$0$place"; mount --bind "$1" "$0$place"; done
ip link set lo up; shift
for address in $ADDRESSES; do ip address add $address/24 dev lo; done
for name in "$@"; do
  (chroot "$0" {daemon} -c /mnt/$name.json >"$0/mnt/$name.log" 2>&1; echo $? >"$0/mnt/$name.code") &
done
wait
"""
_PATHS = {
    "/run/kea/kea4-ctrl-socket": "/run/kea/{name}.socket",
    "/var/lib/kea/kea-leases4.csv": "/var/lib/kea/{name}.csv",
}
_LONGEST_ANSWER_S = 2.0


@dataclass(frozen=True)
class Pair:
    """Daemons by the names of their configurations, and what they say."""

    folder: Path
    _since: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._since

    def ended(self, name: str) -> bool:
        """The daemon has ended by itself, with an error."""
        code = self.folder / f"{name}.code"
        return code.exists() and code.read_text().strip() not in {"", "0"}

    def log(self, name: str) -> str:
        """All that it said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def ask(self, name: str, command: str, **arguments: Any) -> Any:
        """The answer to a command on its control socket; None: it gives none now."""
        there = os.open(self.folder, os.O_PATH)  # the path itself may be too long for a socket
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as line:
                line.settimeout(_LONGEST_ANSWER_S)
                line.connect(f"/proc/self/fd/{there}/{name}.socket")
                line.sendall(json.dumps({"command": command, "arguments": arguments}).encode())
                return json.loads(b"".join(iter(lambda: line.recv(65536), b"")))
        except (OSError, ValueError):
            return None
        finally:
            os.close(there)

    def state(self, name: str) -> str:
        """Its state in high availability; empty if it tells none."""
        answer = self.ask(name, "status-get") or {}
        for relation in answer.get("arguments", {}).get("high-availability", []):
            return str(relation["ha-servers"]["local"]["state"])
        return ""


@contextmanager
def running(suite: str, configurations: Mapping[str, str], folder: Path, addresses: str) -> Iterator[Pair]:
    """Start a daemon of each configuration, all in one namespace; end them in the end.

    Args:
        suite: Of Debian, whose Kea it is.
        configurations: By name. Paths of the socket and the leases are replaced by ones in the folder.
        folder: An empty one, which the daemons see as /mnt.
        addresses: That the namespace has, with blanks between.
    """
    root = tree(suite)
    folder.chmod(0o750)  # what Kea since 2.6.3 wants of the folder of its socket
    for name, text in configurations.items():
        for path, own in _PATHS.items():
            text = text.replace(path, own.format(name=name))  # noqa: PLW2901
        (folder / f"{name}.json").write_text(text)
    command = (
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "sh",
        "-c",
        _SETUP.format(daemon=DAEMON),
    )
    environment = {
        "PATH": os.environ["PATH"],
        "ADDRESSES": addresses,
        "KEA_PIDFILE_DIR": "/run/kea",
        "KEA_LOCKFILE_DIR": "none",
    }
    with ExitStack() as stack:
        shell = subprocess.Popen([*command, str(root), str(folder), *configurations], env=environment)
        stack.callback(shell.wait)
        stack.callback(shell.send_signal, signal.SIGKILL)
        yield Pair(folder)
