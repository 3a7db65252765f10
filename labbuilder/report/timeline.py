"""The timeline's geometry: what stands where, in the units of the picture's view box. The template draws it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from labbuilder.drill.model import DrillResult, Event, Exchange, Kind, Reading
from labbuilder.report import figures

WIDTH = 960.0
LEFT, RIGHT = 128.0, WIDTH - 14.0
_HEAD_ROW, _BAND, _BARS, _WAITS = 17.0, 18.0, 42.0, 96.0  # heights
_GAP = 16.0
_LABEL_ROOM = 6.6  # of one letter of an event's label
_MOST_BINS = 60
_STEPS_S = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)

# Kinds of wishes that share a lane: a rebind goes on from a renewal. Those of other stopwatches have one together.
_LANES: dict[str, tuple[tuple[str, ...], ...]] = {"addresses": ((Kind.NEW,), (Kind.RENEW, Kind.REBIND))}


@dataclass(frozen=True)
class Flag:
    """An event with its label at the picture's head."""

    event: Event
    x: float
    row: int
    leftwards: bool


@dataclass(frozen=True)
class Span:
    """A state of a server, from one look at it to the one that found another; its condition says how it is drawn."""

    state: str
    condition: str
    from_s: float
    x: float
    width: float


@dataclass(frozen=True)
class Bar:
    """So many ACKs of a server in one slice of time."""

    x: float
    width: float
    height: float
    count: int
    from_s: float


@dataclass(frozen=True)
class ServerLane:
    """One server: its states, and its answers below them."""

    name: str
    index: int
    y: float
    spans: tuple[Span, ...]
    bars: tuple[Bar, ...]

    @property
    def floor(self) -> float:
        """Where bars stand."""
        return self.y + _BAND + 4 + _BARS


@dataclass(frozen=True)
class Wait:
    """One client's wait, from its first message to the ACK; without ``server`` none came.

    Attributes:
        open: The capture ended before.
    """

    exchange: Exchange
    x: float
    end: float
    y: float
    server: int | None
    open: bool


@dataclass(frozen=True)
class WaitLane:
    """The waits of some kinds of clients, packed so that none covers another."""

    kinds: tuple[str, ...]
    y: float
    height: float
    radius: float
    waits: tuple[Wait, ...]


@dataclass(frozen=True)
class Area:
    """An outage, from answer to answer, over the lanes in which it is felt."""

    reading: Reading
    x: float
    end: float
    y: float
    height: float


@dataclass(frozen=True)
class Timeline:
    """The whole picture."""

    height: float
    head: float
    axis: float
    ticks: tuple[tuple[float, float], ...]
    flags: tuple[Flag, ...]
    servers: tuple[ServerLane, ...]
    slice_s: float
    most: int
    waits: tuple[WaitLane, ...]
    outages: tuple[Area, ...]

    width, left, right, band, bars_height = WIDTH, LEFT, RIGHT, _BAND, _BARS


def timeline(result: DrillResult, label: Callable[[Event], str]) -> Timeline:
    """Lay the picture out.

    Args:
        result: The drill.
        label: An event's words at the picture's head: their length decides what fits.
    """
    moments = [m.at_s for m in result.messages] + [e.at_s for e in result.events]
    begin, end = min(moments, default=0.0) - 0.1, max(moments, default=1.0) + 0.1

    def x(at_s: float) -> float:
        return round(LEFT + (at_s - begin) / (end - begin) * (RIGHT - LEFT), 2)

    flags = _flags(result.events, x, label)
    head = (max((flag.row for flag in flags), default=0) + 1) * _HEAD_ROW + 10
    slice_s = next((s for s in _STEPS_S if (end - begin) / s <= _MOST_BINS), _STEPS_S[-1])
    lanes, most = _server_lanes(result, x, end, slice_s, head)
    y = head + len(lanes) * (_BAND + 4 + _BARS + _GAP)
    waits: list[WaitLane] = []
    areas: list[Area] = []
    for reading in result.stopwatches:
        top = y if waits else head  # that of addresses covers the servers' answers too
        for kinds in _LANES.get(reading.stopwatch, (tuple(outage.kind for outage in reading.outages),)):
            waits.append(lane := _wait_lane(result, reading, kinds, x, end, y))
            if reading.outage.kind in kinds and (span := _outage(result, reading, end)):
                areas.append(Area(reading, x(span[0]), x(span[1]), top, lane.y + lane.height - top))
            y += lane.height + _GAP
    step = next((s for s in _STEPS_S if s >= 1 and (end - begin) / s <= 16), _STEPS_S[-1])  # noqa: PLR2004  ticks
    ticks = tuple((n * step, x(n * step)) for n in range(math.ceil(begin / step), math.floor(end / step) + 1))
    return Timeline(
        height=y + 30,
        head=head,
        axis=y,
        ticks=ticks,
        flags=flags,
        servers=lanes,
        slice_s=slice_s,
        most=most,
        waits=tuple(waits),
        outages=tuple(areas),
    )


