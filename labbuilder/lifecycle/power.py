"""Machines and cables, switched by hand or mended by `up`: each deed is journalled and shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from labbuilder.errors import MachineError, SpecError
from labbuilder.host import progress
from labbuilder.host.parallel import for_each, one_by_one
from labbuilder.host.wait import wait_until
from labbuilder.lifecycle.session import Session
from labbuilder.model.step import Step
from labbuilder.providers.base import MachineState, Provider
from labbuilder.providers.registry import provider_row
from labbuilder.reach import awakened

Word = Literal["stop", "kill", "start", "pause", "resume", "reboot"]
_REFUSED: dict[Word, tuple[MachineState, ...]] = {
    "start": (MachineState.PAUSED,),
    "pause": (MachineState.STOPPED,),
    "resume": (MachineState.STOPPED,),
    "reboot": (MachineState.STOPPED, MachineState.PAUSED),
}


def refuse(session: Session, word: Word, names: Sequence[str]) -> None:
    """Raise MachineError, with what to do first, when a machine is in a state in which it can't be told so."""
    for machine in session.provider.status():
        if machine.name in names and machine.state in _REFUSED.get(word, ()):
            mend = awakened(machine.name, machine.state)
            raise MachineError(brief=f"{machine.name} is {machine.state}", resolution=mend)


def switch(session: Session, word: Word, names: Sequence[str]) -> None:
    """Tell the machines so, at once where the provider takes that; those that are started answer when this returns.

    Raises:
        MachineError: One did not do it.
    """
    do: Callable[[str], None] = getattr(session.provider, word)

    def one(name: str) -> None:
        with session.journal.effect(word, name), progress.step(word, name):
            do(name)

    each(session.provider)(names, one)
    if word == "start":
        for_each(names, lambda name: await_ready(session, name))
    if word == "reboot":
        for_each(names, lambda name: _await_served(session, name))


def _await_served(session: Session, name: str) -> None:
    """Return when a client that has rebooted has what it gets from servers; none of them may be on.

    Raises:
        WaitError: It does not get it.
    """
    session.drop(name)
    machine = session.machine(name)
    for step in machine.steps if "client" in machine.roles else ():
        servers = {what.partition(":")[0] for what in step.after} - {name}
        if any(session.is_awake(server) for server in servers):
            wait_until(
                f"{name} is served again: {step.title}",
                partial(_holds, session, name, step),
                within_s=step.settle_s,
                every_s=0.05,
                resolution="it has rebooted; labbuilder verify shows what it lacks",
            )


def _holds(session: Session, name: str, step: Step) -> bool:
    return session.shell(name).run(step.holds).ok


def set_cable(session: Session, machine: str, network: str, *, up: bool) -> None:
    """Plug or unplug a machine's cable.

    Raises:
        SpecError: The machine has no card there.
    """
    word = "plug" if up else "unplug"
    if network not in {nic.network for nic in session.machine(machine).nics}:
        raise SpecError(f"{machine} has no card on the {network} network", resolution=f"labbuilder {word} {machine}")
    with session.journal.effect(word, machine, network=network), progress.step(word, machine):
        session.provider.set_link(machine, network, up=up)


def await_ready(session: Session, machine: str) -> None:
    """Return when its management SSH answers."""
    with progress.step("boot", machine):
        session.provider.wait_ready(machine)


def each(provider: Provider) -> Callable[[Sequence[Any], Callable[[Any], Any]], list[Any]]:
    """How several machines of the provider are created and switched: at once, or one by one."""
    return for_each if provider_row(provider.kind).many_at_once else one_by_one
