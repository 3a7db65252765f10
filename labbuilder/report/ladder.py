"""A DHCP exchange as a ladder: one lifeline for the client and for each server, one rung a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from labbuilder.drill.model import DrillResult, Exchange, Kind, Message
from labbuilder.report import figures

_LEFT, _COLUMN, _TOP, _ROW = 84.0, 158.0, 44.0, 34.0


@dataclass(frozen=True)
class Lifeline:
    """The client, or a server; ``off`` when its daemon was down."""

    name: str
    x: float
    index: int | None = None
    off: bool = False


@dataclass(frozen=True)
class Rung:
    """One message, or ``hidden`` more like the one before it.

    Attributes:
        end: Where its line ends.
        heads: Where it has arrowheads: at everyone who can hear it.
    """

    message: Message
    y: float
    start: float
    end: float
    heads: tuple[float, ...]
    hidden: int = 0


@dataclass(frozen=True)
class Ladder:
    """One exchange."""

    exchange: Exchange
    lifelines: tuple[Lifeline, ...]
    rungs: tuple[Rung, ...]

    @property
    def width(self) -> float:
        """Of the picture."""
        return self.lifelines[-1].x + 40

    @property
    def height(self) -> float:
        """Of the picture."""
        return _TOP + len(self.rungs) * _ROW + 8


def ladders(result: DrillResult) -> tuple[Ladder | None, Ladder | None]:
    """The last exchange of a new client that was answered before the fault, and the first one after it."""
    done = [(e.answered_at_s, e) for e in result.exchanges if e.kind == Kind.NEW and e.answered_at_s is not None]
    before = max((pair for pair in done if pair[0] <= 0), key=lambda pair: pair[0], default=None)
    after = min((pair for pair in done if pair[0] > 0), key=lambda pair: pair[0], default=None)
    return before and _ladder(result, before[1]), after and _ladder(result, after[1])


def _ladder(result: DrillResult, exchange: Exchange) -> Ladder:
    until = exchange.answered_at_s or exchange.asked_at_s
    names = figures.servers(result)
    own = [m for m in result.messages if m.client == exchange.client and (not m.from_server or m.server in names)]
    said = [m for m in own if exchange.asked_at_s <= m.at_s <= until]
    said += [m for m in own if m.at_s > until and m.type == "ACK" and m.xid == said[-1].xid]  # the other server's
    lifelines = (
        Lifeline(exchange.client, _LEFT),
        *(
            Lifeline(name, _LEFT + (n + 1) * _COLUMN, n, off=_is_off(result, name, exchange))
            for n, name in enumerate(names)
        ),
    )
    rungs = tuple(
        _rung(message, hidden, lifelines, _TOP + (n + 0.6) * _ROW) for n, (message, hidden) in enumerate(_told(said))
    )
    return Ladder(exchange, lifelines, rungs)


def _told(said: Sequence[Message]) -> list[tuple[Message, int]]:
    """Of a client's repeats the first and the last; between them how many there were."""
    found: list[tuple[Message, int]] = []
    for _, same in groupby(said, key=lambda m: (m.type, m.server)):
        run = list(same)
        found.append((run[0], 0))
        if len(run) > 3:  # noqa: PLR2004  three are shown as they are
            found += [(run[-2], len(run) - 2), (run[-1], 0)]
        else:
            found += [(message, 0) for message in run[1:]]
    return found


def _rung(message: Message, hidden: int, lifelines: Sequence[Lifeline], y: float) -> Rung:
    client, servers = lifelines[0], lifelines[1:]
    if message.from_server:
        start = next(line.x for line in servers if line.name == message.server)
        return Rung(message, y, start, client.x, (client.x,), hidden)
    asked = [line for line in servers if message.broadcast or line.name == message.server]
    heads = tuple(line.x for line in asked if not line.off)
    return Rung(message, y, client.x, max((line.x for line in asked), default=client.x), heads, hidden)


def _is_off(result: DrillResult, server: str, exchange: Exchange) -> bool:
    """It was down when the client began to ask, and gave no answer to this one."""
    begin, end = exchange.asked_at_s, exchange.answered_at_s or exchange.asked_at_s
    if any(
        m.server == server and m.from_server and m.client == exchange.client and begin <= m.at_s <= end
        for m in result.messages
    ):
        return False
    states = [e.condition for e in result.events if e.what == "state" and e.machine == server and e.at_s <= end]
    return bool(states) and states[-1] == "off"
