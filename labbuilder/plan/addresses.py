"""Which addresses the lab has: all that the spec leaves open is decided here, once."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from labbuilder.model.lab import Network
from labbuilder.spec.models import AddressRange, LabSpec

INTERNAL, BRIDGED = "internal", "bridged"
_FIRST_ON_THE_LAN = 11


def networks(spec: LabSpec) -> dict[str, Network]:
    """The lab's networks by name, in the order of the NICs."""
    internal, bridged = spec.networks.internal.subnet, spec.networks.bridged.subnet
    return {
        INTERNAL: Network(INTERNAL, 0, internal, pool=spec.dhcp.pool or _pool(internal)),
        BRIDGED: Network(BRIDGED, 1, bridged, uplink=True, gateway=_gateway(spec), owner=spec.world.owner),
    }


def server_address(spec: LabSpec, index: int, network: Network) -> IPv4Interface:
    """Return the address of a server: the one that is asked for, else one of the first, or of the 11th on the LAN."""
    first = min(_FIRST_ON_THE_LAN, network.subnet.num_addresses - 3) if network.uplink else 1
    asked: IPv4Interface | None = getattr(spec.servers[index], network.name)
    if asked is None:
        return IPv4Interface((network.subnet.network_address + first + index, network.subnet.prefixlen))
    if asked.network.prefixlen == 32:  # noqa: PLR2004  said without a prefix
        return IPv4Interface((asked.ip, network.subnet.prefixlen))
    return asked


def virtual_address(spec: LabSpec, network: Network) -> IPv4Address:
    """Return the address of the virtual router on the network that is served."""
    return spec.gateway.address or network.subnet.broadcast_address - 1


def on_the_uplink(spec: LabSpec) -> tuple[str | None, frozenset[IPv4Address]]:
    """Return whose the LAN outside is, and the servers' addresses there; None where it is the lab's own."""
    (uplink,) = (network for network in networks(spec).values() if network.uplink)
    return uplink.owner, frozenset(server_address(spec, index, uplink).ip for index in range(len(spec.servers)))


def _gateway(spec: LabSpec) -> IPv4Address:
    """Return the router of the bridged LAN; a hypervisor's NAT is the second address of its network."""
    bridged = spec.networks.bridged
    return bridged.gateway or bridged.subnet.network_address + (2 if spec.world.kind == "nat" else 1)


def _pool(subnet: IPv4Network) -> AddressRange:
    """The guide's range where it fits, else the upper half."""
    if subnet.prefixlen <= 24:  # noqa: PLR2004  the guide's range fits
        return AddressRange(start=subnet.network_address + 100, end=subnet.network_address + 200)
    half = subnet.num_addresses // 2
    return AddressRange(start=subnet.network_address + half, end=subnet.broadcast_address - 1)
