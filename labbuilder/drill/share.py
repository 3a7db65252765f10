"""How many new clients each server answers while nothing is broken."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from labbuilder.drill.faults import pair_and_client
from labbuilder.drill.model import Kind
from labbuilder.drill.stopwatches.addresses import messages_of
from labbuilder.drill.stopwatches.dhcp import exchanges, heard
from labbuilder.drill.traffic import NEWCOMER_EVERY_S, Traffic
from labbuilder.host import progress
from labbuilder.host.wait import wait_until
from labbuilder.lifecycle.session import Session

CLIENTS = 200


@dataclass(frozen=True)
class Shares:
    """Who answered.

    Attributes:
        asked: So many clients, each with a MAC of its own, asked once.
        answers: ACKs of each server, primary first.
    """

    asked: int
    answers: dict[str, int]


def shares(session: Session, *, clients: int = CLIENTS, seed: int = 1) -> Shares:
    """Let so many clients ask once, and count who answers them.

    Args:
        session: The running lab, locked by who calls.
        clients: How many.
        seed: Of their MACs.

    Raises:
        SpecError: The lab has no pair or no client.
        WaitError: They were not served.
    """
    pair_and_client(session.plan)
    traffic = Traffic(session)
    with progress.step("clients") as step:
        try:
            traffic.start(seed=seed, holders=0, newcomers=clients, once=True)
            step.detail = f"{clients} ask once"
            within_s = 60.0 + 2 * NEWCOMER_EVERY_S * clients
            wait_until("every client has had its turn", lambda: traffic.all_came, within_s=within_s, every_s=0.2)
            messages = messages_of(session, traffic.capture(), zero_s=0.0)
        finally:
            traffic.clear()
    found = exchanges(heard(messages))
    served = Counter(e.server for e in found if e.kind == Kind.NEW and e.answered_at_s is not None)
    return Shares(clients, {server.name: served[server.name] for server in session.plan.servers})
