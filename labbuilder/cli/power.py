"""Commands that switch machines and cables by hand: stop, kill, start, pause, resume, reboot, remake, unplug, plug."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from labbuilder.cli import output
from labbuilder.cli.machine import named
from labbuilder.cli.shared import (
    JsonOption,
    LabOption,
    NodeArgument,
    app,
    example,
    existing,
    machine_names,
    reporting,
)

if TYPE_CHECKING:
    from labbuilder.lifecycle.power import Word

NodesArgument = Annotated[
    list[str], typer.Argument(metavar="NODE...", help="Machines of the lab, or all.", autocompletion=machine_names)
]
NetworkArgument = Annotated[Literal["internal", "bridged"], typer.Argument(help="Which of its cables.")]


def _switch(word: Word, past: str, told: str, *examples: str) -> None:
    """Make the command of that word."""

    @app.command(word, help=told, epilog=example(*(f"labbuilder {word} {nodes}" for nodes in examples)))
    def command(nodes: NodesArgument, lab: LabOption = None, as_json: JsonOption = False) -> None:
        from labbuilder.lifecycle import power  # noqa: PLC0415

        found = existing(lab)
        with reporting(lab=found.name), found.locked_session() as session:
            names = named(session, nodes)
            power.refuse(session, word, names)
            power.switch(session, word, names)
        output.print_json({past: names}) if as_json else print(f"{past.capitalize()}: {', '.join(names)}.")


_switch("stop", "stopped", "Shut machines down in order; `start` brings them back.", "client1", "server1 server2")
_switch("kill", "killed", "Cut machines' power; `start` brings them back.", "server1")
_switch(
    "start",
    "started",
    "Switch machines on and wait until they answer; `up` also configures and proves them.",
    "server1",
    "all",
)
_switch("pause", "paused", "Freeze machines, whose wires stay; `resume` lets them go on.", "server1")
_switch("resume", "resumed", "Let machines that were paused go on.", "server1", "all")
_switch(
    "reboot",
    "rebooted",
    "Reboot machines in order and wait until they answer, a client until it is served again.",
    "server1",
    "server1 server2",
)


@app.command(epilog=example("labbuilder remake server1", "labbuilder remake client1 client2 --json"))
def remake(nodes: NodesArgument, lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Make machines anew, when nothing less mends them: what they kept on their disks is lost. Then prove the lab."""
    found = existing(lab)
    with found.locked_session() as session:
        names = named(session, nodes)
    with reporting(lab=found.name):
        found.remake(*names)
    output.print_json({"remade": names}) if as_json else print(f"Made anew and proven: {', '.join(names)}.")


def _cable(word: str, told: str) -> None:
    """Make the command of that word."""

    @app.command(word, help=told, epilog=example(f"labbuilder {word} server1", f"labbuilder {word} server1 bridged"))
    def command(
        node: NodeArgument, network: NetworkArgument = "internal", lab: LabOption = None, as_json: JsonOption = False
    ) -> None:
        from labbuilder.lifecycle.power import set_cable  # noqa: PLC0415

        found, past = existing(lab), f"{word}ged"
        with reporting(lab=found.name), found.locked_session() as session:
            session.machine(node)
            set_cable(session, node, network, up=word == "plug")
        told = {past: [node], "network": network}
        output.print_json(told) if as_json else print(f"{past.capitalize()}: the {network} cable of {node}.")


_cable("unplug", "Pull a machine's cable; `plug` puts it back, and `up` does.")
_cable("plug", "Put a machine's cable back.")
