"""A command in a machine, its input and output over Incus's API: the way that the management SSH takes.

Incus gives each of a command's streams a WebSocket; httpx opens them, wsproto frames what goes through.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

import httpcore
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

from labbuilder.providers.incus.client import Api

SSH_SOCKET = "/run/lab/ssh.sock"
SSH_COMMAND = ("nc", "-N", "-U", SSH_SOCKET)
_CHUNK = 65536
_ENDED = (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError, OSError, LocalProtocolError)


class WebSocket:
    """One WebSocket, from after its handshake."""

    def __init__(self, api: Api, path: str, **query: str) -> None:
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": b64encode(secrets.token_bytes(16)).decode(),
        }
        with api.upgraded(path, headers, **query) as stream:
            self._stream: Any = stream
        self._frames = Connection(ConnectionType.CLIENT)
        self._ended = False

    def send(self, data: bytes) -> None:
        """Send one message."""
        self._tell(BytesMessage(data))

    def _tell(self, event: Event) -> None:
        try:
            self._stream.write(self._frames.send(event))
        except _ENDED as error:
            raise BrokenPipeError(str(error)) from error

    def receive(self, timeout_s: float | None) -> bytes:
        """What came, once something has; nothing when the other end has closed.

        Raises:
            TimeoutError: Nothing came.
        """
        found = self._events()
        while not found and not self._ended:
            try:
                data = self._stream.read(_CHUNK, timeout_s)
            except httpcore.ReadTimeout as error:
                raise TimeoutError("timed out") from error
            except _ENDED:
                data = b""
            self._frames.receive_data(data or None)
            found = self._events()
            self._ended = self._ended or not data
        return found

    def _events(self) -> bytes:
        found = b""
        for event in self._frames.events():
            if isinstance(event, BytesMessage):
                found += event.data
            elif isinstance(event, TextMessage):
                found += event.data.encode()
            elif isinstance(event, Ping):
                self._tell(event.response())
            elif isinstance(event, CloseConnection):
                self._ended = True
        return found

    def close(self) -> None:
        """Tell the other end, and hang up."""
        with suppress(*_ENDED):
            self._stream.write(self._frames.send(CloseConnection(1000)))
        self._stream.close()


class ExecStream:
    """A running command as if it were a connected socket: what Fabric and a relay need of one."""

    def __init__(self, api: Api, instance: str, command: Sequence[str]) -> None:
        body = {"command": list(command), "wait-for-websocket": True, "interactive": False}
        operation = api.begin("POST", f"/1.0/instances/{instance}/exec", body)
        assert operation is not None  # noqa: S101  a command is always one
        self._sockets: dict[str, WebSocket] = {}
        self._timeout_s: float | None = None
        self._api = api  # its connections end with it
        self._closed = False  # Paramiko looks at it
        self._rest = b""
        try:
            for name in ("control", "0", "1", "2"):  # the command starts when all are there
                self._sockets[name] = WebSocket(api, f"{operation.path}/websocket", secret=operation.about["fds"][name])
        except BaseException:
            self.close()
            raise

    def settimeout(self, seconds: float | None) -> None:
        """How long `recv` waits; None for ever."""
        self._timeout_s = seconds

    def send(self, data: bytes) -> int:
        """Hand over all of it."""
        self._sockets["0"].send(bytes(data))
        return len(data)

    def sendall(self, data: bytes) -> None:
        """Hand over all of it."""
        self.send(data)

    def recv(self, most: int) -> bytes:
        """What the command said: at least a byte, unless it has ended."""
        if not self._rest:
            self._rest = self._sockets["1"].receive(self._timeout_s)
        found, self._rest = self._rest[:most], self._rest[most:]
        return found

    def end_input(self) -> None:
        """The command's input is at its end."""
        self._sockets["0"].close()

    def close(self) -> None:
        """Hang up; the command's input ends with it."""
        self._closed = True
        for websocket in self._sockets.values():
            websocket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
