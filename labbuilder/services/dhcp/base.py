"""A DHCP engine: a server program, and what it is like alone, in a pair, and to who operates it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal

from labbuilder.errors import TransportError
from labbuilder.host.run import Result
from labbuilder.host.wait import wait_until
from labbuilder.model.check import Check
from labbuilder.model.lab import MachinePlan, Pair, Peer, Plan
from labbuilder.model.running import RunningLab
from labbuilder.model.step import Step
from labbuilder.services.base import Unit, head
from labbuilder.services.judges import says
from labbuilder.services.newcomer import HIGH, LOW, Wish
from labbuilder.services.systemd import active, comes_back, enabled
from labbuilder.spec.base import Problem
from labbuilder.spec.failover import Failover
from labbuilder.spec.models import AddressRange, LabSpec

Condition = Literal["well", "alone", "moving", "off"]
UNWATCHED = "unwatched"  # of a machine that can't be asked
_NOT_ACTIVE = 3  # what is-active itself says of a unit that does not run
_SETTLE_S = 20.0  # after the operator's word
SETTLE_S = 60.0  # of provisioning: a pair that missed each other retries each 5 s; seen to take 10 s under load
HEARS_CLIENTS = "[ -n \"$(ss -Hlun 'sport = :67')\" ]"
UNITS = (Unit("isc-dhcp-server", init_script=True), Unit("kea-dhcp4-server"))  # one serves, the others are off
# What is said of a server whatever its engine is: its daemon is down, or its machine is not there or not looked at.
_BACK_S = 20.0  # dhcpd tries again every 5 s
_OFF = frozenset({"down", "unreachable", "standby", UNWATCHED})


@dataclass(frozen=True)
class PeerStatus:
    """One server of the pair, as it sees itself.

    Attributes:
        role: primary or secondary; alone, where there is no pair.
        state: The failover state in the engine's own word; of a cold standby, "serving" or "standby"; "down" when its
            daemon does not run, "silent" when it runs and does not answer, "unreachable" when the machine does not run.
        partner: The partner's last state that it knows of; empty where there is none.
        serving: It answers new clients, all of them or its share.
    """

    machine: str
    role: str
    state: str
    partner: str
    serving: bool


class Engine(ABC):
    """One DHCP server program, in one arrangement of a pair.

    Attributes:
        name: What the spec calls it.
        unit: Its unit of systemd, which is the name of Debian's package too.
        program: Its main process.
        conf: Its configuration.
        leases: Its lease file.
        user: As whom it runs.
        port: TCP, between the two servers.
        heeds: Which of the spec's settings of a pair it has, besides mode, engine and timers.
        cold: The second server is off until the operator lets it serve: there is no connection that could be broken.
        well: The states in which both peers are well, the primary's and the secondary's.
        good: States in which a server is seen as well.
        alone: States in which it serves without its partner, or finds back to it.
        interrupted: Those of them that end as soon as the partner is heard again.
        taken_over: Those in which the partner counts as lost.
        told_down: Those in which a server is that was told that its partner is gone for good.
        asks: Shell that asks a running daemon for its state in the pair.
        when_off: What a server is called whose daemon does not run.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    program: ClassVar[str]
    conf: ClassVar[str]
    leases: ClassVar[PurePosixPath]
    heeds: ClassVar[frozenset[str]]
    user: ClassVar[str] = "root"
    cold: ClassVar[bool] = False
    good: ClassVar[frozenset[str]]
    alone: ClassVar[frozenset[str]] = frozenset()
    interrupted: ClassVar[frozenset[str]] = frozenset()
    taken_over: ClassVar[frozenset[str]] = frozenset()
    told_down: ClassVar[frozenset[str]] = frozenset({"partner-down"})
    asks: ClassVar[str]
    when_off: ClassVar[str] = "down"

    @property
    @abstractmethod
    def port(self) -> int:
        """TCP, between the two servers."""

    @property
    @abstractmethod
    def well(self) -> tuple[str, str]:
        """The states in which both peers are well, the primary's and the secondary's."""

    @abstractmethod
    def steps(self, lab: Plan, me: MachinePlan) -> Iterator[Step]:
        """Return what makes a server serve DHCP, and a pair agree."""

    @abstractmethod
    def checks(self, lab: Plan, me: MachinePlan) -> Iterator[Check]:
        """Return what must be true of DHCP on a server."""

    @abstractmethod
    def problems(self, spec: LabSpec, pool: AddressRange) -> Iterable[Problem]:
        """Return what it can't be asked for; ``pool`` is what would be leased."""

    @abstractmethod
    def silence_s(self, failover: Failover) -> int:
        """Return the seconds after which a silent partner counts as unreachable."""

    @abstractmethod
    def finds_out_within_s(self, failover: Failover, *, silent: bool) -> float:
        """Return how long a server takes to notice that its partner is gone, by a RST or by its silence."""

    def seen(self, lab: RunningLab, machine: str) -> PeerStatus:
        """Ask a server, also one without a partner: there it serves when its daemon runs and hears clients."""
        pair = lab.plan.pair
        if pair is not None:
            return self.status(lab, pair.peer(machine))
        if not lab.is_awake(machine):
            return PeerStatus(machine, "alone", "unreachable", "", serving=False)
        try:
            serving = lab.shell(machine).run(f"systemctl -q is-active {self.unit} && {HEARS_CLIENTS}").ok
        except TransportError:
            lab.drop(machine)
            return PeerStatus(machine, "alone", "unreachable", "", serving=False)
        return PeerStatus(machine, "alone", "serving" if serving else "down", "", serving=serving)

    def status(self, lab: RunningLab, peer: Peer) -> PeerStatus:
        """Ask a server how it sees the pair; a machine that does not run or answer is told as a state too."""
        gone = PeerStatus(peer.name, peer.role, "unreachable", "", serving=False)
        if not lab.is_awake(peer.name):
            return gone
        try:
            result = lab.shell(peer.name).run(f"systemctl -q is-active {self.unit} || exit {_NOT_ACTIVE}; {self.asks}")
        except TransportError:
            lab.drop(peer.name)
            return gone
        if result.code == _NOT_ACTIVE:
            return PeerStatus(peer.name, peer.role, self.when_off, "", serving=False)
        return self.read(peer, result)

    def await_well(self, lab: RunningLab, pair: Pair, *, within_s: float = _SETTLE_S) -> None:
        """Return when both peers are in the states in which all is well.

        Raises:
            WaitError: They were not within the limit.
        """
        wait_until(
            f"the peers are {' and '.join(self.well)}",
            lambda: tuple(self.status(lab, peer).state for peer in pair.peers) == self.well,
            within_s=within_s,
            every_s=0.1,
            resolution="labbuilder failover status shows both; labbuilder up starts what is off",
        )

    @abstractmethod
    def read(self, peer: Peer, result: Result) -> PeerStatus:
        """Read what `asks` printed in a server whose daemon runs."""

    @abstractmethod
    def take_over(self, lab: RunningLab, pair: Pair, *, partner_lives: bool) -> None:
        """Manual mode: let the second server serve, and silence the first where it can be reached."""

    @abstractmethod
    def give_back(self, lab: RunningLab, pair: Pair) -> None:
        """Manual mode: let the first server serve again, with the leases that were given meanwhile."""

    @abstractmethod
    def say_partner_down(self, lab: RunningLab, machine: str) -> None:
        """Tell a server that its partner is gone for good."""

    def unheeded(self, failover: Failover) -> Iterator[Problem]:
        """Refuse what the spec says of a pair and nothing of this engine would read."""
        for key in sorted(failover.model_fields_set - self.heeds - {"engine", "mode", "timers"}):
            said = f"{getattr(failover, key)}: {failover.engine} has no such setting in mode {failover.mode}"
            yield ("dhcp", "failover", key), said

    def notice(self) -> str:
        """Return what anyone who chooses this must know; empty for most."""
        return ""

    def answering(self, lab: Plan) -> tuple[str, ...]:
        """Return the "machine:step" pairs after which clients are answered as they will be."""
        step = "failover" if lab.pair else "dhcp"
        return tuple(f"{server.name}:{step}" for server in lab.servers)

    def shortest_lease_s(self, lab: Plan) -> int:
        """Return the shortest lease time that a client may be given."""
        return lab.dhcp.default_lease_s

    def by_hash(self, lab: Plan) -> tuple[str, str]:
        """Return the servers that answer the clients in the first and the last bucket of the hash (RFC 3074)."""
        return lab.servers[0].name, lab.servers[0].name

    def wishes(self, lab: Plan) -> tuple[Wish, ...]:
        """Return what clients that were never there ask for, from both ends of the hash and of the pool."""
        low, high = self.by_hash(lab)
        return Wish("low", LOW, (low,), wanted=lab.pool.start), Wish("high", HIGH, (high,), wanted=lab.pool.end)

    def pool_of(self, lab: Plan, server: str) -> AddressRange:
        """Return from where a server leases."""
        del server
        return lab.pool

    def condition(self, state: str) -> Condition:
        """Return what a state means: well, alone, off, or moving from one to another."""
        conditions: dict[Condition, frozenset[str]] = {"well": self.good, "off": _OFF, "alone": self.alone}
        return next((name for name, states in conditions.items() if state in states), "moving")

    def settle_s(self, failover: Failover, *states: str) -> float:
        """Return within how many seconds two peers in these states are well by themselves; 0: they stay so."""
        on_its_way = any(self.condition(state) == "moving" or state in self.interrupted for state in states)
        return self.longest_settle_s(failover) if on_its_way and all(states) else 0.0

    def longest_settle_s(self, failover: Failover) -> float:
        """Return how long two peers that live take to find each other again: a busy one is silent more than once."""
        return _BACK_S + 2 * self.silence_s(failover)

    @property
    def others(self) -> tuple[str, ...]:
        """The units of all other engines."""
        return tuple(unit.name for unit in UNITS if unit.name != self.unit)


