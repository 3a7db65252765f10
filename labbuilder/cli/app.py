"""The command `labbuilder`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from typing import Annotated

import typer

from labbuilder import __version__

# help lists the commands in this order
# isort: off
from labbuilder.cli import lab, drill, failover, machine, power, files, snapshot, image, remote, output  # noqa: F401

# isort: on
from labbuilder.cli.shared import app, home, settings
from labbuilder.errors import HostError, LabError


def _tell_version(asked: bool) -> None:  # noqa: FBT001  as typer calls it
    if asked:
        print(f"labbuilder {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show the commands that are run.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    del version  # told already: a command is missing beside it
    settings["verbose"] = verbose
    if verbose:
        logging.basicConfig(level=logging.DEBUG, format="%(message)s", stream=sys.stderr)
        logging.getLogger("paramiko").setLevel(logging.WARNING)


def main() -> None:
    """Run the command line; every error becomes words and an exit status."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who called us
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  as long as we run
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)  # what was begun is tidied up as after Ctrl-C
    try:
        app(prog_name="labbuilder")
    except LabError as error:
        output.print_error(error, as_json=settings["json"])
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read our output has left
    except OSError as error:
        output.print_error(HostError(brief=str(error)), as_json=settings["json"])
        sys.exit(HostError.exit_code)
    except Exception as error:  # noqa: BLE001  our own mistake: words for the user, the traceback for who mends it
        output.print_error(_own_mistake(error), as_json=settings["json"])
        sys.exit(LabError.exit_code)


def _own_mistake(error: Exception) -> LabError:
    import traceback  # noqa: PLC0415

    seen = f"{type(error).__name__}: {error}"
    home().path.mkdir(parents=True, exist_ok=True)
    with home().log.open("a", encoding="utf-8") as log:
        log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(sys.argv[1:])}\n{traceback.format_exc()}\n")
    return LabError(
        brief="labbuilder itself failed: this is a mistake in it",
        details=seen,
        resolution=f"send us {home().log}; nothing is lost: labbuilder down removes what was made",
    )
