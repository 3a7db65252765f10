"""Bringing a lab up, changing it and taking it down: the plan carried out, each side effect journalled first."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from labbuilder import progress, transport
from labbuilder.errors import ResidueError, SpecError
from labbuilder.journal import Journal, Record
from labbuilder.parallel import for_each, one_by_one
from labbuilder.plan import MachinePlan, Plan, build_plan
from labbuilder.providers.base import MachineState, MachineStatus, ManyAtOnce, Provider
from labbuilder.providers.choice import choose, open_provider
from labbuilder.providers.images import ImageCache
from labbuilder.provisioning import Change, FileDiff, configure, difference
from labbuilder.session import Session, lab_identity
from labbuilder.spec.load import dump_spec, load_spec
from labbuilder.spec.models import LabSpec
from labbuilder.spec.providers import Incus
from labbuilder.store import Home, LabDir, locked, one_begins, remove_tree, unwritable, write_atomic
from labbuilder.transport import Shell
from labbuilder.verify import Verification, checks_for, run_checks

SETTLE_AFTER_REBOOT_S = 90.0  # a failover pair that missed each other retries after 5 s, under load more than once


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
        spec = _with_provider(spec, lab)
        removed = _agree_with_what_runs(spec, home, lab, reconfigure=reconfigure)
        session = _begin(spec, home, lab)
        try:
            started = power_on(session)
            if undo is not None:
                undo(session)
            changes = _provision(session)
            yield session, Outcome(started, removed, changes)
        finally:
            session.close()


def _with_provider(spec: LabSpec, lab: LabDir) -> LabSpec:
    """The spec with "auto" decided: once for a lab.

    Raises:
        SpecError: The lab is elsewhere already.
    """
    identity = lab_identity(lab)
    if identity is not None:
        kind = identity[0]
        if spec.provider not in ("auto", kind):
            raise SpecError(
                brief=f"the lab {lab.name} is on {kind} already, and can't be moved to {spec.provider}",
                resolution=f"labbuilder down --lab {lab.name}, then labbuilder up; --name gives this one another name",
            )
    else:
        kind, why = choose(spec.provider)
        with progress.step("provider") as step:
            step.detail = f"{kind} ({why})"
    return spec.model_copy(update={"provider": kind})


def _begin(spec: LabSpec, home: Home, lab: LabDir) -> Session:
    """Make the lab's folder and give the lab its mark, unless it has one; write down what was asked for."""
    kind, identity = spec.provider, lab_identity(lab)
    mark = identity[1] if identity else secrets.token_hex(4)
    provider = open_provider(kind, home, lab, mark, spec.incus)
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


def refuse_taken_addresses(spec: LabSpec, home: Home) -> None:
    """Nothing, unless the lab is bridged to a real LAN on which another lab has one of its addresses.

    Raises:
        SpecError: Which lab has it.
    """
    asked = {spec.bridged_address(index).ip for index in range(len(spec.servers))}
    others = (home.lab(name).spec for name in home.lab_names() if name != spec.name and spec.real_lan is not None)
    for other in (load_spec(path) for path in others if path.exists()):
        taken = asked & {other.bridged_address(index).ip for index in range(len(other.servers))}
        if taken and other.real_lan == spec.real_lan:
            raise SpecError(
                brief=f"on the real LAN {', '.join(map(str, sorted(taken)))} is taken by the lab {other.name}",
                resolution=f"give each server of its own a `bridged:` address, or labbuilder down --lab {other.name}",
            )


def _agree_with_what_runs(spec: LabSpec, home: Home, lab: LabDir, *, reconfigure: bool) -> tuple[str, ...]:
    """Refuse another spec under the same name; with ``reconfigure``, remove the machines that must go."""
    if not lab.spec.exists():
        return ()
    before = load_spec(lab.spec)
    if before == spec or build_plan(before) == build_plan(spec):  # said in other words
        return ()
    if not reconfigure:
        raise SpecError(
            brief=f"the lab {lab.name} is already there, made from another spec",
            details="\n".join(_spec_differences(before, spec)),
            resolution=f"labbuilder up --reconfigure changes it; labbuilder down --lab {lab.name} removes it; "
            "--name gives this one another name",
        )
    with Session.open(home, lab.name) as session:
        return _remove_outdated(session, spec)


def _spec_differences(before: LabSpec, after: LabSpec) -> list[str]:
    old, new = (_flat(spec.model_dump(mode="json")) for spec in (before, after))
    places = [*old, *(place for place in new if place not in old)]
    said = [(place, old.get(place, "nothing"), new.get(place, "nothing")) for place in places]
    return [f"{place}: {there} is there, {asked} is asked for" for place, there, asked in said if there != asked]


def _flat(values: Any, place: str = "") -> dict[str, str]:
    """Each value by its place, as errors name it: dhcp.failover.mode, servers[0].name."""
    if isinstance(values, dict):
        parts = [(f"{place}.{key}" if place else key, value) for key, value in values.items()]
    elif isinstance(values, list):
        parts = [(f"{place}[{number}]", value) for number, value in enumerate(values)]
    else:
        return {place: "nothing" if values is None else str(values)}
    return {where: text for part, value in parts for where, text in _flat(value, part).items()}


