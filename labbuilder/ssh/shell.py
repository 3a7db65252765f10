"""What a machine's shell is to all who run something in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from labbuilder.host.run import Result


class Shell(Protocol):
    """Commands and files of one machine, as root. Used by one thread at a time.

    No rc file takes part: scripts are run by /bin/sh, and what login shells print around them is passed over.
    """

    @property
    def machine(self) -> str:
        """The machine's name."""

    @property
    def is_open(self) -> bool:
        """Neither end has closed it, as far as is known here."""

    def run(
        self,
        script: str,
        *,
        timeout_s: float | None = 60.0,
        attached: bool = False,
        on_line: Callable[[str], None] | None = None,
        on_error_line: Callable[[str], None] | None = None,
    ) -> Result:
        """Run a script.

        Args:
            script: For /bin/sh.
            timeout_s: Limit in seconds; None: as long as it takes.
            attached: It is a user's, for bash; what runs ends with the limit or the connection, and its input is empty.
            on_line: Called with each whole line of standard output as it comes.
            on_error_line: The same, of standard error.

        Raises:
            SlowMachineError: The limit passed.
            TransportError: The connection broke, or the machine did not run it.
        """

    def run_many(self, scripts: Sequence[str], *, timeout_s: float = 60.0) -> tuple[Result, ...]:
        """Run several scripts at the same time in one round trip, each with its own output and status.

        Args:
            scripts: For /bin/sh.
            timeout_s: Limit of each, in seconds; the status of one that it ended is `ENDED_AT_LIMIT`.

        Raises:
            SlowMachineError: The machine did not begin, or did not end them at their limit.
            TransportError: The connection broke, or the machine did not run them.
        """

    def put(self, data: bytes, path: str) -> None:
        """Write a file in the machine.

        Raises:
            TransportError: It could not be written.
        """

    def close(self) -> None:
        """Close the connection."""
