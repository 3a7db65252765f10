"""A TCP port of this host that leads into another network namespace; it closes with its standard input.

python tests/support/netns_relay.py PID HOST PORT    the namespace is that process's; prints the port
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CLONE_NEWNET = 0x4000_0000


@contextmanager
def relayed(pid: int, host: str, port: int) -> Iterator[str]:
    """The address on this host, HOST:PORT, while the block runs."""
    words = [sys.executable, __file__, str(pid), host, str(port)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as relay:
        assert relay.stdout is not None
        assert relay.stdin is not None
        yield f"127.0.0.1:{relay.stdout.readline().strip()}"
        relay.stdin.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # one end is gone: the other must not wait for it
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def main(pid: str, host: str, port: str) -> None:
    """Listen here, connect there: a socket stays in the namespace in which it was made."""
    listener = socket.create_server(("127.0.0.1", 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(os.open(f"/proc/{pid}/ns/net", os.O_RDONLY), _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    print(listener.getsockname()[1], flush=True)

    def serve() -> None:
        while True:
            here, _ = listener.accept()
            there = socket.create_connection((host, int(port)))
            for pair in ((here, there), (there, here)):
                threading.Thread(target=_copy, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
