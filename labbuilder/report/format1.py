"""Drills of a document of format 1, which knew one stopwatch, as the fields of a result of today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labbuilder.services.dhcp import ENGINES, Engine

FORMAT = 1
_COUNTED_TO_THE_END = {"both-down"}  # the one drill of that time whose repair was part of what was measured


def upgraded(drill: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with its one stopwatch in a list, and with what it is judged by."""
    reading = {
        "stopwatch": "addresses",
        "outages": drill["outages"],
        "exchanges": drill["exchanges"],
        "messages": drill["messages"],
        "wrong": [{"key": key, "seen": drill[key]} for key in ("duplicates", "lost")],
    }
    return {
        **drill,
        "stopwatches": [reading],
        "events": [_event(event, ENGINES[drill["engine"]][drill["mode"]]) for event in drill["events"]],
        "counted": "end" if drill["drill"] in _COUNTED_TO_THE_END else "repair",
    }


def _event(event: Mapping[str, Any], engine: Engine) -> dict[str, Any]:
    return {**event, "condition": engine.condition(event["text"]) if event["what"] == "state" else None}
