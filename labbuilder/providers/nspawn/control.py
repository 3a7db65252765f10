"""The socket between a command and the lab's supervisor: one JSON line each way.

The supervisor listens in the lab's folder. It alone changes what runs; whoever may open the folder (root) may ask.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
from pathlib import Path
from typing import Any

from labbuilder.errors import HostError, MachineError
from labbuilder.ssh.endpoint import connect_unix

SOCKET_NAME = "control.sock"
LISTEN_AGAIN = signal.SIGUSR1


class SupervisorGoneError(Exception):
    """No supervisor answers: the lab is down, or its process was killed."""


def ask(path: Path, request: dict[str, Any], *, timeout_s: float = 10.0) -> dict[str, Any]:
    """Send one request and return the answer.

    Raises:
        SupervisorGoneError: Nobody listens at that socket.
        HostError: It can't be asked: no permission.
        MachineError: The supervisor answered that it failed, or not in time.
    """
    pid = None
    try:
        with connect_unix(path, timeout_s=timeout_s) as connection:
            pid = _peer(connection)
            _let_go_on(pid)
            connection.settimeout(timeout_s)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as lines:
                line = lines.readline()
    except PermissionError as error:
        raise HostError(brief=f"{path}: {error.strerror}", resolution="become root, who made this lab") from error
    except TimeoutError as error:
        raise MachineError(
            brief=f"the lab's supervisor did not answer within {timeout_s:g} s",
            details=f"Process {pid}: {_status(pid).get('State', 'gone')}" if pid else f"{path} accepts no connection",
            resolution=f"labbuilder down --lab {path.parent.name} removes the lab all the same; labbuilder up makes it",
        ) from error
    except OSError as error:
        raise SupervisorGoneError(str(path)) from error
    if not line:
        raise SupervisorGoneError(str(path))
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise MachineError(brief=str(answer["error"]), details=answer.get("details"))
    return answer


def supervisor_pid(path: Path) -> int | None:
    """The host's process number of the supervisor, as the kernel tells it; None when it is gone."""
    try:
        with connect_unix(path, timeout_s=2.0) as connection:
            return _peer(connection)
    except OSError:
        return None


def _peer(connection: socket.socket) -> int | None:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", credentials)[0]
    return pid or None


def _let_go_on(pid: int | None) -> None:
    """Continue a supervisor that somebody has stopped; a debugger's is left to it."""
    if pid is not None and _status(pid).get("State", "").startswith("T"):
        os.kill(pid, signal.SIGCONT)


def _status(pid: int) -> dict[str, str]:
    """What the kernel tells of a process, by its own words; nothing when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