def values(lab: Plan, me: MachinePlan) -> dict[str, Any]:
    """Return what every engine's configuration says."""
    return {
        "domain": lab.dns.domain,
        "internal_nic": me.nic(lab.served.name).name,
        "subnet": lab.served.subnet,
        "pool": lab.pool,
        "dhcp": lab.dhcp,
        "failover": lab.dhcp.failover,
        "servers": lab.server_addresses.items(),
        "me": me.address(lab.served.name).ip,
        "router": lab.router(me),
        "resolvers": ", ".join(map(str, lab.resolvers(me))),
        "peer": lab.pair.partner(me.name).address if lab.pair else None,
        **head(lab, me),
    }


def serves(engine: Engine, lab: Plan, me: MachinePlan, *, syntax: str) -> Iterator[Check]:
    """Return the checks that the daemon runs, now and after a reboot, keeps its leases, and hears clients."""
    yield active(lab, me, engine.unit, program=engine.program, rests_on=(syntax,))
    yield enabled(lab, me, engine.unit)
    yield comes_back(lab, me, engine.unit)
    places = (str(engine.leases.parent), str(engine.leases))
    can = f'for p in {" ".join(places)}; do [ -w "$p" ] || echo "$p"; done'
    alone = (
        can
        if engine.user == "root"
        else f"setpriv --reuid={engine.user} --regid={engine.user} --init-groups sh -c '{can}'"
    )
    title = f"{engine.program} can write its leases (as {engine.user})"
    yield Check(
        "dhcp.leases",
        me.name,
        title,
        f"{alone} 2>&1",
        says(""),
        look=f"ls -ld {' '.join(places)}; findmnt -T {places[0]}",
    )
    title, rests_on = "DHCP is served on port 67", (f"{engine.unit}.active",)
    ask, look = "ss -Hlun 'sport = :67' | wc -l", "ss -lunp 'sport = :67'"
    yield Check("dhcp.listens", me.name, title, ask, says("1"), look=look, rests_on=rests_on)


def listens(port: int) -> str:
    """Return shell that ends with 0 when somebody listens on that TCP port."""
    return f"[ -n \"$(ss -Hltn 'sport = :{port}')\" ]"


def leases_kept(engine: Engine) -> str:
    """Return shell after which the daemon's user can write its leases, those of a removed file too, while it runs."""
    folder = engine.leases.parent
    return (
        f"[ -w {folder} ] || umount -l {folder} || true; mkdir -p {folder}; "
        f"[ -e {engine.leases} ] || for it in /proc/$(systemctl show -P MainPID {engine.unit})/fd/*; do "
        f'[ "$(readlink $it)" != "{engine.leases} (deleted)" ] || cat $it >{engine.leases}; done; '
        f"chown -R {engine.user} {folder}; chmod 755 {folder}"
    )
