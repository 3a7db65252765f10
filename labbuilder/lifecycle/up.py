"""Bringing a lab up, or on from wherever it is: a list of phases over one context."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

from labbuilder.errors import LabError, MachineError, RejectedConfigError, TransportError, WaitError
from labbuilder.host import progress
from labbuilder.host.journal import Record
from labbuilder.host.store import Home, locked, one_begins, write_atomic
from labbuilder.lifecycle import mend, power, proof
from labbuilder.lifecycle.compare import (
    another_spec,
    outdated_machines,
    refuse_taken_addresses,
    with_provider,
)
from labbuilder.lifecycle.down import finish_begun
from labbuilder.lifecycle.identity import Identity, lab_identity, refuse_lost
from labbuilder.lifecycle.mend import Mending
from labbuilder.lifecycle.recover import RECOVERIES, Recovery, close_rest, recover
from labbuilder.lifecycle.session import Session
from labbuilder.plan import MachinePlan, Plan, build_plan
from labbuilder.plan.load import load_spec
from labbuilder.providers.base import MachineState, MachineStatus
from labbuilder.provisioning import Change
from labbuilder.spec.load import dump_spec
from labbuilder.spec.models import LabSpec
from labbuilder.ssh.connection import warm_up


@dataclass(frozen=True)
class Outcome:
    """What `up` did.

    Attributes:
        started: Machines that were powered on, let go on or plugged in.
        removed: Machines that the spec no longer has, or whose hardware changed.
        changes: What was configured in them.
        mended: Machines that got back what they lacked of their image.
        remade: Machines that were made anew, since nothing less helped.
    """

    started: tuple[str, ...]
    removed: tuple[str, ...]
    changes: tuple[Change, ...]
    mended: tuple[str, ...] = ()
    remade: tuple[str, ...] = ()

    @property
    def unchanged(self) -> bool:
        """The lab was already what the spec says."""
        return not (self.started or self.removed or self.changes or self.mended)


@dataclass
class Work:
    """What the phases share: the lab's context, what was decided, and what they have done so far.

    Attributes:
        session: The lab, as it is asked for: identity, plan, provider, journal.
        is_new: There was nothing of it.
        before: The spec that the lab was made from, where that is another.
        reconfigure: Change a lab that was made from another spec.
        recoveries: What is done about each effect that a killed command left open.
        outdated: Machines that can't become what the spec says now.
        seen: The machines, before any is switched on.
        beside: One thing that is done while the phases go on.
        networks: Done when they are there.
        mending: What is done about machines that can't be configured.
        started: As in `Outcome`; so are the next three.
    """

    session: Session
    is_new: bool = False
    before: LabSpec | None = None
    reconfigure: bool = False
    recoveries: Mapping[str, Recovery] = field(default_factory=lambda: RECOVERIES)
    outdated: tuple[str, ...] = ()
    seen: Sequence[MachineStatus] = ()
    beside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    networks: Future[None] | None = None
    mending: Mending = field(init=False)
    started: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    remade: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.mending = Mending(self.session)

    @property
    def plan(self) -> Plan:
        """What there will be."""
        return self.session.plan

    @property
    def off(self) -> tuple[MachinePlan, ...]:
        """The machines that are to be made, or only switched on."""
        states = {machine.name: machine.state for machine in self.seen}
        stopped = MachineState.STOPPED
        return tuple(m for m in self.plan.machines if states.get(m.name, stopped) is stopped)

    @property
    def outcome(self) -> Outcome:
        """What was done."""
        return Outcome(self.started, self.removed, self.changes, tuple(sorted(self.mending.mended)), self.remade)

    def carry_out(self, phases: Sequence[Callable[[Work], object]]) -> Outcome:
        """Go through the phases; return what was done.

        Raises:
            SpecError: A lab of that name was brought up from another spec, and `reconfigure` is not set.
            HostError: The host can't.
            MachineError: A machine did not come up, or refused its configuration.
            VerificationError: It is up, but a check failed.
        """
        with self.beside:
            for phase in phases:
                phase(self)
        return self.outcome


@contextmanager
def decided(
    spec: LabSpec,
    home: Home,
    *,
    reconfigure: bool = False,
    recoveries: Mapping[str, Recovery] = RECOVERIES,
) -> Iterator[Work]:
    """Decide where the lab lives and what it is called there; the lab stays locked while the block runs.

    Args:
        spec: What is asked for.
        home: Where the lab is kept.
        reconfigure: Change a lab of this name that was made from another spec.
        recoveries: What is done about each effect that a killed command left open.

    Raises:
        SpecError: It is somewhere else already, or there is no such provider.
        HostError: Another labbuilder works on it.
        ResidueError: Its journal is lost.
    """
    lab = home.lab(spec.name)
    with locked(lab):
        finish_begun(home, lab)
        refuse_lost(lab)
        known = lab_identity(lab)
        spec = with_provider(spec, lab)
        before = load_spec(lab.spec) if lab.spec.exists() else None
        identity = known or Identity(spec.provider, secrets.token_hex(4))
        with Session(home, lab, identity, spec) as session:
            other = None if before == spec else before
            yield Work(session, known is None, other, reconfigure, recoveries)


def refuse(work: Work) -> None:
    """Refuse what can't be, before anything is made, changed or removed."""
    session = work.session
    if work.before is not None:
        there = build_plan(work.before)  # of the lab that is there: another one
        if there != work.plan and not work.reconfigure:  # the same may be said in other words
            raise another_spec(work.before, session.spec)
        work.outdated = outdated_machines((work.before, there), (session.spec, work.plan))
    if work.is_new:
        session.provider.preflight(work.plan)
    refuse_taken_addresses(session.spec, session.home)


