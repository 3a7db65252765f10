"""Which interface of the host the bridged NIC is bridged to."""

from __future__ import annotations

import socket

from labbuilder.errors import HostError
from labbuilder.providers.virtualbox.registry import HostInterface, Registry

NAT = "nat"
_ANYWHERE = ("203.0.113.1", 9)  # TEST-NET-3, RFC 5737: beyond every LAN; a UDP socket that is connected sends nothing


def choose_bridge(wanted: str, found: tuple[HostInterface, ...]) -> str | None:
    """The interface's name; None bridges to none: NIC 2 goes through VirtualBox's NAT.

    Args:
        wanted: What the spec says: "auto", "nat" or a name.
        found: What VirtualBox can bridge to.

    Raises:
        HostError: There is no such interface, it is down, or "auto" finds none.
    """
    names = ", ".join(f"{interface.name} ({'up' if interface.up else 'down'})" for interface in found) or "none"
    if wanted == NAT:
        return None
    if wanted == "auto":
        address = default_route_address()
        chosen = next((i for i in found if address is not None and i.address == address), None)
        what = "no interface that VirtualBox can bridge to has the default route"
    else:
        chosen = next((interface for interface in found if interface.name == wanted), None)
        what = f"VirtualBox can't bridge to {wanted}: there is no such interface"
    if chosen is not None and not chosen.up:
        what, chosen = f"the interface {chosen.name} is down", None
    if chosen is None:
        raise HostError(
            brief=what,
            details=f"VirtualBox can bridge to: {names}",
            resolution="name one in the spec, `virtualbox: {bridged: NAME}`, or say `bridged: nat`",
        )
    return chosen.name


class Bridges:
    """The bridges of one provider, each asked for once: a question costs as much as a change."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, str | None] = {}

    def chosen(self, wanted: str) -> str | None:
        """Return the interface that is bridged to, as `choose_bridge` does."""
        if wanted not in self._known:
            self._known[wanted] = choose_bridge(wanted, () if wanted == NAT else self._registry.bridged_interfaces())
        return self._known[wanted]


def default_route_address() -> str | None:
    """The host's own address on the interface with the default route; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ANYWHERE)
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address
