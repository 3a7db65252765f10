"""What the failover states of the engines mean: the one table."""

from __future__ import annotations

from labbuilder.drill.model import Condition

UNWATCHED = "unwatched"  # a machine that can't be asked

_CONDITIONS: dict[Condition, frozenset[str]] = {
    "well": frozenset({"normal", "load-balancing", "hot-standby", "serving"}),
    "alone": frozenset(
        {"communications-interrupted", "partner-down", "communication-recovery", "partner-in-maintenance"}
    ),
    "off": frozenset({"down", "unreachable", "standby", UNWATCHED}),
}


def condition(state: str) -> Condition:
    """What a state of a server means; one that is in no row is on the way from one to another."""
    return next((name for name, states in _CONDITIONS.items() if state in states), "moving")
