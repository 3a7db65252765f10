"""What happens to the lab while it is drilled: the servers' states, asked all the time, and what was done to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from labbuilder.drill.clock import Clock
from labbuilder.drill.model import Event
from labbuilder.failover import operator as failover
from labbuilder.failover.operator import PeerStatus
from labbuilder.host.wait import pause_until, wait_until
from labbuilder.lifecycle.session import Session
from labbuilder.services.dhcp.base import UNWATCHED

_EVERY_S = 0.2


@dataclass
class Watch:
    """Looks and notes; what it notes before the clock is known is lost."""

    session: Session
    clock: Clock | None = None
    states: dict[str, str] = field(default_factory=dict)
    _events: list[Event] = field(default_factory=list)
    _away: set[str] = field(default_factory=set)

    @property
    def now_s(self) -> float:
        """By the drill's clock."""
        assert self.clock is not None  # noqa: S101  it is asked for while there are clients
        return self.clock.now_s

    def events(self, zero_s: float) -> tuple[Event, ...]:
        """What was noted, in order; times count from ``zero_s``."""
        found = (replace(event, at_s=round(event.at_s - zero_s, 3)) for event in self._events)
        return tuple(sorted(found, key=lambda event: event.at_s))

    def note(self, what: str, text: str, machine: str | None = None) -> None:
        """Write down what happens now."""
        if self.clock is not None:
            means = failover.engine(self.session).condition(text) if what == "state" else None
            self._events.append(Event(self.now_s, what, text, machine, means))

    def leave_out(self, machine: str) -> None:
        """Don't ask this machine: it can't answer, and the question would hang."""
        self._away.add(machine)
        self._seen(machine, UNWATCHED)

    def ask_again(self, machine: str) -> None:
        """The machine can answer again."""
        self._away.discard(machine)

    def look(self) -> Sequence[PeerStatus]:
        """What is seen now of the pair; each server whose state has changed is noted at once."""
        peers = []
        for peer in self.session.plan.pair.peers if self.session.plan.pair else ():
            if peer.name not in self._away:
                peers.append(seen := failover.peer(self.session, peer.name))
                self._seen(seen.machine, seen.state)
        return peers

    def look_for(self, seconds: float) -> None:
        """Look around for so long."""
        pause_until(time.monotonic() + seconds, self.look, every_s=_EVERY_S)

    def look_until(self, what: str, so: Callable[[Sequence[PeerStatus]], bool], *, within_s: float) -> None:
        """Look around until something is so.

        Args:
            what: The awaited state, as a reader would say it.
            so: Asked after each look, of what was seen.
            within_s: Limit in seconds.

        Raises:
            WaitError: It was not, within the limit.
        """
        wait_until(what, lambda: so(self.look()), within_s=within_s, every_s=_EVERY_S)

    def is_well(self, peers: Sequence[PeerStatus]) -> bool:
        """The pair, as it was seen, is as it should be; one server alone always is."""
        return len(self.session.plan.servers) == 1 or failover.is_well(self.session, peers)

    def _seen(self, machine: str, state: str) -> None:
        if self.states.get(machine) != state:
            self.states[machine] = state
            self.note("state", state, machine)
