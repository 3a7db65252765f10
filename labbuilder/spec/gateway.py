"""The section of the spec that says who is the clients' way to the world."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from labbuilder.spec.base import Address, Model

_CENTISECOND_MS = 10  # VRRPv3 counts in them (RFC 9568, 5.2.7)


class Gateway(Model):
    """The router that clients are told: docs/gateway.md."""

    redundancy: Literal["none", "vrrp"] = "none"
    """none: each server names itself, as in the guide; vrrp (RFC 9568): one address, held by who leads out."""
    address: Address | None = None
    """The virtual address; default: the last host address of the internal subnet."""
    advert_ms: int = Field(default=200, ge=100, le=40_950)
    """Milliseconds between two advertisements; after three that did not come the other server takes the address."""
    preempt: bool = True
    """The first server takes the address back when it is well again; else it stays where it is."""
    router_id: int | None = Field(default=None, ge=1, le=255)
    """The virtual router's id (VRID), one on a wire; default: made of the lab's name."""

    @field_validator("advert_ms")
    @classmethod
    def _centiseconds(cls, value: int) -> int:
        if value % _CENTISECOND_MS:
            raise ValueError("VRRP counts in hundredths of a second; allowed: a multiple of 10")
        return value
