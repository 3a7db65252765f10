"""What is going on now, as events: the library emits, the command line and the log listen."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

logger = logging.getLogger("labbuilder")
logger.addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Event:
    """One thing that happened to one step.

    Attributes:
        kind: "started", "progress", "done" or "failed".
        step: The step as a reader would say it: "boot", "provision", "image".
        machine: The machine it is about, or None where it is about the whole lab.
        seconds: Time since the step started.
        fraction: For "progress": 0.0 to 1.0.
        detail: One line more, where there is something to say.
    """

    kind: Literal["started", "progress", "done", "failed"]
    step: str
    machine: str | None = None
    seconds: float = 0.0
    fraction: float | None = None
    detail: str = ""


Listener = Callable[[Event], None]
_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hand every event to ``listener`` while the block runs; it may be called from any thread."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def emit(event: Event) -> None:
    """Tell all listeners."""
    logger.debug("%s", event)
    for listener in tuple(_listeners):
        listener(event)


class Step:
    """A running step; its holder reports how far it is and what came of it."""

    def __init__(self, name: str, machine: str | None) -> None:
        self.name = name
        self.machine = machine
        self.detail = ""
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the step started."""
        return time.monotonic() - self._start

    def advance(self, fraction: float, detail: str = "") -> None:
        """Say how much of the step is done, from 0.0 to 1.0."""
        emit(Event("progress", self.name, self.machine, self.seconds, fraction, detail))


@contextmanager
def step(name: str, machine: str | None = None) -> Iterator[Step]:
    """Emit "started" now and "done" or "failed", with the seconds it took, at the end."""
    running = Step(name, machine)
    emit(Event("started", name, machine))
    try:
        yield running
    except BaseException as error:
        brief = getattr(error, "brief", None) or type(error).__name__
        brief = "interrupted" if isinstance(error, KeyboardInterrupt) else brief
        emit(Event("failed", name, machine, running.seconds, detail=brief))
        raise
    emit(Event("done", name, machine, running.seconds, detail=running.detail))
