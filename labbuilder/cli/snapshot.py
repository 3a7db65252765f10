"""`labbuilder snapshot`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from labbuilder.cli import output
from labbuilder.cli.shared import JsonOption, LabOption, app, example, existing, reporting

snapshot_app = typer.Typer(help="States of a whole lab: kept, and gone back to.", no_args_is_help=True)
app.add_typer(snapshot_app, name="snapshot")

SnapshotArgument = Annotated[str, typer.Argument(metavar="NAME", help="The snapshot's name.")]


@snapshot_app.command("save", epilog=example("labbuilder snapshot save before-lesson-3"))
def snapshot_save(name: SnapshotArgument, lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Keep the state of every machine; the lab runs on."""
    found = existing(lab)
    with reporting():
        kept = found.save(name)
    output.print_json(asdict(kept)) if as_json else print(f"Kept as {name}: labbuilder snapshot restore {name}")


@snapshot_app.command("restore", epilog=example("labbuilder snapshot restore before-lesson-3"))
def snapshot_restore(
    name: SnapshotArgument,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="It was broken when it was kept.")] = False,
    lab: LabOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring every machine back to the state that was kept, and on, and prove it; what came after it is lost."""
    found = existing(lab)
    with reporting(lab=found.name):
        found.restore(name, verify=not no_verify)
    output.print_json({"restored": name}) if as_json else print(f"The lab {found.name} is back at {name}.")


@snapshot_app.command("list", epilog=example("labbuilder snapshot list --lab aula"))
def snapshot_list(lab: LabOption = None, as_json: JsonOption = False) -> None:
    """List what was kept."""
    kept = existing(lab).snapshots()
    if as_json:
        output.print_json([asdict(snapshot) for snapshot in kept])
    else:
        print(output.table(("snapshot", "taken at"), [(s.name, s.taken_at) for s in kept]))


@snapshot_app.command("delete", epilog=example("labbuilder snapshot delete before-lesson-3"))
def snapshot_delete(name: SnapshotArgument, lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Forget a state that was kept."""
    found = existing(lab)
    with reporting():
        found.forget(name)
    output.print_json({"deleted": name}) if as_json else print(f"Deleted: {name}.")
