"""Typer's own errors in our words: what was typed wrong is told as every other mistake is, also as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import typer

from labbuilder.cli.commands import app
from labbuilder.cli.output import settings
from labbuilder.errors import LabError, SpecError

_ERRORS: Any = typer.BadParameter.__mro__[2]  # typer brings a click of its own, or takes the one that is installed


def run(words: Sequence[str]) -> int:
    """Parse the words and call the command that they name; return its exit status.

    Raises:
        SpecError: They can't be understood.
        LabError: What the command raises; a question was answered by Ctrl-D, say.
    """
    settings["json"] = "--json" in takewhile(lambda word: word != "--", words)  # what fails early has not read it
    try:
        return int(app(words, prog_name="labbuilder", standalone_mode=False) or 0)
    except typer.Abort as error:
        raise LabError(brief="aborted: a question was not answered", resolution="-y answers it") from error
    except _ERRORS as error:
        raise _as_ours(error) from error


def _as_ours(error: Any) -> SpecError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "labbuilder"
    look = f"{command} --help shows how it is used"
    if type(error).__name__ == "NoArgsIsHelpError":
        return SpecError(brief=f"{command}: which command?", details=error.format_message(), resolution=look)
    usage = context.get_usage() if context is not None else None
    return SpecError(brief=error.format_message(), details=usage, resolution=look)
