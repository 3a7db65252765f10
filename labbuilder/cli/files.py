"""Commands on files: render, lint, schema, init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labbuilder.cli import output
from labbuilder.cli.shared import FileArgument, JsonOption, app, described, example, reporting
from labbuilder.errors import SpecError


@app.command(epilog=example("labbuilder render out/", "labbuilder render --vagrantfile out/"))
def render(
    folder: Path,
    file: FileArgument = None,
    vagrantfile: Annotated[
        bool, typer.Option("--vagrantfile", help="Write what `vagrant up` builds the lab from, without labbuilder.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write all files of all machines, for those who configure by hand, or a Vagrantfile that needs no labbuilder."""
    if folder.exists() and not folder.is_dir():
        raise SpecError(brief=f"{folder} is no folder", resolution="name a new or empty folder")
    if vagrantfile:
        with reporting():
            written = described(file).hand_out(folder)
        output.print_paths(written, as_json=as_json)
        return
    if folder.exists() and any(folder.iterdir()):
        raise SpecError(brief=f"{folder} is not empty", resolution="name a new or empty folder")
    output.print_paths(described(file).render(folder), as_json=as_json)


@app.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
)
def lint(context: typer.Context) -> None:
    """Say what is wrong with failover configurations, also ones written by hand; no lab is needed."""
    from labbuilder.cli import linting  # noqa: PLC0415  --help needs no parser

    raise typer.Exit(linting.main(context.args))  # its options are its own: `labbuilder lint` starts without typer


@app.command(epilog=example("labbuilder schema > lab.schema.json"))
def schema() -> None:
    """Print the JSON Schema of a spec file."""
    from labbuilder.plan.load import json_schema  # noqa: PLC0415

    output.print_json(json_schema())


@app.command(epilog=example("labbuilder init", "labbuilder init class.yaml"))
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("lab.yaml"), as_json: JsonOption = False
) -> None:
    """Write a spec to start from; an existing file is never overwritten."""
    from labbuilder.host.assets import PROVISION  # noqa: PLC0415

    try:
        with open(file, "x", encoding="utf-8") as target:
            target.write((PROVISION / "lab.yaml").read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(brief=f"{file} can't be written: {error.strerror}", resolution="name another file") from error
    if as_json:
        output.print_paths([file], as_json=True)
    else:
        print(f"Wrote {file}. Next: labbuilder up {file}")
