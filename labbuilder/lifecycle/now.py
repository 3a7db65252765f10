"""What a lab does now: which of its machines run, who serves, and what each client was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labbuilder.errors import TransportError
from labbuilder.host.parallel import for_each
from labbuilder.lifecycle.session import Session
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.reach import MachineState, MachineStatus
from labbuilder.services.dhcp import Given, engine_of, given

_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Now:
    """What DHCP is to one machine.

    Attributes:
        serves: A server answers new clients, all or its share; None of a client, and of who could not be asked.
        state: A server's, in its engine's own word; empty of a client, and of who could not be asked.
        given: A client's addresses.
        asked: It answered.
    """

    serves: bool | None = None
    state: str = ""
    given: tuple[Given, ...] = ()
    asked: bool = True


def now(session: Session, machines: Sequence[MachineStatus]) -> Mapping[str, Now]:
    """Ask all machines that run, at the same time; of the others nothing is told."""
    plan = session.plan
    running = [plan.machine(machine.name) for machine in machines if machine.state is MachineState.RUNNING]
    return dict(zip((me.name for me in running), for_each(running, lambda me: _of(session, me)), strict=True))


def _of(session: Session, me: MachinePlan) -> Now:
    if "server" in me.roles:
        seen = engine_of(session.plan).seen(session, me.name)
        return Now(asked=False) if seen.state == "unreachable" else Now(seen.serving, seen.state)
    try:
        result = session.shell(me.name).run(given.asks(me), timeout_s=_PATIENCE_S)
    except TransportError:
        session.drop(me.name)
        return Now(asked=False)
    return Now(given=given.read(result, session.plan.server_addresses))


def amiss(plan: Plan, machines: Sequence[MachineStatus]) -> Mapping[str, str]:
    """Return the machines of a lab that don't run with all their cables, each with what it is instead."""
    found = {machine.name: "not made" for machine in plan.machines}
    for machine in machines:
        unplugged = [f"{network} unplugged" for network in machine.cut_links]
        running = machine.state is MachineState.RUNNING
        found[machine.name] = ", ".join([*([] if running and unplugged else [machine.state.value]), *unplugged])
    return {name: state for name, state in found.items() if state != MachineState.RUNNING.value}
