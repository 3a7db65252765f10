"""Commands on a whole lab: up, status, verify, plan, down, list, doctor."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labbuilder.cli import output
from labbuilder.cli.many import bring_up, numbered
from labbuilder.cli.shared import (
    FileArgument,
    FilesArgument,
    JsonOption,
    LabOption,
    NameOption,
    ProjectOption,
    RemoteOption,
    app,
    described,
    example,
    existing,
    home,
    lab_names,
    meant,
    reporting,
)
from labbuilder.errors import LabError, SpecError

if TYPE_CHECKING:
    from labbuilder.lab import Lab
    from labbuilder.lifecycle.now import Now
    from labbuilder.plan import MachinePlan


@app.command(
    epilog=example(
        "labbuilder up", "labbuilder up lab.yaml", "labbuilder up --name b --clients 5", "labbuilder up --count 3"
    )
)
def up(
    files: FilesArgument = None,
    name: NameOption = None,
    provider: Annotated[str | None, typer.Option(help="auto, nspawn, virtualbox, vagrant or incus.")] = None,
    mode: Annotated[str | None, typer.Option(help="load-balancing, hot-standby, round-robin or manual.")] = None,
    engine: Annotated[str | None, typer.Option(help="isc (isc-dhcp-server) or kea.")] = None,
    timers: Annotated[str | None, typer.Option(help="Of failover: quick, or engine for the engine's own.")] = None,
    gateway: Annotated[str | None, typer.Option(help="none, or vrrp: one address for both servers.")] = None,
    clients: Annotated[int | None, typer.Option(help="So many clients.")] = None,
    servers: Annotated[int | None, typer.Option(help="One server, or two.")] = None,
    remote: RemoteOption = None,
    project: ProjectOption = None,
    spread: Annotated[bool | None, typer.Option(help="Incus: over a cluster's members, or all on one.")] = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="So many labs: NAME-1, NAME-2, ...")] = 1,
    at_once: Annotated[int, typer.Option(min=1, help="Of several labs, so many at a time.")] = 4,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Don't prove it at the end.")] = False,
    reconfigure: Annotated[bool, typer.Option("--reconfigure", help="Change a lab made from another spec.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the lab up, or on from wherever it is, and prove it; or several labs side by side."""
    flags: dict[str, Any] = {"name": name, "provider": provider, "clients": clients, "servers": servers}
    labs = [described(file) for file in files] if files else [described(None, name)]
    for lab in labs:
        lab.set(**_said(flags))
        lab.failover(**_said({"mode": mode, "engine": engine, "timers": timers}))
        lab.gateway(**_said({"redundancy": gateway}))
        lab.section("incus", **_said({"remote": remote, "project": project, "spread": spread}))
    if count > 1:
        labs = [numbered(lab, number) for lab in labs for number in range(1, count + 1)]
    from labbuilder.plan.problems import notices  # noqa: PLC0415

    for notice in dict.fromkeys(notice for lab in labs for notice in notices(lab.spec)):
        print(notice, file=sys.stderr)
    ways = {"verify": not no_verify, "reconfigure": reconfigure}
    if len(labs) == 1:
        _up_one(labs[0], ways, as_json=as_json)
    else:
        raise typer.Exit(bring_up(labs, ways, at_once=at_once, as_json=as_json))


def _said(flags: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in flags.items() if value is not None}


def _up_one(lab: Lab, ways: dict[str, bool], *, as_json: bool) -> None:
    begun = time.monotonic()
    with reporting(lab=lab.name):
        lab.up(**ways)
    outcome = lab.outcome
    assert outcome is not None  # noqa: S101
    if as_json:
        output.print_json({"lab": lab.name, "unchanged": outcome.unchanged, **asdict(outcome)})
        return
    proven = "proven" if ways["verify"] else "not verified"
    count = len(outcome.changes)
    said = "nothing changed" if outcome.unchanged else f"{count} {'service' if count == 1 else 'services'} configured"
    said += f", {', '.join(outcome.mended)} mended" if outcome.mended else ""
    said += f", {', '.join(outcome.remade)} made anew" if outcome.remade else ""
    print(f"The lab {lab.name} is up and {proven}: {said}, {time.monotonic() - begun:.2f} s.")
    which = f" --lab {lab.name}" if len(lab_names()) > 1 else ""
    node, *_ = [client.name for client in lab.spec.clients] + [server.name for server in lab.spec.servers]
    print(
        "Look around:",
        *(f"  labbuilder {word}{which}" for word in ("status", f"ssh {node}", "verify", "down")),
        sep="\n",
    )


