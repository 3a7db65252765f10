"""What a stopwatch is: it starts, stops, and gives exchanges and outages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from labbuilder.drill.model import Reading
from labbuilder.model.fault import Fault, Need


@dataclass(frozen=True)
class Moments:
    """When what happened.

    Attributes:
        zero_s: The moment of the fault, in the clock of the captures; the others count from it.
        broken_at_s: When it had surely happened: an answer before that may have come in time.
        until_s: To where clients are counted: the repair, or the end.
    """

    zero_s: float
    broken_at_s: float
    until_s: float


class Stopwatch(Protocol):
    """Clients of one kind, all that they say, and what of it follows."""

    name: str

    def needs(self, fault: Fault) -> tuple[Need, ...]:
        """What the lab must have, so that it can measure this fault."""

    def start(self) -> None:
        """Start the clients; return when they are on their way. Raise MachineError or WaitError when they can't be."""

    def stop(self) -> None:
        """End them and keep what was captured."""

    def clear(self) -> None:
        """Remove all that `start` made, also when it was killed."""

    def reading(self, moments: Moments) -> Reading:
        """What the capture says. Raise MachineError when it says nothing."""
