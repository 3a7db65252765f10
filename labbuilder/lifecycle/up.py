"""Bringing a lab up, changing it and taking it down: the plan carried out, each side effect journalled first."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from labbuilder.host import progress
from labbuilder.host.journal import Journal, Record
from labbuilder.host.parallel import for_each
from labbuilder.host.store import Home, LabDir, locked, one_begins, unwritable, write_atomic
from labbuilder.lifecycle import power
from labbuilder.lifecycle.compare import outdated_machines, refuse_another_spec, refuse_taken_addresses, with_provider
from labbuilder.lifecycle.session import Session, lab_identity
from labbuilder.plan import MachinePlan, build_plan
from labbuilder.providers.base import MachineState, MachineStatus
from labbuilder.providers.registry import open_provider
from labbuilder.provisioning import Change, configure
from labbuilder.spec.load import dump_spec
from labbuilder.spec.models import LabSpec
from labbuilder.spec.providers import sections
from labbuilder.ssh.connection import warm_up
from labbuilder.ssh.shell import Shell


@dataclass(frozen=True)
class Outcome:
    """What `up` did.

    Attributes:
        started: Machines that were powered on, let go on or plugged in.
        removed: Machines that the spec no longer has, or whose hardware changed.
        changes: What was configured in them.
    """

    started: tuple[str, ...]
    removed: tuple[str, ...]
    changes: tuple[Change, ...]

    @property
    def unchanged(self) -> bool:
        """The lab was already what the spec says."""
        return not (self.started or self.removed or self.changes)


@contextmanager
def brought_up(
    spec: LabSpec, home: Home, *, reconfigure: bool = False, undo: Callable[[Session], object] | None = None
) -> Iterator[tuple[Session, Outcome]]:
    """Bring the lab up, or on from wherever it is; the lab stays locked while the block runs.

    Args:
        spec: What is asked for.
        home: Where the lab is kept.
        reconfigure: Change a lab of this name that was made from another spec.
        undo: Called when the machines are on, before they are configured: for what was left broken in them.

    Raises:
        SpecError: A lab of that name was brought up from another spec, and ``reconfigure`` is not set.
        HostError: The host can't.
        MachineError: A machine did not come up, or refused its configuration.
    """
    lab = home.lab(spec.name)
    with locked(lab):
        spec = with_provider(spec, lab)
        if lab.spec.exists() and not reconfigure:
            refuse_another_spec(spec, lab)
        removed = _make_way(spec, home, lab) if reconfigure else ()
        session = _begin(spec, home, lab)
        try:
            started = power_on(session)
            if undo is not None:
                undo(session)
            changes = _provision(session)
            yield session, Outcome(started, removed, changes)
        finally:
            session.close()


def _begin(spec: LabSpec, home: Home, lab: LabDir) -> Session:
    """Make the lab's folder and give the lab its mark, unless it has one; write down what was asked for."""
    kind, identity = spec.provider, lab_identity(lab)
    mark = identity[1] if identity else secrets.token_hex(4)
    provider = open_provider(kind, home, lab, mark, sections(kind, spec))
    if identity is None:
        provider.preflight(build_plan(spec))
    text = dump_spec(spec)
    with one_begins(home):
        refuse_taken_addresses(spec, home)
        if identity is None:
            try:
                lab.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise unwritable(lab.path, error) from error
            Journal(lab.journal).append(Record("lab", "begun", data={"provider": kind, "mark": mark}))
        session = Session(home, lab, spec, provider)
        if not lab.spec.exists() or lab.spec.read_text(encoding="utf-8") != text:
            with session.journal.effect("spec"):
                write_atomic(lab.spec, text)
    return session


def _make_way(spec: LabSpec, home: Home, lab: LabDir) -> tuple[str, ...]:
    """Remove the machines that can't become what the spec says now; their names."""
    if not lab.spec.exists():
        return ()
    with Session.open(home, lab.name) as session:
        outdated = outdated_machines(session, spec)
        for name in outdated:
            with session.journal.effect("remove", name), progress.step("remove", name):
                session.provider.destroy(name)
        return outdated


def power_on(session: Session) -> tuple[str, ...]:
    """Image, networks, then every machine that is off, paused or without a cable; returns the names of those."""
    plan, provider, journal = session.plan, session.provider, session.journal
    if not provider.has_image(plan):
        with journal.effect("image", recipe=plan.image.digest):
            provider.ensure_image(plan)
    for cut_off in journal.unfinished():
        if cut_off.effect == "restore":
            go_back(session, cut_off.data["name"])
    machines = provider.status()
    mended = _mend(session, machines)
    seen = {machine.name: machine.state for machine in machines}
    off = [m for m in plan.machines if seen.get(m.name, MachineState.STOPPED) is MachineState.STOPPED]
    if not off and plan.upstream.witness is None:  # a simulated LAN may have died beside its machines
        return mended

    at_once = power.each(provider)

    def create(machine: MachinePlan) -> None:
        with journal.effect("create", machine.name):
            provider.create(plan, machine)

    def start(machine: MachinePlan) -> None:
        with journal.effect("start", machine.name):
            provider.start(machine.name)

    with journal.effect("networks"), progress.step("networks"), ThreadPoolExecutor(1) as pool:
        networks = pool.submit(provider.ensure_networks, plan)
        at_once(off, create)
        networks.result()
    at_once(off, start)
    return tuple(dict.fromkeys([*mended, *(machine.name for machine in off)]))


def _mend(session: Session, machines: Sequence[MachineStatus]) -> tuple[str, ...]:
    """Plug what was unplugged and let go on what was paused, by hand or by a drill or snapshot that was killed."""
    for machine in machines:
        for network in machine.cut_links:
            power.set_cable(session, machine.name, network, up=True)
    paused = [machine.name for machine in machines if machine.state is MachineState.PAUSED]
    if paused:
        power.switch(session, "resume", paused)
    return tuple(m.name for m in machines if m.cut_links or m.name in paused)


def go_back(session: Session, snapshot: str) -> None:
    """Switch every machine off and bring its disk to the state that was kept; cut off, `power_on` does it again."""
    with session.journal.effect("restore", name=snapshot), progress.step("restore"):
        for_each((machine.name for machine in session.plan.machines), session.provider.kill)
        session.provider.restore_snapshot(snapshot)


def _provision(session: Session) -> tuple[Change, ...]:
    """Bring every machine to what the plan says, as soon as it answers."""
    warm_up()  # imports while the machines boot
    booting = {m.name for m in session.provider.status() if m.state is not MachineState.RUNNING}  # or died at once

    def ready_shell(name: str) -> Shell:
        if name in booting:
            power.await_ready(session, name)
        return session.shell(name)

    with session.journal.effect("provision"):
        return configure(session.plan.machines, ready_shell)
