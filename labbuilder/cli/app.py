"""The command `labbuilder`."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from itertools import pairwise

from labbuilder.cli import output
from labbuilder.errors import HostError, LabError


def main() -> None:
    """Run the command line; every error becomes words and an exit status."""
    gc.set_threshold(50_000)  # what is loaded stays: to look through it again and again took 0.1 s of each command
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who called us
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  as long as we run
        getattr(sys, name).reconfigure(errors="backslashreplace")  # a terminal need not know every letter
    os.umask(os.umask(0o077) | 0o022)  # nothing of a lab may be written by others
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)  # what was begun is tidied up as after Ctrl-C
    try:
        _run(sys.argv[1:])
    except LabError as error:
        _tell(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read our output has left
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        told = HostError(brief=f"{what}{error.strerror or error}", details=f"{type(error).__name__}: {error}")
        _tell(told)
        sys.exit(HostError.exit_code)
    except Exception as error:  # noqa: BLE001  our own mistake: words for the user, the traceback for who mends it
        _tell(_own_mistake(error))
        sys.exit(LabError.exit_code)


def _tell(error: LabError) -> None:
    """Say it where it was asked for, or on stderr where nothing can be written there."""
    try:
        output.print_error(error, as_json=output.settings["json"])
        sys.stdout.flush()
    except OSError:
        output.print_error(error, as_json=False)


def _run(words: list[str]) -> None:
    """The lint starts without what all other commands need: half a second of imports, pydantic's by typer among it."""
    if words[:1] == ["lint"]:
        from labbuilder.cli import linting  # noqa: PLC0415

        sys.exit(linting.main(words[1:]))
    from labbuilder.cli.usage import run  # noqa: PLC0415

    sys.exit(run(words))


def _without_secrets(text: str) -> str:
    """The text without what was given on the command line to be trusted by."""
    secrets = [word for flag, word in pairwise(sys.argv) if flag == "--token"]
    secrets += [word.partition("=")[2] for word in sys.argv if word.startswith("--token=")]
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def _own_mistake(error: Exception) -> LabError:
    import traceback  # noqa: PLC0415

    from labbuilder.cli.shared import home  # noqa: PLC0415

    seen = _without_secrets(f"{type(error).__name__}: {error}")
    home().path.mkdir(parents=True, exist_ok=True)
    with open(home().log, "a", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as log:
        home().log.chmod(0o600)  # an older one was readable for all
        words, trace = (_without_secrets(text) for text in (" ".join(sys.argv[1:]), traceback.format_exc()))
        log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {words}\n{trace}\n")
    return LabError(
        brief="labbuilder itself failed: this is a mistake in it",
        details=seen,
        resolution=f"send us {home().log}; nothing is lost: labbuilder down removes what was made",
    )
