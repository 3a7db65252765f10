"""Management SSH: the only door into a machine, and the only module that imports Fabric."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labbuilder.errors import TransportError
from labbuilder.run import Result

if TYPE_CHECKING:
    import fabric
    import paramiko


@dataclass(frozen=True)
class Endpoint:
    """Where a machine's management SSH is, and what it must show.

    Attributes:
        machine: The machine's name; errors speak of it.
        host_key: Its public host key, "ssh-ed25519 AAAA...": known before the first connect.
        identity: The file with the lab's private key.
        unix_socket: Path of the UNIX socket on which its sshd listens; None for TCP.
        host: Address for TCP.
        port: TCP port.
        user: Who logs in.
    """

    machine: str
    host_key: str
    identity: Path
    unix_socket: Path | None = None
    host: str = "127.0.0.1"
    port: int = 22
    user: str = "root"


def connect_unix(path: Path, *, timeout_s: float = 10.0) -> socket.socket:
    """Connect to a UNIX socket however long its path is (the kernel's own limit is 108 bytes)."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout_s)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
        except OSError:
            connection.close()
            raise
        connection.settimeout(None)
        return connection
    finally:
        os.close(folder)