def _remove_outdated(session: Session, spec: LabSpec) -> tuple[str, ...]:
    outdated = _outdated(session, spec)
    for name in outdated:
        with session.journal.effect("remove", name), progress.step("remove", name):
            session.provider.destroy(name)
    return outdated


def _outdated(session: Session, spec: LabSpec) -> tuple[str, ...]:
    """The machines that can't become what another spec says of them: they go, with their disks.

    Raises:
        SpecError: None can; the lab must be made anew.
    """
    before, plan = session.plan, build_plan(spec)
    ground = [(p.image, p.upstream, p.virtualbox, p.vagrant, p.incus) for p in (before, plan)]
    if ground[0] != ground[1]:
        raise SpecError(
            brief=f"the lab {plan.lab} can't be changed in place: its image, its LAN or its hardware would differ",
            resolution=f"labbuilder down --lab {plan.lab}, then labbuilder up",
        )
    wanted = {machine.name: machine.nics for machine in plan.machines}
    ways = [(s.dhcp.failover.engine, s.dhcp.failover.mode) for s in (session.spec, spec)]
    other = ways[0] != ways[1]  # one engine can't read the other's leases, nor one mode another's shares of the pool
    return tuple(m.name for m in before.machines if other or wanted.get(m.name) != m.nics)


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

    each = for_each if isinstance(provider, ManyAtOnce) else one_by_one

    def create(machine: MachinePlan) -> None:
        with journal.effect("create", machine.name):
            provider.create(plan, machine)

    def start(machine: MachinePlan) -> None:
        with journal.effect("start", machine.name):
            provider.start(machine.name)

    with journal.effect("networks"), progress.step("networks"), ThreadPoolExecutor(1) as pool:
        networks = pool.submit(provider.ensure_networks, plan)
        each(off, create)
        networks.result()
    each(off, start)
    return tuple(dict.fromkeys([*mended, *(machine.name for machine in off)]))


def _mend(session: Session, machines: Sequence[MachineStatus]) -> tuple[str, ...]:
    """Plug what was unplugged and let go on what was paused, by hand or by a drill or snapshot that was killed."""
    provider, journal = session.provider, session.journal
    for machine in machines:
        for network in machine.cut_links:
            with journal.effect("plug", machine.name, network=network), progress.step("plug", machine.name):
                provider.set_link(machine.name, network, up=True)
        if machine.state is MachineState.PAUSED:
            with journal.effect("resume", machine.name), progress.step("resume", machine.name):
                provider.resume(machine.name)
    return tuple(m.name for m in machines if m.cut_links or m.state is MachineState.PAUSED)


def go_back(session: Session, snapshot: str) -> None:
    """Switch every machine off and bring its disk to the state that was kept; cut off, `power_on` does it again."""
    with session.journal.effect("restore", name=snapshot), progress.step("restore"):
        for_each((machine.name for machine in session.plan.machines), session.provider.kill)
        session.provider.restore_snapshot(snapshot)


def _provision(session: Session) -> tuple[Change, ...]:
    """Bring every machine to what the plan says, as soon as it answers."""
    transport.warm_up()  # imports while the machines boot
    booting = {m.name for m in session.provider.status() if m.state is not MachineState.RUNNING}  # or died at once

    def ready_shell(name: str) -> Shell:
        if name in booting:
            with progress.step("boot", name):
                session.provider.wait_ready(name)
        return session.shell(name)

    with session.journal.effect("provision"):
        return configure(session.plan.machines, ready_shell)


def verify(session: Session, *, reboot: bool = False, within_s: float = 0.0) -> Verification:
    """Ask every check; with ``reboot``, reboot the servers one after the other and ask again after each."""
    checks = checks_for(session.plan, session.spec)
    with progress.step("verify") as step:
        found = run_checks(checks, session.shell, lab=session.plan.lab, within_s=within_s)
        step.detail = f"{len(found.outcomes) - len(found.failures)} of {len(found.outcomes)} checks passed"
    if not reboot:
        return found
    for server in session.plan.servers:
        with session.journal.effect("reboot", server.name), progress.step("reboot", server.name):
            session.drop(server.name)
            session.provider.reboot(server.name)
        with progress.step("verify") as step:
            again = run_checks(checks, session.shell, lab=session.plan.lab, within_s=SETTLE_AFTER_REBOOT_S)
            step.detail = f"after the reboot of {server.name}"
        found = found.followed_by(again, rebooted=server.name)
    return found


def begun(home: Home, name: str) -> tuple[str, ...]:
    """What there is of a lab whose `up` was cut off: its machines, and the steps that were not ended."""
    lab = home.lab(name)
    identity = lab_identity(lab)
    if identity is None:
        return ()
    machines = _remembered(home, lab, *identity).status()
    cut_off = [f"{r.effect} {r.machine or ''}".rstrip() for r in Journal(lab.journal).unfinished() if r.effect != "lab"]
    return (
        *(f"{machine.name} is {machine.state}" for machine in machines),
        *([f"not ended: {', '.join(cut_off)}"] if cut_off else []),
    )


