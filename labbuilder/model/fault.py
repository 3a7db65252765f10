"""A fault as data: what it hits, what is done to break it, and how each of that is undone.

A service says its own faults in its own file; the drill (`labbuilder.drill`) carries any of them out. Each step is
undone by itself, in the contrary order, also when it was never done: so the repair of a drill that was killed is that
of one that was not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Counted = Literal["repair", "end"]


@dataclass(frozen=True)
class Need:
    """What a lab must have for a fault or a measurement, and whether this one has it.

    Attributes:
        met: This lab has it.
        brief: What is told of a lab that has not: what is missing.
        details: What was seen.
        resolution: What to do.
    """

    met: bool
    brief: str
    details: str = ""
    resolution: str = ""


@dataclass(frozen=True)
class Shell:
    """Lines of shell, run as root in a machine; each must end with 0."""

    machine: str
    do: str
    undo: str = ""


@dataclass(frozen=True)
class PowerCut:
    """The machine's power is cut; it is switched on again."""

    machine: str


@dataclass(frozen=True)
class Freeze:
    """Every process of the machine stands still, its wires stay; it goes on again."""

    machine: str


@dataclass(frozen=True)
class Unplug:
    """The machine's cable to a network is unplugged; it is plugged in again."""

    machine: str
    network: str


@dataclass(frozen=True)
class Call:
    """What no other step can do: functions of who wrote the fault.

    Attributes:
        away: The machine that can't be asked meanwhile, if there is one.
    """

    do: Callable[[], object]
    undo: Callable[[], object]
    away: str | None = None


@dataclass(frozen=True)
class Well:
    """Nothing is done: both servers of the pair are awaited in the state in which all is well."""


@dataclass(frozen=True)
class TakenOver:
    """Nothing is done: it is awaited that the machine serves without its partner."""

    machine: str


@dataclass(frozen=True)
class Takeover:
    """The operator lets the second server serve; who says so also says `GiveBack`.

    Attributes:
        force: Also when the primary, which is frozen, still answers a ping.
    """

    machine: str
    force: bool = False


@dataclass(frozen=True)
class GiveBack:
    """The operator gives back to the primary.

    Attributes:
        now: Done as a step; else at the repair alone.
    """

    now: bool = False


@dataclass(frozen=True)
class Crowd:
    """Clients come and keep an address each, until so many of the pool are left; they give them back and go."""

    leaves: int


@dataclass(frozen=True)
class Load:
    """perfdhcp begins so many exchanges beside the other clients."""

    exchanges: int
    per_second: int


@dataclass(frozen=True)
class LoadEnds:
    """Nothing is done: perfdhcp's end is awaited."""


@dataclass(frozen=True)
class Measure:
    """Nothing is done for so long: what clients feel is measured."""

    seconds: float


OnMachine = Shell | PowerCut | Freeze | Unplug | Call
OnPair = Well | TakenOver | Takeover | GiveBack
OnClients = Crowd | Load
Passing = LoadEnds | Measure
Step = OnMachine | OnPair | OnClients | Passing


@dataclass(frozen=True)
class Fault:
    """One way to break a lab.

    Attributes:
        name: As it is typed: "crash-primary".
        title: What it does, in words.
        hits: The machines that it breaks.
        steps: What breaks them, at once.
        before: What is done before the clients come, where the fault needs it.
        beside: What is done when they are there, from the baseline on.
        meanwhile: What follows until the repair.
        needs: What the lab must have.
        counted: Until when clients are counted: "repair", or "end" where the repair is part of what is measured.
    """

    name: str
    title: str
    hits: tuple[str, ...]
    steps: tuple[Step, ...]
    before: tuple[Step, ...] = ()
    beside: tuple[Step, ...] = ()
    meanwhile: tuple[Step, ...] = (Measure(5.0),)
    needs: tuple[Need, ...] = ()
    counted: Counted = "repair"

    @property
    def repair(self) -> tuple[Step, ...]:
        """All its steps, in the order in which they are undone."""
        return (*self.before, *self.beside, *self.steps, *self.meanwhile)[::-1]
