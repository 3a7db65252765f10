"""Fabric's runner, for outputs of any size, and for limits that are always told as such."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import BinaryIO

from fabric.runners import Remote

_LOOK_S = 1.0  # whether a thread that reads has failed
_PACKET = 32768  # what SSH puts in one (RFC 4253, 6.1)


class WholeOutput(Remote):  # type: ignore[misc]
    """What a command says is collected in pieces as large as they come, and decoded as one text."""

    timed_out = False  # as it comes, it is asked of the timer, whose thread outlives `kill` for a moment

    def kill(self) -> None:
        """The limit has passed: end the command by closing its channel."""
        self.timed_out = True
        with suppress(EOFError, OSError):  # the connection went away at that moment, and the command with it
            super().kill()

    def read_proc_output(self, reader: Callable[[int], bytes]) -> Iterator[str]:
        """A character that lies in two pieces is still one."""
        return codecs.iterdecode(iter(partial(reader, _PACKET), b""), self.encoding, "replace")

    def wait(self) -> None:
        """Until it has ended or its channel is closed; invoke looks every 10 ms, and each command pays for it."""
        while not self.channel.status_event.wait(_LOOK_S) and not self.has_dead_threads:
            pass

    def read_our_stdin(self, input_: BinaryIO) -> str:
        """Who sends a file sends it in pieces of that size too."""
        return str(self.decode(input_.read(_PACKET)))

    def respond(self, buffer_: list[str]) -> None:
        """Nobody answers to outputs; who could would be shown all of them again at each piece."""
