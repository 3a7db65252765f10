"""A drill: baseline, fault, measurement, repair, back to normal, proof. Whatever happens, it is repaired."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from labbuilder.drill.clock import Clock
from labbuilder.drill.faults import faults, known, refuse_unmet
from labbuilder.drill.hands import Hands, able
from labbuilder.drill.model import DrillResult
from labbuilder.drill.repair import broken, undo_killed
from labbuilder.drill.stopwatches import Moments, Stopwatch, stopwatches
from labbuilder.drill.traffic import Traffic
from labbuilder.drill.watch import Watch
from labbuilder.errors import MachineError, VerificationError, WaitError
from labbuilder.failover import operator as failover
from labbuilder.host import progress
from labbuilder.lifecycle.proof import verify
from labbuilder.lifecycle.session import Session
from labbuilder.model.fault import Fault
from labbuilder.verify import Verification

BASELINE_S = 4.0
_AFTER_S = 2.0
_NORMAL_WITHIN_S = 60.0
_PROOF_WITHIN_S = 15.0
_TOLD = 5  # checks, where a drill is refused
_CLOCKS_S = 0.1  # the client's clock is known to this


def drill(session: Session, name: str, *, seed: int = 1) -> DrillResult:
    """Break the lab in the way called ``name``, and measure what its clients felt.

    Args:
        session: The running lab, locked by who calls.
        name: One of its faults.
        seed: Of the clients' MACs.

    Raises:
        SpecError: There is no such drill, or the lab lacks what it needs; nothing was touched.
        VerificationError: The lab fails a check before anything is broken; nothing was touched.
        MachineError: It could not be carried out, or repaired: then it says what is left.
    """
    there = faults(session.plan)
    known([name], there)
    return carry_out(session, there[name], seed=seed)


def carry_out(session: Session, fault: Fault, *, seed: int = 1) -> DrillResult:
    """As `drill`, with a fault that need not be in the lab's table."""
    hands = Hands(session, Traffic(session), Watch(session), seed)
    clocks = stopwatches(session, hands.traffic, seed=seed)
    wanted = [need for each in clocks for need in each.needs(fault)]
    refuse_unmet([*fault.needs, *able(fault, session.provider), *wanted])
    begun, started_at = time.monotonic(), time.strftime("%Y-%m-%dT%H:%M:%S")
    undo_killed(session)
    _refuse_unless_proven(session, fault.name)
    versions = _versions(session)
    with broken(hands, fault) as mended:
        with progress.step("prepare"):
            hands.do_all(fault.before)
        with _running(clocks):
            moments = _measured(hands, fault, mended)
            load = hands.traffic.load_report
            for each in clocks:
                each.stop()
    readings = tuple(each.reading(moments) for each in clocks)
    proof = verify(session, within_s=_PROOF_WITHIN_S)
    settings = session.spec.dhcp.failover
    return DrillResult(
        drill=fault.name,
        title=fault.title,
        lab=session.lab.name,
        mode=settings.mode,
        engine=settings.engine,
        provider=session.provider.kind,
        versions=versions,
        started_at=started_at,
        seconds=time.monotonic() - begun,
        seed=seed,
        stopwatches=readings,
        events=hands.watch.events(moments.zero_s),
        verification=proof,
        counted=fault.counted,
        load=load,
    )


@contextmanager
def _running(clocks: Sequence[Stopwatch]) -> Iterator[None]:
    """Start every stopwatch; at the block's end nothing is left of them."""
    try:
        for each in clocks:
            each.start()
        yield
    finally:
        for each in clocks:
            each.clear()


def _measured(hands: Hands, fault: Fault, mended: Callable[[], None]) -> Moments:
    """Baseline, fault, what follows, repair, and back to normal; the drill's clock starts with the fault."""
    watch = hands.watch
    watch.clock = Clock.of(hands.traffic.shell)
    with progress.step("baseline"):
        hands.do_all(fault.beside)
        watch.look_for(BASELINE_S)
    zero_s = watch.now_s
    with progress.step("fault") as step:
        step.detail = fault.title
        watch.note("fault", fault.title)
        hands.do_all(fault.steps)
        broken_at_s = watch.now_s - zero_s + _CLOCKS_S
    with progress.step("measure"):
        hands.do_all(fault.meanwhile)
    watch.note("repair", "the fault is mended")
    repaired_at_s = watch.now_s - zero_s
    mended()
    _await_normal(watch, fault)
    until_s = repaired_at_s if fault.counted == "repair" else watch.now_s - zero_s
    return Moments(zero_s, broken_at_s, until_s)


def _await_normal(watch: Watch, fault: Fault) -> None:
    """Until both peers are as they should be, and a little longer, for the clients."""
    with progress.step("normal"):
        try:
            watch.look_until("the pair is well", watch.is_well, within_s=_NORMAL_WITHIN_S)
        except WaitError as error:
            raise MachineError(
                brief=f"the repair of {fault.name} was done, but the pair is not well after {_NORMAL_WITHIN_S:g} s",
                details="\n".join(f"{machine} is {state}" for machine, state in sorted(watch.states.items())),
                resolution=f"labbuilder logs MACHINE {failover.unit(watch.session)} shows why; labbuilder up goes on",
            ) from error
        watch.note("normal", "both servers are as they should be")
        watch.look_for(_AFTER_S)


def _refuse_unless_proven(session: Session, name: str) -> None:
    found = verify(session)
    if not found.passed:
        raise refusal(name, found)


def refusal(name: str, found: Verification) -> VerificationError:
    """Why a lab that fails checks is not broken further: the first of them, a line each."""
    told = [f"{machine}: no check could be asked: {why}" for machine, why in found.unreachable.items()]
    told += [f"{o.machine}: {o.title}" for o, _ in found.causes if o.machine not in found.unreachable]
    more = [f"and {len(told) - _TOLD} more"] if len(told) > _TOLD else []
    return VerificationError(
        brief=f"the drill {name} is refused: {len(found.failures)} of {len(found.outcomes)} checks fail already",
        details="\n".join(told[:_TOLD] + more),
        resolution="labbuilder up mends the lab; labbuilder verify shows the evidence",
    )


def _versions(session: Session) -> dict[str, str]:
    server, *_ = session.plan.server_addresses
    said = session.shell(server).run(f"dpkg-query -W -f '${{Version}}' {failover.unit(session)}")
    return {failover.unit(session): said.stdout.strip()}
