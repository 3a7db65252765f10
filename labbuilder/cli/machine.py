"""Commands on one machine: ssh, exec, logs, console."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from labbuilder.cli import output
from labbuilder.cli.shared import JsonOption, LabOption, NodeArgument, app, example, existing, settings
from labbuilder.errors import SpecError


@app.command(epilog=example("labbuilder ssh server1", "labbuilder ssh client1 -- ip route"))
def ssh(
    node: NodeArgument, command: Annotated[list[str] | None, typer.Argument()] = None, lab: LabOption = None
) -> None:
    """Open a shell in a machine, or run one command there."""
    from labbuilder.transport import openssh_argv  # noqa: PLC0415

    found = existing(lab).session()
    found.shell(node).close()  # says in our words what is wrong, if anything is
    end = found.provider.endpoint(node)
    os.execvp("ssh", openssh_argv(end, command or []))


@app.command(
    "exec",
    epilog=example(
        "labbuilder exec server1 -- systemctl status isc-dhcp-server",
        "labbuilder exec server1,server2 -- date",
        "labbuilder exec all -- ip -br addr",
    ),
)
def exec_(
    nodes: Annotated[str, typer.Argument(help="A machine, several with commas, or all.")],
    command: list[str],
    lab: LabOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run one command in machines, at once in all; the first exit status that is not 0 is passed on."""
    import shlex  # noqa: PLC0415

    from labbuilder.parallel import for_each  # noqa: PLC0415

    settings["json"] = as_json
    found = existing(lab)
    names = [m.name for m in found.plan().machines] if nodes == "all" else nodes.split(",")
    results = dict(zip(names, for_each(names, lambda name: found.run(name, shlex.join(command))), strict=True))
    if as_json:
        output.print_json({name: asdict(result) for name, result in results.items()})
    else:
        for name, result in results.items():
            head = f"{name}: " if len(names) > 1 else ""
            sys.stdout.write(output.indented(result.stdout, head))
            sys.stderr.write(output.indented(result.stderr, head))
    raise typer.Exit(next((result.code for result in results.values() if result.code), 0))


@app.command(epilog=example("labbuilder logs server1", "labbuilder logs server1 isc-dhcp-server -f"))
def logs(
    node: NodeArgument,
    service: Annotated[str | None, typer.Argument()] = None,
    lines: Annotated[int, typer.Option("-n", help="So many lines.")] = 50,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines come.")] = False,
    lab: LabOption = None,
) -> None:
    """Show a machine's journal."""
    import shlex  # noqa: PLC0415

    command = f"journalctl --no-pager -q -n {lines}" + (f" -u {shlex.quote(service)}" if service else "")
    if follow:
        ssh(node, [command, "-f"], lab)
    print(existing(lab).run(node, command).stdout, end="")


@app.command(epilog=example("labbuilder console server1"))
def console(node: NodeArgument, lab: LabOption = None) -> None:
    """Show what a machine's console said, boot by boot."""
    path = existing(lab).session().provider.console(node)
    if not path.exists():
        raise SpecError(brief=f"{node} has said nothing yet", resolution="labbuilder status lists the machines")
    print(path.read_text(encoding="utf-8", errors="replace"), end="")
