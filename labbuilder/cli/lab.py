"""Commands on a whole lab: up, status, verify, plan, down, list, doctor."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import Annotated, Any

import typer

from labbuilder.cli import output
from labbuilder.cli.shared import (
    FileArgument,
    JsonOption,
    LabOption,
    app,
    described,
    example,
    existing,
    home,
    lab_names,
    reporting,
    settings,
)


@app.command(epilog=example("labbuilder up", "labbuilder up lab.yaml", "labbuilder up --name b --clients 5"))
def up(
    file: FileArgument = None,
    name: Annotated[str | None, typer.Option(help="Another name for the lab.")] = None,
    provider: Annotated[str | None, typer.Option(help="auto, nspawn, virtualbox or vagrant.")] = None,
    mode: Annotated[str | None, typer.Option(help="load-balancing, hot-standby, round-robin or manual.")] = None,
    engine: Annotated[str | None, typer.Option(help="isc (isc-dhcp-server) or kea.")] = None,
    timers: Annotated[str | None, typer.Option(help="Of failover: quick, or engine for the engine's own.")] = None,
    clients: Annotated[int | None, typer.Option(help="So many clients.")] = None,
    servers: Annotated[int | None, typer.Option(help="One server, or two.")] = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Don't prove it at the end.")] = False,
    reconfigure: Annotated[bool, typer.Option("--reconfigure", help="Change a lab made from another spec.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the lab up, or on from wherever it is, and prove it."""
    begun = time.monotonic()
    settings["json"] = as_json
    lab = described(file)
    flags: dict[str, Any] = {"name": name, "provider": provider, "clients": clients, "servers": servers}
    lab.set(**{key: value for key, value in flags.items() if value is not None})
    lab.failover(
        **{key: value for key, value in (("mode", mode), ("engine", engine), ("timers", timers)) if value is not None}
    )
    with reporting(as_json=as_json, lab=lab.name):
        if notice := lab.spec.dhcp.failover.notice:
            print(notice, file=sys.stderr)
        lab.up(verify=not no_verify, reconfigure=reconfigure)
    outcome = lab.outcome
    assert outcome is not None  # noqa: S101
    if as_json:
        output.print_json({"lab": lab.name, "unchanged": outcome.unchanged, **asdict(outcome)})
        return
    proven = "not verified" if no_verify else "proven"
    said = "nothing changed" if outcome.unchanged else f"{len(outcome.changes)} services configured"
    print(f"The lab {lab.name} is up and {proven}: {said}, {time.monotonic() - begun:.2f} s.")
    print("Look around:  labbuilder status | labbuilder ssh client1 | labbuilder verify | labbuilder down")


@app.command(epilog=example("labbuilder status", "labbuilder status --lab aula --json"))
def status(lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Show the machines of a lab."""
    settings["json"] = as_json
    found = existing(lab)
    machines = found.status()
    if as_json:
        output.print_json({"lab": found.name, "machines": [asdict(machine) for machine in machines]})
        return
    plan = found.plan()
    rows = [
        (
            m.name,
            m.state.value,
            str(m.boots),
            " ".join(f"{n.name}={n.address or 'dhcp'}" for n in plan.machine(m.name).nics),
        )
        for m in machines
    ]
    print(output.table(("machine", "state", "boots", "addresses"), rows))


@app.command(epilog=example("labbuilder verify", "labbuilder verify --reboot", "labbuilder verify --all --json"))
def verify(
    lab: LabOption = None,
    reboot: Annotated[bool, typer.Option("--reboot", help="And again after a reboot of each server.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Show the checks that passed too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove the lab: one check for each line of the guide."""
    with reporting(as_json=as_json):
        found = existing(lab).verify(reboot=reboot)
    if as_json:
        output.print_json({**asdict(found), "passed": found.passed})
    else:
        print(output.verification_text(found, every=every))
    raise typer.Exit(0 if found.passed else 1)


@app.command(epilog=example("labbuilder plan", "labbuilder plan lab.yaml --json"))
def plan(file: FileArgument = None, as_json: JsonOption = False) -> None:
    """Show what `up` would do, against what runs."""
    settings["json"] = as_json
    found = described(file).difference()
    if as_json:
        output.print_json(asdict(found))
        return
    for word in ("create", "start", "remove", "services"):
        for item in getattr(found, word):
            print(f"{'apply' if word == 'services' else word:7} {item}")
    for entry in found.files:
        print(f"write   {entry.machine}: {entry.path}\n{entry.diff}", end="")
    if found.empty:
        print("Nothing would change.")


@app.command(epilog=example("labbuilder down", "labbuilder down --lab aula", "labbuilder down --all"))
def down(
    lab: LabOption = None,
    every: Annotated[bool, typer.Option("--all", help="All labs.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove everything of a lab, and look whether it is gone."""
    from labbuilder.engine import take_down  # noqa: PLC0415

    names = home().lab_names()
    if not every and not (lab is None and not names):
        names = (lab or (existing(None).name if len(names) != 1 else names[0]),)
    with reporting(as_json=as_json):
        gone = [name for name in names if take_down(home(), name)]
    if as_json:
        output.print_json({"removed": gone})
    else:
        print(f"Removed: {', '.join(gone)}." if gone else "There was nothing to remove.")


@app.command("list", epilog=example("labbuilder list"))
def list_(as_json: JsonOption = False) -> None:
    """List the labs that were brought up."""
    names = lab_names()
    output.print_json(names) if as_json else print("\n".join(names) or "There are no labs. labbuilder up makes one.")


@app.command(epilog=example("labbuilder doctor", "labbuilder doctor --provider virtualbox"))
def doctor(
    provider: Annotated[str, typer.Option(help="auto, nspawn, virtualbox or vagrant.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Say what this host has and lacks, and what to do about it."""
    from labbuilder.providers import choice  # noqa: PLC0415

    found = choice.doctor(home(), provider)
    if as_json:
        output.print_json([asdict(finding) for finding in found])
    else:
        for finding in found:
            print(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name:15} {finding.seen}")
            if not finding.ok:
                print(f"      what to do: {finding.resolution}")
    raise typer.Exit(0 if all(finding.ok for finding in found) else 3)