def _flags(events: Iterable[Event], x: Callable[[float], float], label: Callable[[Event], str]) -> tuple[Flag, ...]:
    """Each label in the first row where none is in its way; near the right edge it stands left of its mark."""
    ends: list[float] = []
    found = []
    for event in (e for e in events if e.what != "state"):
        room = len(label(event)) * _LABEL_ROOM + 16
        at = x(event.at_s)
        leftwards = at + room > RIGHT
        start, stop = (at - room, at + 8) if leftwards else (at - 8, at + room)
        row = next((n for n, end in enumerate(ends) if end <= start), len(ends))
        ends[row : row + 1] = [stop]
        found.append(Flag(event, at, row, leftwards))
    return tuple(found)


def _server_lanes(
    result: DrillResult, x: Callable[[float], float], end: float, slice_s: float, y: float
) -> tuple[tuple[ServerLane, ...], int]:
    names = figures.servers(result)
    counts = {
        name: Counter(math.floor(at / slice_s) for at in figures.answered(result.addresses, name)) for name in names
    }
    most = max((count for of_server in counts.values() for count in of_server.values()), default=1)
    return tuple(
        ServerLane(
            name=name,
            index=index,
            y=y + index * (_BAND + 4 + _BARS + _GAP),
            spans=tuple(_spans(result, name, x, end)),
            bars=tuple(_bar(n, count, most, slice_s, x) for n, count in sorted(counts[name].items())),
        )
        for index, name in enumerate(names)
    ), most


def _bar(n: int, count: int, most: int, slice_s: float, x: Callable[[float], float]) -> Bar:
    start, stop = max(x(n * slice_s), LEFT), min(x((n + 1) * slice_s), RIGHT)
    return Bar(start + 0.75, round(stop - start - 1.5, 2), round(count / most * _BARS, 2), count, n * slice_s)


def _spans(result: DrillResult, server: str, x: Callable[[float], float], end: float) -> Iterable[Span]:
    seen = [event for event in result.events if event.what == "state" and event.machine == server]
    for event, after in pairwise([*seen, Event(end, "state", "", server)]):
        yield Span(
            event.text, event.condition or "moving", event.at_s, x(event.at_s), round(x(after.at_s) - x(event.at_s), 2)
        )


def _wait_lane(
    result: DrillResult,
    reading: Reading,
    kinds: tuple[str, ...],
    x: Callable[[float], float],
    end: float,
    y: float,
) -> WaitLane:
    found = [e for e in reading.exchanges if e.kind in kinds]
    names = figures.servers(result)
    rows: list[float] = []
    placed = []
    for exchange in found:
        stop_s = _end_of(exchange, reading.exchanges, end)
        start, stop = x(exchange.asked_at_s), x(stop_s)
        row = next((n for n, taken in enumerate(rows) if taken < start), len(rows))
        rows[row : row + 1] = [stop + 7]
        placed.append((exchange, start, stop, row, stop_s == end))
    pitch = min(8.0, _WAITS / max(len(rows), 1))
    height = max(pitch * len(rows), 24.0)
    waits = tuple(
        Wait(
            exchange=e,
            x=start,
            end=stop,
            y=round(y + pitch * (row + 0.5), 2),
            server=names.index(e.server) if e.server in names else None,
            open=is_open,
        )
        for e, start, stop, row, is_open in placed
    )
    return WaitLane(kinds, y, height, round(min(3.2, max(1.6, pitch * 0.45)), 2), waits)


def _end_of(exchange: Exchange, every: Sequence[Exchange], end: float) -> float:
    """Of an unanswered wish, the moment when its client asked in another way, else the picture's end."""
    if exchange.answered_at_s is not None:
        return exchange.answered_at_s
    later = (e.asked_at_s for e in every if e.client == exchange.client and e.asked_at_s > exchange.asked_at_s)
    return next(later, end)


def _outage(result: DrillResult, reading: Reading, end: float) -> tuple[float, float] | None:
    """From the last answer before the fault to the first after it, or the repair."""
    felt = reading.outage
    at = sorted(e.answered_at_s for e in reading.exchanges if e.kind == felt.kind and e.answered_at_s is not None)
    before = [moment for moment in at if moment <= 0]
    if not before:
        return None
    until = min(figures.repaired_at(result), end) if felt.seconds is None else before[-1] + felt.seconds
    return before[-1], until
