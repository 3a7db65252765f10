"""What the commands share: the options, which lab is meant, progress and Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labbuilder.cli import output
from labbuilder.cli.output import settings
from labbuilder.errors import LabError, SpecError

if TYPE_CHECKING:
    from labbuilder.host.store import Home
    from labbuilder.lab import Lab


def home() -> Home:
    """Where this user keeps labs and images."""
    from labbuilder.host.store import Home  # noqa: PLC0415  --help needs no store

    return Home.default()


def lab_names() -> list[str]:
    """For completion."""
    return list(home().lab_names())


def machine_names(context: typer.Context) -> list[str]:
    """For completion: those of the lab that is meant."""
    try:
        return [machine.name for machine in existing(context.params.get("lab")).plan().machines]
    except LabError:  # no lab, or which is not said: nothing to complete
        return []


NodeArgument = Annotated[str, typer.Argument(help="A machine of the lab.", autocompletion=machine_names)]
LabOption = Annotated[str | None, typer.Option("--lab", help="The lab's name.", autocompletion=lab_names)]
NameOption = Annotated[str | None, typer.Option("--name", "--lab", help="The lab's name.", autocompletion=lab_names)]


def _remembered(as_json: bool) -> bool:  # noqa: FBT001  typer's way
    settings["json"] |= as_json  # what was typed asked for it, though an option before it took the word for its value
    return as_json


JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document on stdout.", is_eager=True, callback=_remembered),
]
_DEFAULT = "default: ./lab.yaml, else the only lab that was made, else the guide's."
FileArgument = Annotated[Path | None, typer.Argument(help=f"A spec; {_DEFAULT}")]
FilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FILE]...", help=f"Specs; {_DEFAULT}"),
]
RemoteOption = Annotated[str | None, typer.Option(help="Incus: the server; `labbuilder remote list` shows them.")]
ProjectOption = Annotated[str | None, typer.Option(help="Incus: the project; default: one of the lab's own.")]

app = typer.Typer(
    help="Build a lab of real Debian machines with DHCP failover, DNS and NAT, and prove it line by line.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def example(*commands: str) -> str:
    """The end of a command's help: a line each, which click is told to leave alone."""
    return "\n".join(("\b", "Examples:", *(f"  {command}" for command in commands)))


@contextmanager
def reporting(*, lab: str | None = None) -> Iterator[None]:
    """Show progress while the block runs; Ctrl-C says what exists."""
    with output.progress_on_stderr(verbose=settings["verbose"]), interruptible(*([lab] if lab else [])):
        yield


@contextmanager
def interruptible(*labs: str) -> Iterator[None]:
    """At Ctrl-C say what exists of these labs, or of all there are, and end at once."""
    try:
        yield
    except KeyboardInterrupt:
        there = home().lab_names()
        told = [line for lab in labs or there if lab in there for line in _what_exists(lab)]
        print("\ninterrupted.", *told, sep="\n", file=sys.stderr, flush=True)
        os._exit(130)  # threads may still wait for machines


def _what_exists(lab: str) -> tuple[str, ...]:
    """What an interrupted command leaves of a lab, looked up, and how to go on."""
    from labbuilder.lifecycle.down import begun  # noqa: PLC0415

    try:
        seen = [f"  {lab}: {what}" for what in begun(home(), lab)]
    except LabError as error:
        seen = [f"  {lab}: {error.brief}"]
    return (*seen, f"labbuilder up --name {lab} goes on from here; labbuilder down --lab {lab} removes it.")


def described(file: Path | None, name: str | None = None) -> Lab:
    """The lab of the file or of ./lab.yaml; else as it was made, by that name or the only one; else the guide's."""
    from labbuilder.lab import Lab  # noqa: PLC0415  --help needs no lab

    if file is None and Path("lab.yaml").exists():
        file = Path("lab.yaml")
    if file is not None:
        return Lab.from_file(file)
    names = lab_names()
    there = home().lab(name or (names[0] if len(names) == 1 else "aula")).spec
    return Lab.from_file(there) if there.exists() else Lab().add_server().add_server().add_client()


def meant(name: str | None) -> str:
    """The name of the lab that is meant, whole or not: --lab, else ./lab.yaml's, else the only one there is."""
    from labbuilder.lifecycle.session import no_such_lab  # noqa: PLC0415
    from labbuilder.plan.load import load_spec  # noqa: PLC0415

    names = lab_names()
    if name is None and Path("lab.yaml").exists():
        name = load_spec(Path("lab.yaml")).name
        if names and name not in names:
            raise SpecError(
                brief=f"the lab {name}, which ./lab.yaml describes, is not up",
                details=f"There {'is' if len(names) == 1 else 'are'}: {', '.join(names)}",
                resolution=f"labbuilder up makes it; --lab {names[0]} means another one",
            )
    if name is None:
        if len(names) != 1:
            there = f"There are: {', '.join(names)}" if names else "There are none."
            raise SpecError(brief="which lab?", details=there, resolution="name it with --lab, or run labbuilder up")
        name = names[0]
    if name not in names:
        raise no_such_lab(home(), name)
    return name


def existing(name: str | None) -> Lab:
    """The lab that is meant, as it was made."""
    from labbuilder.lab import Lab  # noqa: PLC0415
    from labbuilder.lifecycle.session import no_such_lab  # noqa: PLC0415

    spec = home().lab(known := meant(name)).spec
    if not spec.exists():
        raise no_such_lab(home(), known)
    return Lab.from_file(spec)