@dataclass(frozen=True)
class Difference:
    """What `up` would do.

    Attributes:
        create: Machines that don't exist, or are made anew.
        start: Machines that exist and are off.
        remove: Machines that the spec no longer has, or that can't become what it says now: they lose their disks.
        files: Files that differ in running machines.
        services: "machine: service" pairs that are not in effect.
    """

    create: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    files: tuple[FileDiff, ...] = ()
    services: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """`up` would do nothing."""
        return not (self.create or self.start or self.remove or self.files or self.services)


def compare(spec: LabSpec, home: Home) -> Difference:
    """Look at what runs and say what `up` would do about it; changes nothing.

    Raises:
        SpecError: `up` would refuse: the lab can't be changed in place.
    """
    spec = _with_provider(spec, home.lab(spec.name))
    plan = build_plan(spec)
    if not home.lab(spec.name).spec.exists():
        return Difference(create=tuple(machine.name for machine in plan.machines))
    with Session.open(home, spec.name) as session:
        seen = {machine.name: machine.state for machine in session.provider.status()}
        outdated = _outdated(session, spec)
        fits = {m.name: m.name in seen and m.name not in outdated for m in plan.machines}
        running = [m for m in plan.machines if fits[m.name] and seen[m.name] is not MachineState.STOPPED]

        def look(machine: MachinePlan) -> tuple[tuple[FileDiff, ...], tuple[str, ...]]:
            return difference(machine, session.shell(machine.name))

        found = for_each(running, look)
        return Difference(
            create=tuple(name for name, fit in fits.items() if not fit),
            start=tuple(name for name, fit in fits.items() if fit and seen[name] is MachineState.STOPPED),
            remove=tuple(sorted(name for name in seen if not fits.get(name))),
            files=tuple(file for files, _ in found for file in files),
            services=tuple(
                f"{machine.name}: {service}"
                for machine, (_, services) in zip(running, found, strict=True)
                for service in services
            ),
        )


def take_down(home: Home, name: str) -> bool:
    """Remove everything of the lab and look whether it is gone; False when there was nothing.

    Raises:
        ResidueError: Something is left.
    """
    lab = home.lab(name)
    if not lab.path.exists():
        return False
    with locked(lab), progress.step("down"):
        identity = lab_identity(lab)
        if identity is not None:
            provider = _remembered(home, lab, *identity)
            Journal(lab.journal).append(Record("down", "begun"))
            provider.destroy_all()
            _raise_if_residue(provider, lab)
        remove_tree(lab.path)  # the journal goes last: until then `down` can be told again
        return identity is not None


def _remembered(home: Home, lab: LabDir, kind: str, mark: str) -> Provider:
    """The provider of a lab of which there may be no more than its first record."""
    known = kind == "incus" and lab.spec.exists()  # a spec that is refused by now is no obstacle for the others
    settings = load_spec(lab.spec).incus if known else Incus()
    return open_provider(kind, home, lab, mark, settings)


def _raise_if_residue(provider: Provider, lab: LabDir) -> None:
    left = provider.residue()
    if left:
        raise ResidueError(
            brief=f"{len(left)} things of the lab {lab.name} are still there",
            details="\n".join(left),
            resolution=f"labbuilder down --lab {lab.name} tries again",
        )


def build_image(spec: LabSpec, home: Home) -> str | None:
    """Make what the spec's machines start from, unless it is there; its name in the cache."""
    plan, provider = _planned(spec, home)
    provider.ensure_image(plan)
    return provider.image_name(plan)


@dataclass(frozen=True)
class Pruned:
    """What `prune_images` did.

    Attributes:
        removed: The images; on a server, with its name.
        left: Servers whose images could not be looked at or removed, and why.
    """

    removed: tuple[str, ...]
    left: tuple[str, ...]


def prune_images(home: Home) -> Pruned:
    """Remove the images that no lab uses, here and on the Incus servers that are known."""
    from labbuilder.providers.incus.pruning import prune_servers  # noqa: PLC0415  who asks for it

    specs = [load_spec(home.lab(name).spec) for name in home.lab_names() if home.lab(name).spec.exists()]
    names = (provider.image_name(plan) for plan, provider in (_planned(spec, home) for spec in specs))
    here = ImageCache(home).prune(frozenset(name for name in names if name))
    there = prune_servers(home, (spec.incus.remote for spec in specs if spec.provider == "incus"))
    return Pruned(
        (*(image.name for image in here), *(f"{name} on {p.server}" for p in there for name in p.removed)),
        tuple(f"{p.server}: {p.refused}" for p in there if p.refused),
    )


def _planned(spec: LabSpec, home: Home) -> tuple[Plan, Provider]:
    """The plan of a lab that may not exist, and a provider that is asked about its image alone."""
    lab = home.lab(spec.name)
    whole = _with_provider(spec, lab)
    return build_plan(whole), open_provider(whole.provider, home, lab, "", whole.incus)
