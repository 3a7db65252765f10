"""`Lab`: the lab as a Python object. It holds no logic: spec, lifecycle, verify, failover and drill do the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from labbuilder.failover import operator
from labbuilder.failover.operator import PeerStatus
from labbuilder.host.run import Result
from labbuilder.host.store import Home, locked
from labbuilder.lifecycle import power, proof, snapshots
from labbuilder.lifecycle.compare import Difference, compare
from labbuilder.lifecycle.down import take_down
from labbuilder.lifecycle.recover import RECOVERIES, Recovery
from labbuilder.lifecycle.session import Session
from labbuilder.lifecycle.snapshots import Snapshot
from labbuilder.lifecycle.up import PHASES, REMADE, UNPROVEN, Outcome, decided
from labbuilder.plan import Plan, build_plan
from labbuilder.plan.load import load_spec, spec_from_values
from labbuilder.providers.base import MachineStatus
from labbuilder.spec.base import Model
from labbuilder.spec.load import dump_spec
from labbuilder.spec.models import Dhcp, LabSpec
from labbuilder.verify import Verification

if TYPE_CHECKING:
    from labbuilder.drill import DrillResult
    from labbuilder.drill.share import Shares


def _undo_killed_drill(session: Session, _: object) -> None:
    from labbuilder import drill  # noqa: PLC0415  0.05 s that only who breaks a lab needs

    drill.undo_killed(session)


_RECOVERIES = {**RECOVERIES, "fault": Recovery(_undo_killed_drill, running=True)}


class Lab:
    """A lab that is described, brought up, proven and taken down.

    Described by calls, it starts empty; `Lab.from_file` and `Lab.from_spec` start from a whole spec::

        lab = Lab("aula").add_server().add_server().add_client().up()
        lab.verify().raise_for_failures()
        lab.down()

    As a context manager it is brought up at the start of the block and taken down at its end; a lab that was there
    before this object brought it up runs on.

    Args:
        name: The lab's name.
        home: Where labs and images are kept; default: as ``LABBUILDER_HOME`` or XDG say.
    """

    def __init__(self, name: str = "aula", *, home: Home | None = None) -> None:
        self._home = home or Home.default()
        self._values: dict[str, Any] = {"name": name, "servers": [], "clients": []}
        self._session: Session | None = None
        self._outcome: Outcome | None = None
        self._made = False  # the lab was not there before this object brought it up

    @classmethod
    def from_spec(cls, spec: LabSpec, *, home: Home | None = None) -> Self:
        """A lab from a spec that is whole."""
        lab = cls(spec.name, home=home)
        lab._values = {field: getattr(spec, field) for field in spec.model_fields_set | {"name"}}
        lab._values.setdefault("servers", spec.servers)
        lab._values.setdefault("clients", spec.clients)
        return lab

    @classmethod
    def from_file(cls, path: str | Path, *, home: Home | None = None) -> Self:
        """A lab from a YAML file.

        Raises:
            SpecError: The file is not there or is no spec; every wrong value is named with its line.
        """
        return cls.from_spec(load_spec(Path(path)), home=home)

    def add_server(self, name: str | None = None, *, internal: str | None = None, bridged: str | None = None) -> Self:
        """Add a server; the first is the failover primary.

        Args:
            name: Default: server1, server2.
            internal: Address on the internal network; default: .1, .2.
            bridged: Address on the bridged network; default: the 11th, 12th of the subnet.
        """
        servers = self._values["servers"]
        asked = {"name": name or f"server{len(servers) + 1}", "internal": internal, "bridged": bridged}
        return self._change(servers=[*servers, {k: v for k, v in asked.items() if v is not None}])

    def add_client(self, name: str | None = None) -> Self:
        """Add a client; its name is client1, client2 by default."""
        clients = self._values["clients"]
        return self._change(clients=[*clients, {"name": name or f"client{len(clients) + 1}"}])

    def add_clients(self, count: int) -> Self:
        """Add so many clients."""
        for _ in range(count):
            self.add_client()
        return self

    def failover(self, **settings: Any) -> Self:
        """Say how two servers share the pool, by the spec's names: ``failover(mode="hot-standby", engine="kea")``."""
        if not settings:
            return self
        dhcp = self._values.get("dhcp") or {}
        dhcp = dhcp.model_dump(exclude_unset=True) if isinstance(dhcp, Dhcp) else dict(dhcp)
        return self._change(dhcp={**dhcp, "failover": {**(dhcp.get("failover") or {}), **settings}})

    def gateway(self, **settings: Any) -> Self:
        """Say who is the clients' gateway, by the spec's names: ``gateway(redundancy="vrrp", advert_ms=200)``."""
        return self.section("gateway", **settings)

    def section(self, key: str, **settings: Any) -> Self:
        """Set some keys of a section of the spec, by their YAML names; the others stay as they are.

        ``section("dns", domain="lab.test")``; a provider's settings too.
        """
        known = self._values.get(key) or {}
        known = known.model_dump(exclude_unset=True) if isinstance(known, Model) else dict(known)
        return self._change(**{key: {**known, **settings}}) if settings else self

    def set(self, **sections: Mapping[str, Any] | Sequence[Any] | str | int | None) -> Self:
        """Set sections of the spec by their YAML names: ``set(dhcp={"default_lease_s": 120})``."""
        return self._change(**sections)

    def _change(self, **values: Any) -> Self:
        self._values.update(values)
        return self

    @property
    def spec(self) -> LabSpec:
        """What was asked for.

        Raises:
            SpecError: It can't be; every problem is named.
        """
        return spec_from_values(**self._values)

    @property
    def name(self) -> str:
        """The lab's name."""
        return str(self._values["name"])

    def to_yaml(self) -> str:
        """The spec as YAML; `from_file` reads it back without loss."""
        return dump_spec(self.spec)

    def plan(self) -> Plan:
        """What follows from the spec, to the last byte of every file; nothing is made."""
        return build_plan(self.spec)

    def render(self, folder: str | Path) -> list[Path]:
        """Write all files of all machines below ``folder``/MACHINE/; return their paths."""
        written = []
        for machine in self.plan().machines:
            for file in (*machine.files, *machine.seeds, *machine.own_files):
                target = Path(folder) / machine.name / file.path.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(file.text, encoding="utf-8")
                target.chmod(file.mode)
                written.append(target)
        return written

    def hand_out(self, folder: str | Path) -> list[Path]:
        """Write a folder from which the lab is built and configured without labbuilder; return the paths.

        Raises:
            SpecError: The folder is not empty.
            HostError: What its machines start from can't be made here.
        """
        from labbuilder.lifecycle import handout  # noqa: PLC0415  who asks for it

        return handout.hand_out(self.spec, self._home, Path(folder))

    def up(self, *, verify: bool = True, reconfigure: bool = False) -> Self:
        """Bring the lab up and prove it; a lab that is up already is left as it is.

        Args:
            verify: Run every check at the end.
            reconfigure: Change a lab of this name that was made from another spec.

        Raises:
            VerificationError: It is up, but a check failed.
            SpecError, HostError, MachineError, WaitError: It is not up.
        """
        self.close()
        with decided(self.spec, self._home, reconfigure=reconfigure, recoveries=_RECOVERIES) as work:
            self._made = self._made or work.is_new
            try:
                work.carry_out(PHASES if verify else UNPROVEN)
            finally:
                self._outcome = work.outcome
        return self

    @property
    def outcome(self) -> Outcome | None:
        """What the last `up` or `remake` did."""
        return self._outcome

    def verify(self, *, reboot: bool = False) -> Verification:
        """Ask every check of the running lab.

        Args:
            reboot: Reboot the servers one after the other and ask everything again after each.
        """
        if not reboot:
            return proof.verify(self._opened())
        with self.locked_session() as session:
            return proof.verify(session, reboot=True)

    def difference(self) -> Difference:
        """What `up` would do."""
        return compare(self.spec, self._home)

    def status(self) -> tuple[MachineStatus, ...]:
        """The machines as the provider sees them now."""
        return self._opened().provider.status()

    def run(self, machine: str, command: str, *, timeout_s: float | None = 60.0) -> Result:
        """Run a line of shell as root in a machine; its exit status is in the result. At the limit it is ended."""
        return self._opened().shell(machine).run(command, attached=True, timeout_s=timeout_s)

    def drill(self, name: str, *, seed: int = 1) -> DrillResult:
        """Break the running lab in the way called ``name``, measure what its clients felt, and repair it.

        Args:
            name: One of `labbuilder.drill.titles()`: "crash-primary".
            seed: Of the clients' MACs.

        Raises:
            SpecError: There is no such drill for this lab.
            VerificationError: The lab fails a check already; nothing was touched.
            MachineError: It could not be carried out, or repaired: then it says what is left.
        """
        with self.locked_session() as session:
            from labbuilder import drill  # noqa: PLC0415  see above

            return drill.drill(session, name, seed=seed)

    def stop(self, *machines: str) -> None:
        """Shut these machines down in order; with no name, as in the next five, all."""
        self._switch("stop", machines)

    def kill(self, *machines: str) -> None:
        """Cut their power."""
        self._switch("kill", machines)

    def start(self, *machines: str) -> None:
        """Switch them on and wait until they answer; `up` also configures and proves them."""
        self._switch("start", machines)

    def pause(self, *machines: str) -> None:
        """Freeze them; their wires stay."""
        self._switch("pause", machines)

    def resume(self, *machines: str) -> None:
        """Let those that were paused go on."""
        self._switch("resume", machines)

    def reboot(self, *machines: str) -> None:
        """Reboot them in order and wait until they answer."""
        self._switch("reboot", machines)

    def _switch(self, word: power.Word, machines: Sequence[str]) -> None:
        with self.locked_session() as session:
            names = [session.machine(name).name for name in machines] or [m.name for m in session.plan.machines]
            power.refuse(session, word, names)
            power.switch(session, word, names)

    def remake(self, *machines: str, verify: bool = True) -> Self:
        """Make these machines anew, with all that they kept lost, and prove the lab; the others stay as they are.

        Args:
            machines: Their names.
            verify: Run every check at the end.

        Raises:
            SpecError: There is no such lab or machine.
            VerificationError: They are there, but a check failed.
        """
        self.close()
        with Session.open(self._home, self.name) as session:
            spec, names = session.spec, tuple(session.machine(name).name for name in machines)
        with decided(spec, self._home, recoveries=_RECOVERIES) as work:
            work.outdated = names
            try:
                work.carry_out(REMADE if verify else REMADE[:-1])
            finally:
                self._outcome = work.outcome
        return self

    def unplug(self, machine: str, network: str = "internal") -> None:
        """Pull a machine's cable; `plug` puts it back, and `up` does."""
        with self.locked_session() as session:
            power.set_cable(session, machine, network, up=False)

    def plug(self, machine: str, network: str = "internal") -> None:
        """Put a machine's cable back."""
        with self.locked_session() as session:
            power.set_cable(session, machine, network, up=True)

    def failover_status(self) -> list[PeerStatus]:
        """Both servers as the pair's operator sees them: role, state, who serves.

        Raises:
            SpecError: The lab has no pair.
        """
        return list(operator.status(self._opened()))

    def takeover(self, server: str, *, force: bool = False) -> PeerStatus:
        """In manual mode, let the second server serve; with ``force``, even while the primary still answers.

        Raises:
            SpecError: The lab's mode has no such word, or the server is not the second.
            MachineError: The partner answers, or it can't.
        """
        with self.locked_session() as session:
            return operator.takeover(session, server, force=force)

    def giveback(self) -> PeerStatus:
        """In manual mode, let the primary serve again, with the leases that were given meanwhile.

        Raises:
            SpecError: The lab's mode has no such word.
            MachineError: It can't.
        """
        with self.locked_session() as session:
            return operator.giveback(session)

    def partner_down(self, server: str, *, force: bool = False) -> PeerStatus:
        """In an automatic mode, tell a server that its partner is gone for good; forced, even while it still answers.

        Raises:
            SpecError: The lab's mode has no such word.
            MachineError: The partner answers, or it can't.
        """
        with self.locked_session() as session:
            return operator.partner_down(session, server, force=force)

    def share(self, *, clients: int = 200, seed: int = 1) -> Shares:
        """Let new clients ask once, and count how many each server answers.

        Args:
            clients: So many.
            seed: Of their MACs.
        """
        with self.locked_session() as session:
            from labbuilder.drill.share import shares  # noqa: PLC0415  see above

            return shares(session, clients=clients, seed=seed)

    def save(self, snapshot: str) -> Snapshot:
        """Keep the state of every machine under that name; the lab runs on."""
        with self.locked_session() as session:
            return snapshots.save(session, snapshot)

    def restore(self, snapshot: str, *, verify: bool = True) -> Self:
        """Bring every machine back to the state that was kept, and on, and prove it.

        Raises:
            VerificationError: It is back, but a check failed to the end: was the lab broken when it was kept?
        """
        with self.locked_session() as session:
            snapshots.restore(session, snapshot)
            if verify:
                proof.verify(session, within_s=proof.SETTLE_AFTER_REBOOT_S).raise_for_failures()
        return self

    def forget(self, snapshot: str) -> None:
        """Delete a snapshot."""
        with self.locked_session() as session:
            snapshots.delete(session, snapshot)

    def snapshots(self) -> tuple[Snapshot, ...]:
        """What was kept, oldest first."""
        return snapshots.snapshots(self._opened())

    @contextmanager
    def locked_session(self) -> Iterator[Session]:
        """The running lab, for what changes it: no other labbuilder does meanwhile."""
        self.close()  # machines may go away, and its connections with them
        with locked(self._home.lab(self.name)), Session.open(self._home, self.name) as session:
            yield session

    def session(self) -> Session:
        """The running lab: its provider, plan and connections, for what this class has no word for."""
        return self._opened()

    def _opened(self) -> Session:
        if self._session is None:
            self._session = Session.open(self._home, self.name)
        return self._session

    def down(self) -> bool:
        """Remove everything of the lab; False when there was nothing.

        Raises:
            ResidueError: Something is left.
        """
        self.close()
        gone = take_down(self._home, self.name)
        self._made = False
        return gone

    def close(self) -> None:
        """Close the connections; the lab runs on."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self) -> Self:
        try:
            return self.up()
        except BaseException:
            self._leave()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        """Take the lab down, if it was made here; one that was there before runs on."""
        self.down() if self._made else self.close()