@app.command(epilog=example("labbuilder status", "labbuilder status --lab aula --json"))
def status(lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Show the machines of a lab: what runs, who serves, and what each client was given, by whom."""
    from labbuilder.lifecycle.now import Now, now  # noqa: PLC0415

    found = existing(lab)
    machines = found.status()
    doing = now(found.session(), machines)
    if as_json:
        rows = [asdict(m) | {"dhcp": asdict(doing.get(m.name, Now(asked=False)))} for m in machines]
        output.print_json({**_facts(found), "machines": rows})
        return
    print(_headline(found))
    members = any(machine.member for machine in machines)
    table = [
        (
            m.name,
            m.state.value + "".join(f", {network} unplugged" for network in m.cut_links),
            *([m.member] if members else []),
            str(m.boots or ""),
            _addresses(found.plan().machine(m.name), doing.get(m.name)),
            _dhcp(doing.get(m.name)),
        )
        for m in machines
    ]
    head = ("machine", "state", *(["member"] if members else []), "boots", "addresses", "DHCP")
    print(output.table(head, table))


def _facts(lab: Lab) -> dict[str, str]:
    failover = lab.spec.dhcp.failover
    return {"lab": lab.name, "provider": lab.spec.provider, "mode": failover.mode, "engine": failover.engine}


def _addresses(machine: MachinePlan, doing: Now | None) -> str:
    """A server's as they were asked for, a client's as it was given them."""
    leased = " ".join(given.address for given in doing.given) if doing else ""
    return " ".join(f"{nic.name}={nic.address or leased or '-'}" for nic in machine.nics)


def _dhcp(doing: Now | None) -> str:
    if doing is None:
        return ""
    if not doing.asked:
        return "no answer"
    if doing.serves is not None:
        return f"{'serves' if doing.serves else 'serves nobody'}: {doing.state}"
    told = [
        "no lease" if given.left_s is None else f"from {given.server or 'nobody noted'}, {given.left_s} s left"
        for given in doing.given
    ]
    return "; ".join(told) or "no address"


def _headline(lab: Lab) -> str:
    """What the lab is, in a line."""
    spec, failover = lab.spec, lab.spec.dhcp.failover
    pair = f"{failover.mode} on {failover.engine}" if len(spec.servers) > 1 else f"one server on {failover.engine}"
    return f"{lab.name}: {spec.provider}, {pair}"


@app.command(epilog=example("labbuilder verify", "labbuilder verify --reboot", "labbuilder verify --all --json"))
def verify(
    lab: LabOption = None,
    reboot: Annotated[bool, typer.Option("--reboot", help="And again after a reboot of each server.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Show the checks that passed too.")] = False,
    evidence: Annotated[bool, typer.Option("--evidence", help="Show what follows in full, and the probes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove the lab: one check for each line of the guide."""
    with reporting():
        found = existing(lab).verify(reboot=reboot)
    if as_json:
        output.print_json({**asdict(found), "passed": found.passed})
    else:
        print(output.verification_text(found, every=every, evidence=evidence))
    raise typer.Exit(0 if found.passed else 1)


@app.command(epilog=example("labbuilder plan", "labbuilder plan lab.yaml --json", "labbuilder plan --lab b"))
def plan(file: FileArgument = None, name: NameOption = None, as_json: JsonOption = False) -> None:
    """Show what `up` would do, against what runs."""
    found = described(file, name).set(**_said({"name": name})).difference()
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
    from labbuilder.lifecycle.down import take_down  # noqa: PLC0415
    from labbuilder.lifecycle.lost import remove_lost  # noqa: PLC0415

    names = _which_go(lab, every=every)
    gone: list[str] = []
    failed: dict[str, LabError] = {}
    with reporting():
        for name in names:
            try:
                gone += [name] if take_down(home(), name) else []
            except LabError as error:
                if len(names) == 1 and not every:
                    raise
                failed[name] = error  # the others go all the same
        if every:
            gone += [f"a lab without a folder (mark {mark})" for mark in remove_lost(home())]
    if as_json:
        output.print_json({"removed": gone, "failed": {name: error.as_dict() for name, error in failed.items()}})
    else:
        for one in failed.values():
            output.print_error(one, as_json=False)
        if gone or not failed:
            print(f"Removed: {', '.join(gone)}." if gone else "There was nothing to remove.")
    if failed:
        raise typer.Exit(next(iter(failed.values())).exit_code)


def _which_go(lab: str | None, *, every: bool) -> Sequence[str]:
    """All, the one that is named, or the one that is meant; none where there is none."""
    if every and lab is not None:
        raise SpecError(brief="--all and --lab don't go together", resolution="leave one of them out")
    if lab is not None:
        return (lab,)
    names = lab_names()
    return (meant(None),) if names and not every else names


@app.command("list", epilog=example("labbuilder list", "labbuilder list --json"))
def list_(as_json: JsonOption = False) -> None:
    """List the labs that were brought up, and what runs of each."""
    from labbuilder.host.parallel import for_each  # noqa: PLC0415
    from labbuilder.lifecycle.lost import lost_labs, told  # noqa: PLC0415

    labs = for_each(lab_names(), _listed)
    for lost in lost_labs():
        print(f"{told(lost)}; labbuilder down --all removes it", file=sys.stderr)
    if as_json:
        output.print_json([{"lab": name, **facts, "state": state} for name, facts, _, state in labs])
        return
    lines = [f"{headline}: {state}" for _, _, headline, state in labs]
    print("\n".join(lines) or "There are no labs. labbuilder up makes one.")


def _listed(name: str) -> tuple[str, dict[str, str], str, str]:
    """A lab's name, facts, headline and state, also of one of which there is no more than its name."""
    from labbuilder.lifecycle.now import amiss  # noqa: PLC0415

    try:
        lab = existing(name)
    except LabError:
        return name, {}, name, f"begun and not made; labbuilder down --lab {name} removes it"
    try:
        other = amiss(lab.plan(), lab.status())
    except LabError as error:
        return name, _facts(lab), _headline(lab), error.brief
    finally:
        lab.close()
    count = len(lab.plan().machines)
    running = f"{count} {'machine runs' if count == 1 else 'machines run'}"
    if other:
        running = f"{count - len(other)} of {running}: " + ", ".join(f"{node} {state}" for node, state in other.items())
    return name, _facts(lab), _headline(lab), running


@app.command(epilog=example("labbuilder doctor", "labbuilder doctor --provider virtualbox"))
def doctor(
    provider: Annotated[str, typer.Option(help="auto, nspawn, virtualbox, vagrant or incus.")] = "auto",
    remote: RemoteOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what this host has and lacks, and what to do about it."""
    from labbuilder.lifecycle import lost  # noqa: PLC0415
    from labbuilder.providers import registry  # noqa: PLC0415
    from labbuilder.spec.providers import Incus  # noqa: PLC0415

    settings = [Incus(remote=remote or "local", project=project)]
    found = (*registry.doctor(home(), provider, settings), lost.finding(home()))
    if as_json:
        output.print_json([asdict(f) | ({"resolution": ""} if f.ok else {}) for f in found])
    else:
        for finding in found:
            print(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name:15} {finding.seen}")
            if not finding.ok:
                print(f"      what to do: {finding.resolution}")
    raise typer.Exit(0 if all(finding.ok for finding in found) else 3)
