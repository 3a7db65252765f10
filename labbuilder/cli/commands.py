"""All commands, in the order in which help lists them, and the options before them."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from labbuilder import __version__

# isort: off
from labbuilder.cli import lab, drill, failover, machine, power, files, snapshot, image, remote  # noqa: F401

# isort: on
from labbuilder.cli.output import settings
from labbuilder.cli.shared import app

__all__ = ["app"]


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
