"""The section of the spec that says how two servers share the pool."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from labbuilder.spec.base import Model

Engine = Literal["isc", "kea"]
Mode = Literal["load-balancing", "hot-standby", "round-robin", "manual"]
Timers = Literal["quick", "engine"]
BUCKETS = 256  # RFC 3074: the hash of a client's identifier falls into one of them


def _buckets(value: object) -> object:
    if isinstance(value, str) and value.endswith("%"):
        number = re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", value[:-1].strip())
        if number is None or float(number[0]) > 100:  # noqa: PLR2004  per cent
            raise ValueError("allowed: 0% to 100%")
        return round(float(number[0]) * BUCKETS / 100)
    return value


class Failover(Model):
    """How two servers share the pool: docs/failover.md tells what each mode really is on each engine."""

    engine: Engine = "isc"
    """The DHCP server: isc (isc-dhcp-server) or kea (kea-dhcp4-server)."""
    mode: Mode = "load-balancing"
    """How the peers share the work: load-balancing, hot-standby, round-robin or manual."""
    mclt_s: int = Field(default=60, ge=1, le=86400)
    """ISC: maximum client lead time in seconds: the length of a client's first lease."""
    split: int | None = Field(default=None, ge=0, le=BUCKETS)
    """ISC, load-balancing: of 256 hash buckets those of the primary, or a share such as 70%; default: 128."""
    timers: Timers = "quick"
    """What is meant where a delay is not said: quick, a lab's, or engine, the engine's own, which go up to a minute."""
    max_response_delay_s: int | None = Field(default=None, ge=1, le=65)
    """Seconds of silence after which the partner counts as lost; default: 5 (ISC), 2 (Kea) or 60 (engine)."""
    load_balance_max_s: int = Field(default=3, ge=1, le=255)
    """ISC: a client whose ``secs`` is above this is answered by either server."""
    heartbeat_s: int | None = Field(default=None, ge=1, le=65)
    """Kea: seconds between two heartbeats; default: 1 or 10 (engine)."""
    max_unacked_clients: int | None = Field(default=None, ge=0, le=10000)
    """Kea: more clients than this must wait before a silent partner counts as dead; default: 0 or 10 (engine)."""

    @field_validator("split", mode="before")
    @classmethod
    def _percent(cls, value: object) -> object:
        return _buckets(value)
