"""The command `labbuilder`."""

from __future__ import annotations

import os
import signal
import sys
import time

from labbuilder.cli import output
from labbuilder.errors import HostError, LabError


def main() -> None:
    """Run the command line; every error becomes words and an exit status."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who called us
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  as long as we run
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)  # what was begun is tidied up as after Ctrl-C
    try:
        _run(sys.argv[1:])
    except LabError as error:
        output.print_error(error, as_json=output.settings["json"])
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read our output has left
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        told = HostError(brief=f"{what}{error.strerror or error}", details=f"{type(error).__name__}: {error}")
        output.print_error(told, as_json=output.settings["json"])
        sys.exit(HostError.exit_code)
    except Exception as error:  # noqa: BLE001  our own mistake: words for the user, the traceback for who mends it
        output.print_error(_own_mistake(error), as_json=output.settings["json"])
        sys.exit(LabError.exit_code)


def _run(words: list[str]) -> None:
    """The lint starts without what all other commands need: half a second of imports, pydantic's by typer among it."""
    if words[:1] == ["lint"]:
        from labbuilder.cli import linting  # noqa: PLC0415

        sys.exit(linting.main(words[1:]))
    from labbuilder.cli.usage import run  # noqa: PLC0415

    sys.exit(run(words))


def _own_mistake(error: Exception) -> LabError:
    import traceback  # noqa: PLC0415

    from labbuilder.cli.shared import home  # noqa: PLC0415

    seen = f"{type(error).__name__}: {error}"
    home().path.mkdir(parents=True, exist_ok=True)
    with home().log.open("a", encoding="utf-8") as log:
        log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(sys.argv[1:])}\n{traceback.format_exc()}\n")
    return LabError(
        brief="labbuilder itself failed: this is a mistake in it",
        details=seen,
        resolution=f"send us {home().log}; nothing is lost: labbuilder down removes what was made",
    )
