"""Files of a running host, read by the system's ssh: one connection, nothing is written there."""

from __future__ import annotations

import base64
import os
import secrets
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from labbuilder.errors import TransportError
from labbuilder.host.run import Conversation, conversing

_SILENT_S = 60.0
_KEPT = ("SSH_AUTH_SOCK", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY", "WAYLAND_DISPLAY", "USER", "LOGNAME")
# One line without a quote in it: it must pass as one word through whatever shell the user there has.
_READER = (
    'b=base64; command -v base64 >/dev/null 2>&1 || b="openssl base64"; echo {mark}; '
    "while IFS= read -r f; do "
    'if test -f "$f" && e=$(head -c 1 "$f" 2>&1 >/dev/null); then echo +; head -c {most} "$f" | $b; '
    'elif test -e "$f"; then echo "-$e"; else echo "-No such file or directory"; fi; e=; echo {mark}; done'
)


class HostFiles:
    """Reads files of a host until `reading` ends."""

    def __init__(self, host: str, talk: Conversation, mark: str) -> None:
        self.host = host
        self._talk = talk
        self._mark = mark

    def greet(self) -> None:
        """Wait until files can be read; what a login prints before is no answer.

        Raises:
            TransportError: There is no way in.
        """
        self._answer()

    def read(self, path: str) -> bytes:
        """A regular file's content.

        Raises:
            OSError: It can't be read there.
            TransportError: The connection broke.
        """
        if "\n" in path or "\0" in path:
            raise OSError(0, "no path has a line break in it")
        self._talk.say(f"{path}\n")
        first, *rest = self._answer() or ["-"]
        if first != "+":
            raise OSError(0, first[1:].rpartition(": ")[2] or "it is no regular file")
        return base64.b64decode("".join(rest))

    def _answer(self) -> list[str]:
        lines: list[str] = []
        for line in self._talk.lines(_SILENT_S):
            if line == self._mark:
                return lines
            lines.append(line)
        raise TransportError(
            brief=f"{self.host} can't be read by ssh",
            details=self._talk.complaint() or None,
            resolution=f"ssh {self.host} must work without labbuilder; where a password is asked for, use a key",
        )


@contextmanager
def reading(host: str, *, most_bytes: int) -> Iterator[HostFiles]:
    """Read files of a host while the block runs.

    Args:
        host: As ssh takes it: a name or address, or ``user@host``; of ~/.ssh/config too.
        most_bytes: No more is read of one file.

    Raises:
        TransportError: There is no way in.
    """
    mark = f"labbuilder-{secrets.token_hex(8)}"
    reader = f"exec sh -c {shlex.quote(_READER.format(mark=mark, most=most_bytes))}"
    options = ("-T", "-a", "-x", "-o", "ConnectTimeout=10", "-o", "ClearAllForwardings=yes")
    env = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with conversing(["ssh", *options, "--", host, reader], env=env) as talk:
        files = HostFiles(host, talk, mark)
        files.greet()
        yield files
