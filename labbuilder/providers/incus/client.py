"""Incus's REST API by httpx: the same over its UNIX socket and over HTTPS, where its certificate is pinned."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import httpx

from labbuilder.errors import HostError, LabError
from labbuilder.host.progress import logger
from labbuilder.providers.incus.remotes import Remote
from labbuilder.providers.incus.words import refusal

_CONNECT_S = 10.0
_ANSWER_S = 60.0  # Incus waits for its members before it answers some questions
_ROUND_S, _ROUNDS = 30, 20  # so long one question about an operation may stay open, and so many are asked
_FORBIDDEN = 403
_NOT_FOUND = 404
_UPGRADED = 101


@dataclass(frozen=True)
class Operation:
    """A change that is under way.

    Attributes:
        path: Where it is asked about.
        about: What Incus tells of it only to who began it.
    """

    path: str
    about: dict[str, Any]


class Api:
    """Questions and changes in one project of one server.

    Attributes:
        project: What is asked about, unless a question names another.
    """

    def __init__(self, remote: Remote, project: str = "default") -> None:
        self.remote = remote
        self.project = project
        if remote.socket is not None and not remote.socket.exists():
            raise _unreachable(remote, FileNotFoundError(str(remote.socket)))
        transport = (
            httpx.HTTPTransport(uds=str(remote.socket), limits=_LIMITS)
            if remote.socket
            else httpx.HTTPTransport(verify=remote.tls(), trust_env=False, limits=_LIMITS)
        )
        self._client = httpx.Client(transport=transport, base_url=remote.url, timeout=_WAITS, trust_env=False)
        weakref.finalize(self, self._client.close)  # nobody else knows when the last question was asked

    def get(self, path: str, **query: str) -> Any:
        """What Incus knows of something.

        Raises:
            HostError: It can't be reached, or does not permit it.
            MachineError: There is no such thing.
        """
        return self._metadata(self._ask("GET", path, query), f"GET {path}")

    def find(self, path: str, **query: str) -> Any | None:
        """What Incus knows of something that may not be there."""
        answer = self._ask("GET", path, query)
        return None if answer.status_code == _NOT_FOUND else self._metadata(answer, f"GET {path}")

    def begin(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str) -> Operation | None:
        """Ask for a change; the operation that carries it out, None when it was done at once."""
        answer = self._ask(method, path, query, json=body)
        about = self._metadata(answer, f"{method} {path}")
        started: str = answer.json().get("operation")
        return Operation(started, about["metadata"] or {}) if started else None

    def change(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str) -> dict[str, Any]:
        """Ask for a change and wait until it is carried out; what came of it."""
        operation = self.begin(method, path, body, **query)
        return self.wait(operation.path, f"{method} {path}") if operation else {}

    def remove(self, path: str, **query: str) -> None:
        """Delete something; what is gone already is success."""
        answer = self._ask("DELETE", path, query)
        if answer.status_code != _NOT_FOUND:
            self._metadata(answer, f"DELETE {path}")
            operation = answer.json().get("operation")
            if operation:
                self.wait(operation, f"DELETE {path}")

    def wait(self, operation: str, asked: str) -> dict[str, Any]:
        """Wait until an operation has ended; its own metadata.

        Raises:
            MachineError, HostError: It failed.
        """
        for _ in range(_ROUNDS):
            found = self.get(f"{operation}/wait", timeout=str(_ROUND_S))
            if found["status_code"] >= 400:  # noqa: PLR2004  as in HTTP
                raise refusal(found["err"] or found["status"], found["status_code"], asked)
            if found["status_code"] >= 200:  # noqa: PLR2004  ended
                return dict(found["metadata"] or {})
        raise refusal(f"it did not end within {_ROUNDS * _ROUND_S} s", 408, asked)

    def upload_image(self, metadata: bytes, root: BinaryIO, name: str) -> None:
        """Upload an image in two parts, under an alias."""
        files = {"metadata": ("metadata.tar", metadata), "rootfs": ("rootfs.tar.gz", root)}
        asked = f"POST /1.0/images ({name})"
        empty = self._ask("POST", "/1.0/images/aliases", {}, json={})
        if empty.status_code == _FORBIDDEN:  # asked before: Incus would leave a refused upload hanging
            self._metadata(empty, asked)
        answer = self._ask("POST", "/1.0/images", {}, files=files, timeout=httpx.Timeout(1800.0, write=_ANSWER_S))
        self._metadata(answer, asked)
        fingerprint = self.wait(answer.json()["operation"], asked)["fingerprint"]
        self.change("POST", "/1.0/images/aliases", {"name": name, "target": fingerprint})

    def download(self, path: str) -> bytes:
        """A file as it is; nothing where there is none."""
        answer = self._ask("GET", path, {})
        return b"" if answer.is_error else answer.content

    @contextmanager
    def upgraded(self, path: str, headers: Mapping[str, str], **query: str) -> Iterator[Any]:
        """The bare connection behind a question that leaves HTTP; the caller closes it."""
        request = self._client.build_request("GET", path, params=query, headers=headers)
        answer = self._client.send(request, stream=True)
        if answer.status_code != _UPGRADED:
            answer.close()
            raise refusal("it did not open the stream", answer.status_code, f"GET {path}")
        yield answer.extensions["network_stream"]

    def _ask(self, method: str, path: str, query: Mapping[str, str], **more: Any) -> httpx.Response:
        logger.debug("+ incus %s %s %s", method, path, dict(query))
        try:
            return self._client.request(method, path, params={"project": self.project, **query}, **more)
        except httpx.HTTPError as error:
            raise _unreachable(self.remote, error) from error

    def _metadata(self, answer: httpx.Response, asked: str) -> Any:
        try:
            said = answer.json()
        except json.JSONDecodeError:
            said = {"error": answer.text}
        if answer.is_error:
            raise refusal(str(said.get("error", "")), answer.status_code, asked)
        return said.get("metadata")


_WAITS = httpx.Timeout(_ANSWER_S, connect=_CONNECT_S)
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)


def _unreachable(remote: Remote, error: Exception) -> LabError:
    local = remote.socket is not None
    return HostError(
        brief=f"Incus can't be reached at {remote.shown}",
        details=f"{type(error).__name__}: {error}",
        resolution="is incus installed and running, and may this user open the socket (group incus-admin)?"
        if local
        else "is the address right, and is its port 8443 open? labbuilder remote list shows the servers you added",
    )
