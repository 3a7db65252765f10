"""A drill: baseline, fault, measurement, repair, back to normal, proof. Whatever happens, it is repaired."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface

from labbuilder.drill.faults import Fault, fault_of
from labbuilder.drill.measure import duplicates, exchanges, heard, lost_leases, outages
from labbuilder.drill.model import DrillResult, Event, Exchange, Kind
from labbuilder.drill.repair import broken, undo_killed
from labbuilder.drill.traffic import Traffic, captured, client_macs, traffic
from labbuilder.errors import MachineError, SpecError, VerificationError, WaitError
from labbuilder.failover import operator as failover
from labbuilder.failover.operator import PeerStatus
from labbuilder.host import progress
from labbuilder.host.wait import pause_until, wait_until
from labbuilder.lifecycle.proof import verify
from labbuilder.lifecycle.session import Session
from labbuilder.spec.failover import Failover
from labbuilder.spec.models import AddressRange
from labbuilder.verify import Verification

HOLDERS, NEWCOMERS = 16, 24  # together less than half a pool: in hot standby that is all the primary has
_SMALLEST_POOL, _LARGEST_CROWD = 4, 500
BASELINE_S = 4.0
LOAD_EXCHANGES, LOAD_PER_S = 2000, 100
_AFTER_S = 2.0
_MANUAL_S = 4.0  # so long nobody is served before the operator acts
_WATCH_EVERY_S = 0.2
_NORMAL_WITHIN_S = 60.0
_PROOF_WITHIN_S = 15.0
_TOLD = 5  # checks, where a drill is refused
_CLOCKS_S = 0.1  # the client's clock is known to this
_MARGIN_S = 5.0  # of measuring, beyond the moment at which the engine should have found out
_KEA_HTTP_S = 10.0  # after this Kea gives up an exchange with a silent partner (docs/failover.md)


def drill(session: Session, name: str, *, seed: int = 1) -> DrillResult:
    """Break the lab in the way called ``name``, and measure what its clients felt.

    Args:
        session: The running lab, locked by who calls.
        name: One of FAULTS.
        seed: Of the clients' MACs.

    Raises:
        SpecError: There is no such drill, or the lab has no pair, no client or no pool for it.
        VerificationError: The lab fails a check before anything is broken; nothing was touched.
        MachineError: It could not be carried out, or repaired: then it says what is left.
    """
    fault = fault_of(session, name)
    holders, newcomers = _clients(session.spec.pool)
    crowd = _crowd(session, fault, holders)
    begun, started_at = time.monotonic(), time.strftime("%Y-%m-%dT%H:%M:%S")
    undo_killed(session)
    _refuse_unless_proven(session, name)
    versions = _versions(session)
    held = _held(session)
    client = session.plan.clients[0]
    run = _Run(session, name, fault, seed, crowd=crowd)
    shell, nic = session.shell(client.name), client.nic("internal").name
    with broken(session, name, fault) as mended:
        run.prepare()
        with traffic(shell, nic, seed=seed, holders=holders, newcomers=newcomers) as clients:
            run.watch(clients)
            mended()
            run.await_normal()
            capture, load = clients.capture(), clients.load_report if fault.load else ""
    messages = captured(session, capture, zero_s=run.zero_s)
    taken = tuple(heard(messages))
    found = exchanges(taken)
    _refuse_without_baseline(name, found)
    proof = verify(session, within_s=_PROOF_WITHIN_S)
    settings = session.spec.dhcp.failover
    return DrillResult(
        drill=name,
        title=fault.title,
        lab=session.lab.name,
        mode=settings.mode,
        engine=settings.engine,
        provider=session.provider.kind,
        versions=versions,
        started_at=started_at,
        seconds=time.monotonic() - begun,
        seed=seed,
        outages=outages(found, broken_at_s=run.broken_at_s, repaired_at_s=run.until_s),
        exchanges=found,
        messages=messages,
        events=tuple(sorted(run.events, key=lambda event: event.at_s)),
        duplicates=duplicates(taken, held),
        lost=lost_leases(taken),
        verification=proof,
        load=load,
    )


def _clients(pool: AddressRange) -> tuple[int, int]:
    """Holders and newcomers: fewer where the pool is small.

    Raises:
        SpecError: There is no room for any worth measuring.
    """
    if len(pool) < _SMALLEST_POOL:
        raise SpecError(
            brief=f"the pool {pool} has {len(pool)} addresses, too few to measure what clients feel",
            resolution=f"give dhcp.pool at least {_SMALLEST_POOL} addresses",
        )
    return min(HOLDERS, len(pool) // 6), min(NEWCOMERS, len(pool) // 4)


def _crowd(session: Session, fault: Fault, holders: int) -> int:
    """How many must come to leave as few addresses as the fault says; 0 where it knows no crowd.

    Raises:
        SpecError: So few are free already, or too many.
    """
    if fault.crowd is None:
        return 0
    free = len(session.spec.pool) - holders - len(session.plan.clients)
    if free > _LARGEST_CROWD:
        raise SpecError(
            brief=f"the pool {session.spec.pool} is too large for a crowd that leaves {fault.crowd} addresses",
            details=f"It would be {free - fault.crowd} clients in one machine; at most {_LARGEST_CROWD} are made.",
            resolution="give dhcp.pool fewer addresses",
        )
    if free <= fault.crowd:
        raise SpecError(
            brief=f"the pool {session.spec.pool} is too small for a crowd that leaves {fault.crowd} addresses",
            details=f"Of {len(session.spec.pool)} only {free} are free for it.",
            resolution="give dhcp.pool more addresses",
        )
    return free - fault.crowd


def window_s(failover: Failover, *, silent: bool) -> float:
    """How long a fault is measured: longer than the engine takes to find out, after a RST or after silence."""
    if failover.engine == "isc":
        return (failover.silence_s if silent else 1.0) + _MARGIN_S
    unheard_s = max(_KEA_HTTP_S if silent else 0.0, failover.silence_s) + failover.ack_s - 1
    return unheard_s + failover.beat_s + _MARGIN_S


@dataclass
class _Run:
    """The running drill: its clock starts with the fault."""

    session: Session
    name: str
    fault: Fault
    seed: int
    crowd: int
    zero_s: float = 0.0
    broken_at_s: float = 0.0
    repaired_at_s: float = 0.0
    ended_at_s: float = 0.0
    events: list[Event] = field(default_factory=list)
    _clients: Traffic | None = None
    _states: dict[str, str] = field(default_factory=dict)

    @property
    def until_s(self) -> float:
        """Where the repair is part of what is measured, clients are counted to the end."""
        return self.ended_at_s if self.fault.mended_early else self.repaired_at_s

    @property
    def _manual(self) -> bool:
        return self.session.spec.dhcp.failover.mode == "manual"

    @property
    def _second(self) -> str:
        return self.session.plan.servers[1].name

    def prepare(self) -> None:
        """What must be so before the baseline."""
        with progress.step("prepare"):
            self.fault.prepare(self.session)
            if self.fault.after_takeover and self._manual:
                failover.takeover(self.session, self._second)
            elif self.fault.after_takeover:
                wait_until(
                    f"{self._second} has taken over",
                    lambda: failover.peer(self.session, 1).state in ("communications-interrupted", "partner-down"),
                    within_s=_NORMAL_WITHIN_S,
                    every_s=0.1,
                )
            else:
                failover.await_well(self.session, within_s=_NORMAL_WITHIN_S)

    def watch(self, clients: Traffic) -> None:
        """Baseline, fault, and what follows until the repair."""
        self._clients = clients
        with progress.step("baseline"):
            if self.fault.load:
                few = max(1, len(self.session.spec.pool) // 6)
                clients.load(exchanges=LOAD_EXCHANGES, per_second=LOAD_PER_S, clients=few, seed=self.seed)
            self._look_for(BASELINE_S, both=not self.fault.after_takeover)
        self.zero_s = clients.now_s
        with progress.step("fault") as step:
            step.detail = self.fault.title
            self._note("fault", self.fault.title)
            self.fault.break_it(self.session)
            self.broken_at_s = self._now_s + _CLOCKS_S
            if self.fault.dark:
                self._seen(self.session.plan.servers[0].name, "unwatched")
            if self.fault.after_takeover and self._manual:
                failover.giveback(self.session)
            if self.crowd:
                clients.crowd(client_macs(self.seed, "crowd", self.crowd))
        with progress.step("measure"):
            self._measure()
        self._note("repair", "the fault is mended")
        self.repaired_at_s = self._now_s
        if self.crowd:
            clients.disperse()

    def _measure(self) -> None:
        dark = self.fault.dark
        if self._manual and self.fault.takes_over:
            self._look_for(_MANUAL_S, both=not dark)
            self._note("takeover", "the operator lets the second server serve", self._second)
            failover.takeover(self.session, self._second, force=dark)
            self._look_for(_MANUAL_S, both=not dark)
        elif self.fault.mended_early:
            self._look_for(_AFTER_S, both=True)
        else:
            self._look_for(window_s(self.session.spec.dhcp.failover, silent=self.fault.silent), both=not dark)
        if self.fault.load:
            self._await_load()

    def _await_load(self) -> None:
        def ended() -> bool:
            self._look(both=True)
            return self._clients is not None and not self._clients.loading

        within_s = 2.0 * LOAD_EXCHANGES / LOAD_PER_S
        wait_until("perfdhcp has ended", ended, within_s=within_s, every_s=_WATCH_EVERY_S)

    def await_normal(self) -> None:
        """Until both peers are as they should be, and a little longer, for the clients."""
        with progress.step("normal"):
            try:
                wait_until("the pair is well", self._well_again, within_s=_NORMAL_WITHIN_S, every_s=_WATCH_EVERY_S)
            except WaitError as error:
                raise self._not_well() from error
            self._look(both=True)
            self._note("normal", "both servers are as they should be")
            self._look_for(_AFTER_S, both=True)
        self.ended_at_s = self._now_s

    def _not_well(self) -> MachineError:
        return MachineError(
            brief=f"the repair of {self.name} was done, but the pair is not well after {_NORMAL_WITHIN_S:g} s",
            details="\n".join(f"{machine} is {state}" for machine, state in sorted(self._states.items())),
            resolution=f"labbuilder logs MACHINE {failover.unit(self.session)} shows why; labbuilder up goes on",
        )

    def _well_again(self) -> bool:
        return failover.is_well(self.session, self._look(both=True))

    def _look_for(self, seconds: float, *, both: bool) -> None:
        pause_until(time.monotonic() + seconds, lambda: self._look(both=both), every_s=_WATCH_EVERY_S)

    def _look(self, *, both: bool) -> Sequence[PeerStatus]:
        """What is seen now; each server whose state has changed is noted at once."""
        peers = []
        for index in (0, 1) if both else (1,):
            seen = failover.peer(self.session, index)
            self._seen(seen.machine, seen.state)
            peers.append(seen)
        return peers

    def _seen(self, machine: str, state: str) -> None:
        if self._states.get(machine) != state:
            self._states[machine] = state
            self._note("state", state, machine)

    @property
    def _now_s(self) -> float:
        assert self._clients is not None  # noqa: S101  it is asked for while there are clients
        return self._clients.now_s - self.zero_s

    def _note(self, what: str, text: str, machine: str | None = None) -> None:
        at_s = self._now_s if self.zero_s else -BASELINE_S
        self.events.append(Event(round(at_s, 3), what, text, machine))


def _refuse_unless_proven(session: Session, name: str) -> None:
    found = verify(session)
    if not found.passed:
        raise refusal(name, found)


def refusal(name: str, found: Verification) -> VerificationError:
    """Why a lab that fails checks is not broken further: the first of them, a line each."""
    told = [f"{machine}: no check could be asked: {why}" for machine, why in found.unreachable.items()]
    told += [f"{o.machine}: {o.title}" for o in found.told_singly]
    more = [f"and {len(told) - _TOLD} more"] if len(told) > _TOLD else []
    return VerificationError(
        brief=f"the drill {name} is refused: {len(found.failures)} of {len(found.outcomes)} checks fail already",
        details="\n".join(told[:_TOLD] + more),
        resolution="labbuilder up mends the lab; labbuilder verify shows the evidence",
    )


def _refuse_without_baseline(name: str, found: Sequence[Exchange]) -> None:
    if not any(e.kind is Kind.NEW and e.answered_at_s is not None and e.answered_at_s <= 0 for e in found):
        raise MachineError(
            brief=f"the drill {name} measured nothing: no new client was served before the fault",
            resolution="labbuilder verify says whether the lab is well",
        )


def _versions(session: Session) -> dict[str, str]:
    said = session.shell(session.plan.servers[0].name).run(f"dpkg-query -W -f '${{Version}}' {failover.unit(session)}")
    return {failover.unit(session): said.stdout.strip()}


def _held(session: Session) -> dict[str, str]:
    """Addresses that the lab's own clients hold, with their MACs."""
    found: dict[str, str] = {}
    for client in session.plan.clients:
        nic = client.nic("internal")
        said = session.shell(client.name).run(f"ip -4 -o address show dev {nic.name} | awk '{{print $4}}'").stdout
        found |= {str(IPv4Interface(word).ip): nic.mac for word in said.split()}
    return found
