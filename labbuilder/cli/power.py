"""Commands that switch machines and cables by hand: stop, kill, start, pause, resume, reboot, unplug, plug."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

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
from labbuilder.errors import MachineError, SpecError

NodesArgument = Annotated[
    list[str], typer.Argument(metavar="NODE...", help="Machines of the lab, or all.", autocompletion=machine_names)
]
NetworkArgument = Annotated[Literal["internal", "bridged"], typer.Argument(help="Which of its cables.")]
_REFUSED = {"start": ("paused",), "pause": ("stopped",), "resume": ("stopped",), "reboot": ("stopped", "paused")}


@app.command(epilog=example("labbuilder stop client1", "labbuilder stop server1 server2"))
def stop(nodes: NodesArgument, lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Shut machines down in order; `start` brings them back."""
    _switch("stop", "stopped", nodes, lab, as_json=as_json)


@app.command(epilog=example("labbuilder kill server1"))
def kill(nodes: NodesArgument, lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Cut machines' power; `start` brings them back."""
    _switch("kill", "killed", nodes, lab, as_json=as_json)


@app.command(epilog=example("labbuilder start server1", "labbuilder start all"))
def start(nodes: NodesArgument, lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Switch machines on and wait until they answer; `up` also configures and proves them."""
    _switch("start", "started", nodes, lab, as_json=as_json)


@app.command(epilog=example("labbuilder pause server1"))
def pause(nodes: NodesArgument, lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Freeze machines, whose wires stay; `resume` lets them go on."""
    _switch("pause", "paused", nodes, lab, as_json=as_json)


@app.command(epilog=example("labbuilder resume server1", "labbuilder resume all"))
def resume(nodes: NodesArgument, lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Let machines that were paused go on."""
    _switch("resume", "resumed", nodes, lab, as_json=as_json)


@app.command(epilog=example("labbuilder reboot server1", "labbuilder reboot server1 server2"))
def reboot(nodes: NodesArgument, lab: LabOption = None, as_json: JsonOption = False) -> None:
    """Reboot machines in order and wait until they answer."""
    _switch("reboot", "rebooted", nodes, lab, as_json=as_json)


@app.command(epilog=example("labbuilder unplug server1", "labbuilder unplug server1 bridged"))
def unplug(
    node: NodeArgument, network: NetworkArgument = "internal", lab: LabOption = None, as_json: JsonOption = False
) -> None:
    """Pull a machine's cable; `plug` puts it back, and `up` does."""
    _cable("unplug", "unplugged", node, network, lab, as_json=as_json)


@app.command(epilog=example("labbuilder plug server1", "labbuilder plug server1 bridged"))
def plug(
    node: NodeArgument, network: NetworkArgument = "internal", lab: LabOption = None, as_json: JsonOption = False
) -> None:
    """Put a machine's cable back."""
    _cable("plug", "plugged", node, network, lab, as_json=as_json)


def _switch(word: str, past: str, nodes: list[str], lab: str | None, *, as_json: bool) -> None:
    """Call the provider's method of that name for each machine."""
    from labbuilder import progress  # noqa: PLC0415
    from labbuilder.parallel import for_each, one_by_one  # noqa: PLC0415
    from labbuilder.providers.base import ManyAtOnce  # noqa: PLC0415
    from labbuilder.session import awakened  # noqa: PLC0415

    found = existing(lab)
    with reporting(lab=found.name), found.locked_session() as session:
        names = named(session, nodes)
        for machine in session.provider.status():
            if machine.name in names and machine.state in _REFUSED.get(word, ()):
                raise MachineError(
                    f"{machine.name} is {machine.state}", resolution=awakened(machine.name, machine.state)
                )
        do: Callable[[str], None] = getattr(session.provider, word)

        def switch(name: str) -> None:
            with session.journal.effect(word, name), progress.step(word, name):
                do(name)

        def wait(name: str) -> None:
            with progress.step("boot", name):
                session.provider.wait_ready(name)

        (for_each if isinstance(session.provider, ManyAtOnce) else one_by_one)(names, switch)
        if word == "start":
            for_each(names, wait)
    output.print_json({past: names}) if as_json else print(f"{past.capitalize()}: {', '.join(names)}.")


def _cable(
    word: str, past: str, node: str, network: Literal["internal", "bridged"], lab: str | None, *, as_json: bool
) -> None:
    from labbuilder import progress  # noqa: PLC0415

    found = existing(lab)
    with reporting(lab=found.name), found.locked_session() as session:
        session.known(node)
        if network not in {nic.network for nic in session.plan.machine(node).nics}:
            raise SpecError(
                brief=f"{node} has no card on the {network} network", resolution=f"labbuilder {word} {node}"
            )
        with session.journal.effect(word, node, network=network), progress.step(word, node):
            session.provider.set_link(node, network, up=word == "plug")
    told = {past: [node], "network": network}
    output.print_json(told) if as_json else print(f"{past.capitalize()}: the {network} cable of {node}.")
