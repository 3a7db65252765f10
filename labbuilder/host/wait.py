"""Waiting: poll the real condition, with a limit. The only place that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from labbuilder.errors import WaitError

T = TypeVar("T")


@dataclass(frozen=True)
class Deadline:
    """A point in monotonic time, handed down instead of restarted at every layer."""

    within_s: float
    _start: float = field(default_factory=time.monotonic)

    @property
    def remaining_s(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._start + self.within_s - time.monotonic())

    @property
    def expired(self) -> bool:
        """The limit has passed."""
        return self.remaining_s == 0.0


def wait_until(
    what: str,
    probe: Callable[[], T],
    *,
    within_s: float,
    every_s: float = 0.02,
    resolution: str | None = None,
) -> T:
    """Ask ``probe`` until its answer is true; return that answer.

    Args:
        what: The awaited state, as a reader would say it: "dhcpd on server1 is active".
        probe: Asked at once, then every ``every_s``, and one last time at the deadline. It ends
            the wait early by raising when the state can no longer be reached.
        within_s: Limit in seconds of monotonic time.
        every_s: Seconds between two questions.
        resolution: What the reader of the error should do.

    Raises:
        WaitError: The limit passed; its details carry the last answer.
    """
    deadline = Deadline(within_s)
    while True:
        last_try = deadline.expired
        answer = probe()
        if answer:
            return answer
        if last_try:
            raise WaitError(
                brief=f"waited {within_s:g} s in vain: {what}",
                details=f"Last answer: {answer!r}",
                resolution=resolution,
            )
        time.sleep(min(every_s, deadline.remaining_s))


def pause_until(end_s: float, look: Callable[[], object], *, every_s: float) -> None:
    """Let time pass while something is measured, and look around meanwhile.

    Args:
        end_s: Moment of monotonic time.
        look: Called every ``every_s``, at once the first time.
        every_s: Seconds between two looks.
    """
    while time.monotonic() < end_s:
        look()
        time.sleep(max(0.0, min(every_s, end_s - time.monotonic())))
