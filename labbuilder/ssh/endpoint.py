"""Where a machine's SSH is, who logs in there, and by what it is known."""

from __future__ import annotations

import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from labbuilder.errors import LabError

ACCOUNT = "labbuilder"  # with root's rights and a shell of its own: provision/image/account.sh makes it
_SSH_PORT = 22


class Relay(Protocol):
    """A way to a machine's SSH that is no socket of this host."""

    def connect(self, timeout_s: float) -> Any:
        """Something that behaves as a connected socket."""

    @property
    def proxy_command(self) -> tuple[str, ...]:
        """The program that OpenSSH speaks through."""


@dataclass(frozen=True)
class Endpoint:
    """Where a machine's SSH is, who logs in, and what it must show.

    Attributes:
        machine: The machine's name; errors speak of it.
        host_key: Its public host key, "ssh-ed25519 AAAA...", known before the first connect; None: see ``known_hosts``.
        identity: The file with the private key that opens it; None: the SSH agent has one.
        unix_socket: Path of the UNIX socket on which its sshd listens; None for TCP.
        host: Address for TCP.
        port: TCP port.
        user: Who logs in; by default the account that labbuilder makes for itself.
        relay: Another way than a socket of this host.
        known_hosts: A known_hosts file (sshd(8)), for a machine whose key is not given; None: the user's own.
        sudo: What is run becomes root by ``sudo -n``: the user is not root.
    """

    machine: str
    host_key: str | None = None
    identity: Path | None = None
    unix_socket: Path | None = None
    host: str = "127.0.0.1"
    port: int = _SSH_PORT
    user: str = ACCOUNT
    relay: Relay | None = None
    known_hosts: Path | None = None
    sudo: bool = False

    def stream(self, *, timeout_s: float) -> Any | None:
        """The connection, where it is no plain TCP: something that behaves as a connected socket."""
        if self.relay is not None:
            return self.relay.connect(timeout_s)
        return None if self.unix_socket is None else connect_unix(self.unix_socket, timeout_s=timeout_s)

    @property
    def known_as(self) -> str:
        """The name under which known_hosts has its key."""
        if self.relay is not None or self.unix_socket is not None:
            return self.machine
        return self.host if self.port == _SSH_PORT else f"[{self.host}]:{self.port}"

    @property
    def advice(self) -> str:
        """What to do when it can't be reached."""
        if self.user == ACCOUNT:
            return f"labbuilder status shows whether it runs; labbuilder console {self.machine} shows its boot"
        return f"ssh -p {self.port} {self.user}@{self.host} true shows why"


def connect_unix(path: Path, *, timeout_s: float = 10.0) -> socket.socket:
    """Connect to a UNIX socket however long its path is (the kernel's own limit is 108 bytes).

    A machine can write where its socket is, and might put there a link to one of this host's: it is not followed.

    Raises:
        OSError: There is none, or nobody listens.
    """
    there = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        if not stat.S_ISSOCK(os.fstat(there).st_mode):
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK), str(path))
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout_s)
        try:
            connection.connect(f"/proc/self/fd/{there}")
        except OSError:
            connection.close()
            raise
        connection.settimeout(None)
        return connection
    finally:
        os.close(there)


def banner_ready(endpoint: Endpoint, *, within_s: float = 5.0) -> bool:
    """Say whether the machine's SSH sends its banner; a connection alone proves nothing."""
    try:
        connection = endpoint.stream(timeout_s=within_s)
        if connection is None:
            connection = socket.create_connection((endpoint.host, endpoint.port), timeout=within_s)
        with connection:
            connection.settimeout(within_s)
            return bool(connection.recv(4) == b"SSH-")
    except (OSError, LabError):
        return False
