"""``python -m labbuilder`` and the command ``labbuilder``."""

from __future__ import annotations

import atexit
import os
import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while modules are loaded Ctrl-C needs no words: nothing was begun

from labbuilder.cli import app
from labbuilder.errors import HostError


def main() -> None:
    """Run the command line, and end at once: to take a thousand loaded modules apart costs 0.1 s and helps nobody."""
    try:
        app.main()
        status = 0
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        status = end.code or 0
    atexit._run_exitfuncs()  # noqa: SLF001  a log may have to be written, VirtualBox's binding to be let go
    os._exit(_flushed(status))


def _flushed(status: int) -> int:
    """The exit status, when all that was printed is out."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return status  # who read it has left
    except OSError as error:
        print(f"error: what was printed can't be written: {error.strerror}", file=sys.stderr)
        return status or HostError.exit_code
    return status


if __name__ == "__main__":
    main()