def make_way(work: Work) -> None:
    """Remove the machines that can't become what the spec says now."""
    for name in work.outdated:
        with work.session.journal.effect("remove", name), progress.step("remove", name):
            work.session.provider.destroy(name)
    work.removed, work.outdated = (*work.removed, *work.outdated), ()


def write_down(work: Work) -> None:
    """Write down the lab's identity and what was asked for: from here on the lab is there."""
    session, lab = work.session, work.session.lab
    text = dump_spec(session.spec)
    with one_begins(session.home):
        refuse_taken_addresses(session.spec, session.home)  # somebody may have come since
        if work.is_new:
            lab.make()
            image = session.provider.image_name(work.plan)  # so that it is kept if all else is lost
            session.journal.append(Record("lab", "begun", data={**session.identity._asdict(), "image": image}))
        if not lab.spec.exists() or lab.spec.read_text(encoding="utf-8") != text:
            with session.journal.effect("spec"):
                write_atomic(lab.spec, text)


def image(work: Work) -> None:
    """Make what the machines start from, unless it is there."""
    session = work.session
    if session.provider.has_image(work.plan):
        return
    try:
        with session.journal.effect("image", recipe=work.plan.image.digest):
            session.provider.ensure_image(work.plan)
    except LabError:
        if work.is_new:  # there is nothing of it but its name
            session.lab.remove()
        raise


def recover_disks(work: Work) -> None:
    """Undo or go on with what a killed command left of machines and snapshots."""
    recover(work.session, work.recoveries, running=False)


def networks(work: Work) -> None:
    """Begin to bring up the networks, unless all machines are on; `machines` makes disks and keys meanwhile."""
    session = work.session
    work.seen = session.provider.status()
    if not work.off and work.plan.upstream.witness is None:  # a simulated LAN may have died beside its machines
        return

    def ensure() -> None:
        with session.journal.effect("networks"), progress.step("networks"):
            session.provider.ensure_networks(work.plan)

    work.networks = work.beside.submit(ensure)


