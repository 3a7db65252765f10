"""The section of the spec that says how two servers share the pool."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from pydantic import Field, field_validator

from labbuilder.spec.base import Model, Problem

Engine = Literal["isc", "kea"]
Mode = Literal["load-balancing", "hot-standby", "round-robin", "manual"]
Timers = Literal["quick", "engine"]
BUCKETS = 256  # RFC 3074: the hash of a client's identifier falls into one of them


class _Delays(NamedTuple):
    silence_s: int
    heartbeat_s: int = 1
    ack_s: int = 1
    unacked_clients: int = 0


# The engines' own: ISC's from the example of dhcpd.conf(5), which has no default; Kea's from its manual.
_DELAYS: dict[tuple[Engine, Timers], _Delays] = {
    ("isc", "quick"): _Delays(silence_s=5),
    ("isc", "engine"): _Delays(silence_s=60),
    ("kea", "quick"): _Delays(silence_s=2),
    ("kea", "engine"): _Delays(silence_s=60, heartbeat_s=10, ack_s=10, unacked_clients=10),
}


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

    @property
    def primary_buckets(self) -> int:
        """ISC's split: hot standby is the primary alone."""
        if self.split is not None:
            return self.split
        return BUCKETS if self.mode == "hot-standby" else BUCKETS // 2

    @property
    def silence_s(self) -> int:
        """Seconds after which a silent partner counts as unreachable."""
        return self.max_response_delay_s or self._delays.silence_s

    @property
    def beat_s(self) -> int:
        """Kea: seconds between two heartbeats."""
        return self.heartbeat_s or self._delays.heartbeat_s

    @property
    def ack_s(self) -> int:
        """Kea: seconds after which a client counts as one that waits in vain."""
        return self._delays.ack_s

    @property
    def unacked_clients(self) -> int:
        """Kea: more clients than this must wait before a silent partner counts as dead."""
        return self._delays.unacked_clients if self.max_unacked_clients is None else self.max_unacked_clients

    @property
    def _delays(self) -> _Delays:
        return _DELAYS[self.engine, self.timers]

    @property
    def cold_standby(self) -> bool:
        """ISC's failover always takes over by itself, so a manual second server is one that is off."""
        return self.engine == "isc" and self.mode == "manual"

    @property
    def notice(self) -> str:
        """What anyone who chooses the mode must know; empty for most."""
        if self.mode != "round-robin":
            return ""
        how = "gives each server every other hash bucket" if self.engine == "isc" else "halves the hash, and the pool"
        return (
            f"round-robin: no DHCP server rotates by request; {'dhcpd' if self.engine == 'isc' else 'Kea'} {how}: "
            "an even share, and a client stays with its server"
        )

    def problems(self) -> Iterator[Problem]:
        """What can't be together; places are relative to this section."""
        if self.split is not None and self.engine == "kea":
            yield ("split",), f"{self.split}: Kea has no split, its pools are shared out evenly"
        elif self.split is not None and self.mode != "load-balancing":
            yield ("split",), f"{self.split} with {self.mode}; allowed: split with load-balancing alone"
        if self.engine == "kea" and self.silence_s <= self.beat_s:
            place = "heartbeat_s" if self.max_response_delay_s is None else "max_response_delay_s"
            yield (
                (place,),
                (
                    f"a partner would count as unreachable after {self.silence_s} s, before its next heartbeat is due, "
                    f"after {self.beat_s} s"
                ),
            )
