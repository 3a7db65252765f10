"""What the operator of a failover pair sees and says: its state, takeover, giveback, partner-down."""

from __future__ import annotations

from collections.abc import Sequence

from labbuilder.errors import MachineError, SpecError
from labbuilder.host import progress
from labbuilder.host.wait import wait_until
from labbuilder.lifecycle.session import Session
from labbuilder.model.lab import Pair, Peer
from labbuilder.services.dhcp import Engine, PeerStatus, engine_of

__all__ = [
    "PeerStatus",
    "await_well",
    "engine",
    "giveback",
    "is_well",
    "pair",
    "partner_down",
    "peer",
    "status",
    "takeover",
    "unit",
]

_SETTLE_S = 20.0
_SILENT = ("down", "standby", "silent")


def status(session: Session) -> tuple[PeerStatus, ...]:
    """Return both servers, primary first.

    Raises:
        SpecError: The lab has one server.
    """
    return tuple(peer(session, each.name) for each in pair(session).peers)


def pair(session: Session) -> Pair:
    """Return the lab's pair.

    Raises:
        SpecError: The lab has one server.
    """
    if session.plan.pair is None:
        raise SpecError(
            brief=f"the lab {session.lab.name} has one server, so there is no failover",
            resolution="labbuilder up --servers 2 --reconfigure gives it a partner",
        )
    return session.plan.pair


def engine(session: Session) -> Engine:
    """Return the lab's DHCP engine."""
    return engine_of(session.plan)


def peer(session: Session, machine: str) -> PeerStatus:
    """Ask one server of the pair how it sees the two."""
    return engine(session).status(session, _peer(session, machine))


def takeover(session: Session, machine: str, *, force: bool = False) -> PeerStatus:
    """Manual mode: let the second server serve.

    Args:
        session: The running lab.
        machine: The second server.
        force: Even while the partner answers; it is told to be silent first.

    Raises:
        SpecError: The mode is another one, or the machine is not the second server.
        MachineError: The partner still answers, and ``force`` is not set.
    """
    both, me, mode = pair(session), _peer(session, machine), session.plan.dhcp.failover.mode
    if mode != "manual":
        raise SpecError(
            brief=f"the lab {session.lab.name} takes over by itself: its mode is {mode}",
            resolution=f"labbuilder failover partner-down {machine} says for good that the partner is gone",
        )
    if me == both.first:
        raise SpecError(
            brief=f"{machine} is the primary: it serves by itself", resolution="labbuilder failover giveback"
        )
    alive = _answers(session, both.first, asker=me)
    if alive and not force:
        raise _still_answers(both.first, alive, "takeover")
    with session.journal.effect("takeover", machine), progress.step("takeover", machine):
        partner_lives = bool(alive) and session.is_awake(both.first.name)
        engine(session).take_over(session, both, partner_lives=partner_lives)
    return peer(session, machine)


def giveback(session: Session) -> PeerStatus:
    """Manual mode: the primary serves again, with the leases that the second server gave meanwhile.

    Raises:
        SpecError: The mode is another one.
        MachineError: The primary can't.
    """
    both, mode = pair(session), session.plan.dhcp.failover.mode
    if mode != "manual":
        raise SpecError(
            brief=f"in mode {mode} the primary comes back by itself",
            resolution="labbuilder failover status shows it",
        )
    primary = both.first.name
    with session.journal.effect("giveback"), progress.step("giveback", primary):
        engine(session).give_back(session, both)
    return peer(session, primary)


def partner_down(session: Session, machine: str, *, force: bool = False) -> PeerStatus:
    """Automatic modes: tell a server that its partner is gone for good, so that it uses the whole pool.

    Args:
        session: The running lab.
        machine: The server that stays.
        force: Even while the partner answers.

    Raises:
        SpecError: The mode is manual, or the machine is no server.
        MachineError: The partner still answers and ``force`` is not set, or the engine refused.
        WaitError: The server did not say of itself that it is in that state.
    """
    me, partner = _peer(session, machine), pair(session).partner(machine)
    if session.plan.dhcp.failover.mode == "manual":
        raise SpecError(
            brief="in manual mode nothing is told to the engine", resolution=f"labbuilder failover takeover {machine}"
        )
    alive = _answers(session, partner, asker=me)
    if alive and not force:
        raise _still_answers(partner, alive, "partner-down")
    with session.journal.effect("partner-down", machine), progress.step("partner-down", machine):
        engine(session).say_partner_down(session, machine)
        wait_until(
            f"{machine} says of itself that its partner is down",
            lambda: peer(session, machine).state in engine(session).told_down,
            within_s=_SETTLE_S,
            every_s=0.1,
        )
    return peer(session, machine)


def _answers(session: Session, asked: Peer, *, asker: Peer) -> str:
    """Return why the server counts as alive; empty when its daemon is down, or its partner can't reach it."""
    if not session.shell(asker.name).run(f"ping -q -c 1 -W 1 {asked.address}").ok:
        return ""
    state = peer(session, asked.name).state
    return "" if state in _SILENT else f"{asked.name} answers {asker.name}'s ping at {asked.address} and is {state}"


def _still_answers(partner: Peer, seen: str, command: str) -> MachineError:
    return MachineError(
        brief=f"{command} refused: {partner.name} still answers",
        details=f"{seen}\nTwo servers that don't know of each other hand out the same addresses.",
        resolution=f"stop {partner.name} first, or say --force",
    )


def _peer(session: Session, machine: str) -> Peer:
    both = pair(session)
    names = [each.name for each in both.peers]
    if machine not in names:
        raise SpecError(brief=f"{machine} is no server of the lab", resolution=f"use one of: {', '.join(names)}")
    return both.peer(machine)


def is_well(session: Session, peers: Sequence[PeerStatus]) -> bool:
    """Both, as they were seen, are in the state in which all is well."""
    return tuple(server.state for server in peers) == engine(session).well


def await_well(session: Session, *, within_s: float = _SETTLE_S) -> None:
    """Return when both peers are in the state in which all is well.

    Raises:
        WaitError: They were not within the limit.
    """
    engine(session).await_well(session, pair(session), within_s=within_s)


def unit(session: Session) -> str:
    """Return the engine's unit."""
    return engine(session).unit