def machines(work: Work) -> None:
    """Mend what was paused or unplugged by hand, by a drill or a snapshot; make and start every machine that is off."""
    session = work.session
    mended = _mend(session, work.seen)
    each = power.each(session.provider)

    def create(machine: MachinePlan) -> None:
        with session.journal.effect("create", machine.name):
            session.provider.create(work.plan, machine)

    def start(machine: MachinePlan) -> None:
        with session.journal.effect("start", machine.name):
            session.provider.start(machine.name)

    each(work.off, create)
    if work.networks is not None:
        work.networks.result()
    each(work.off, start)
    work.started = tuple(dict.fromkeys([*work.started, *mended, *(machine.name for machine in work.off)]))


def _mend(session: Session, seen: Sequence[MachineStatus]) -> tuple[str, ...]:
    for machine in seen:
        for network in machine.cut_links:
            power.set_cable(session, machine.name, network, up=True)
    paused = [machine.name for machine in seen if machine.state is MachineState.PAUSED]
    if paused:
        power.switch(session, "resume", paused)
    return tuple(m.name for m in seen if m.cut_links or m.name in paused)


def recover_machines(work: Work) -> None:
    """Undo what a killed command left broken in the machines, which are on."""
    recover(work.session, work.recoveries, running=True)


def provision(work: Work) -> None:
    """Bring every machine to what the plan says, as soon as it answers."""
    warm_up()  # imports while the machines boot
    try:
        _configure(work)
    except (MachineError, TransportError, WaitError) as error:
        if not work.reconfigure or error.machine is None or isinstance(error, RejectedConfigError):
            raise
        work.outdated = work.remade = (error.machine,)
        for phase in (make_way, networks, machines):
            phase(work)
        _configure(work)
    close_rest(work.session)


def _configure(work: Work, anew: mend.Reasons = MappingProxyType({})) -> None:
    """Configure all machines, and apply some steps whatever they say of themselves."""
    session = work.session
    booting = {m.name for m in session.provider.status() if m.state is not MachineState.RUNNING}  # or died at once
    with session.journal.effect("provision"):
        work.changes += work.mending.configured(booting, anew)


def prove(work: Work) -> None:
    """Ask every check; what fails is applied again, then everything, and the last resort is another machine.

    Raises:
        VerificationError: All that is not enough.
    """
    session = work.session
    found = proof.verify(session)
    if not found.passed and mend.is_ours(session, found):
        work.mending.put_back_changed(found)
        _configure(work, mend.concerned(work.plan, found))
        found = proof.verify(session)
    if not found.passed and mend.is_ours(session, found):
        work.mending.put_back_everywhere()
        _configure(work, mend.all_steps(work.plan, f"{len(found.failures)} checks fail"))
        found = proof.verify(session)
    if not found.passed and work.reconfigure and not mend.taken_over(session):
        work.outdated = mend.culprits(work.plan, found)
        work.remade = tuple(dict.fromkeys([*work.remade, *work.outdated]))
        for phase in ANEW:
            phase(work)
        found = proof.verify(session)
    mend.raise_unmended(session, found)


SWITCH_ON = (image, recover_disks, networks, machines)
ANEW = (make_way, networks, machines, provision)
PHASES = (refuse, make_way, write_down, *SWITCH_ON, recover_machines, provision, prove)
UNPROVEN = PHASES[:-1]
REMADE = PHASES[1:]  # after somebody has said which machines are made anew


@contextmanager
def brought_up(
    spec: LabSpec, home: Home, *, reconfigure: bool = False, recoveries: Mapping[str, Recovery] = RECOVERIES
) -> Iterator[tuple[Session, Outcome]]:
    """Bring the lab up without proof; it stays locked while the block runs. Arguments and errors are `decided`'s."""
    with decided(spec, home, reconfigure=reconfigure, recoveries=recoveries) as work:
        yield work.session, work.carry_out(UNPROVEN)
