"""The way to a machine's SSH through Incus: for Fabric as a connection, for OpenSSH as its ProxyCommand.

python -m labbuilder.providers.incus.relay HOME REMOTE PROJECT INSTANCE
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from labbuilder.host.store import Home
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.remotes import find_remote
from labbuilder.providers.incus.streams import SSH_COMMAND, ExecStream

_CHUNK = 65536


@dataclass(frozen=True)
class Relay:
    """The way to one machine.

    Attributes:
        home: Where the remotes are kept.
        instance: The machine's name in Incus.
    """

    home: Path
    remote: str
    project: str
    instance: str
    api: Api = field(compare=False, repr=False)

    def connect(self, timeout_s: float) -> ExecStream:
        """A connection to the machine's SSH."""
        stream = ExecStream(self.api, self.instance, SSH_COMMAND)
        stream.settimeout(timeout_s)
        return stream

    @property
    def proxy_command(self) -> tuple[str, ...]:
        """The program that OpenSSH speaks through."""
        where = (str(self.home), self.remote, self.project, self.instance)
        return (sys.executable, "-m", "labbuilder.providers.incus.relay", *where)


def main(home: str, remote: str, project: str, instance: str) -> None:
    """Copy standard input and output until the machine hangs up."""
    with ExecStream(Api(find_remote(Home(Path(home)), remote), project), instance, SSH_COMMAND) as stream:

        def feed() -> None:
            while data := os.read(0, _CHUNK):
                stream.sendall(data)
            stream.end_input()

        threading.Thread(target=feed, daemon=True).start()
        while data := stream.recv(_CHUNK):
            os.write(1, data)


if __name__ == "__main__":
    main(*sys.argv[1:])
