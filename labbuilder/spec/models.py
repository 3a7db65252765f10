"""The spec: what the user asked for. One model for Python, YAML and flags.

By default the lab is the guide's: two servers in DHCP failover and one client.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
)

from labbuilder.host.store import LAB_NAME
from labbuilder.spec.base import Address, HostName, Model, written
from labbuilder.spec.failover import Failover
from labbuilder.spec.gateway import Gateway
from labbuilder.spec.providers import Incus, Vagrant, VirtualBox, World, world

MAX_CLIENTS = 200
WITNESS = IPv4Address("203.0.113.10")  # where the simulated world is; TEST-NET-3, RFC 5737: nobody's

_RESERVED_NAMES = {
    "localhost": "every machine's own name",
    "lo": "every machine's own NIC",
    "enp0s9": "the NIC of the management",
}
_RESERVED_SUBNETS = {
    IPv4Network("0.0.0.0/8"): "this host",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("169.254.0.0/16"): "link-local",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "reserved",
    IPv4Network(WITNESS): "the host of the simulated world that proves NAT",
}


def _unreserved(name: str) -> str:
    if name in _RESERVED_NAMES:
        raise ValueError(f"the name is taken: it is {_RESERVED_NAMES[name]}")
    return name


def _for_a_lab(subnet: IPv4Network) -> IPv4Network:
    if subnet.prefixlen > 29:  # noqa: PLR2004  two servers, a pool of two, a router
        raise ValueError("is too small; allowed: a prefix up to /29")
    for reserved, what in _RESERVED_SUBNETS.items():
        if subnet.overlaps(reserved):
            raise ValueError(f"overlaps {reserved}: {what}; take a private one, as 192.168.1.0/24")
    return subnet


LabName = Annotated[str, StringConstraints(pattern=LAB_NAME)]
NicName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,14}$"), AfterValidator(_unreserved)]
MachineName = Annotated[HostName, AfterValidator(_unreserved)]
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DomainName = Annotated[
    str, StringConstraints(max_length=200, pattern=rf"^({_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]$")
]
ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
PackageName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]+$")]  # deb-control(5)
Interface = Annotated[IPv4Interface, BeforeValidator(written)]
Subnet = Annotated[IPv4Network, BeforeValidator(written), AfterValidator(_for_a_lab)]


class InternalNetwork(Model):
    """The lab's own network: DHCP is served here and only here."""

    subnet: Subnet = IPv4Network("192.168.1.0/24")
    """The internal subnet, as ADDRESS/PREFIX."""
    nic: NicName = "enp0s3"
    """The name of NIC 1 in every machine."""


class BridgedNetwork(Model):
    """The LAN outside: simulated on nspawn."""

    subnet: Subnet = IPv4Network("172.26.0.0/16")
    """The subnet of the LAN, as ADDRESS/PREFIX."""
    nic: NicName = "enp0s8"
    """The name of NIC 2 in every server."""
    gateway: Address | None = None
    """The LAN's router; default: the first address of the subnet."""


class Networks(Model):
    """Both networks of the lab."""

    internal: InternalNetwork = InternalNetwork()
    """Where DHCP is served."""
    bridged: BridgedNetwork = BridgedNetwork()
    """Where the servers reach the world."""


def _split_range(value: object) -> object:
    if isinstance(value, str) and value.count("-") == 1:
        start, end = value.split("-")
        return {"start": start.strip(), "end": end.strip()}
    return value


class AddressRange(Model):
    """A range of addresses, both ends included; ``192.168.1.100-192.168.1.200`` does too."""

    start: Address
    """The first address."""
    end: Address
    """The last address."""

    def __contains__(self, address: object) -> bool:
        return isinstance(address, IPv4Address) and self.start <= address <= self.end

    def __len__(self) -> int:
        return max(0, int(self.end) - int(self.start) + 1)

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"


class Dhcp(Model):
    """What the DHCP servers hand out."""

    pool: Annotated[AddressRange, BeforeValidator(_split_range)] | None = None
    """Default: the 100th to the 200th address of the internal subnet, or its upper half."""
    default_lease_s: int = Field(default=600, ge=10, le=31_536_000)
    """Lease time in seconds for a client that asks for none."""
    max_lease_s: int = Field(default=7200, ge=10, le=31_536_000)
    """The longest lease time in seconds that a client can get."""
    failover: Failover = Failover()
    """How two servers share the pool; with one server it is not used."""


class Dns(Model):
    """Names: where the servers ask, and what the clients are told."""

    forwarders: Annotated[tuple[Address, ...], Field(min_length=1, max_length=3)] = (
        IPv4Address("8.8.8.8"),
        IPv4Address("8.8.4.4"),
    )
    """The servers' own resolv.conf and BIND's forwarders; resolv.conf(5) reads three at most."""
    domain: DomainName = "lab.test"
    """The zone in which the machines' names stand (".test" is reserved for this by RFC 6761)."""
    probe: DomainName = "deb.debian.org"
    """A name that the forwarders resolve; the checks ask for it where the bridged LAN is a real one."""


class Server(Model):
    """A server; the first is the failover primary."""

    name: MachineName
    """Its host name."""
    internal: Interface | None = None
    """Address on the internal network; default: .1, .2 of the subnet."""
    bridged: Interface | None = None
    """Address on the bridged network; default: the 11th, 12th address of the subnet, or its last two."""


class Client(Model):
    """A client: configured by DHCP alone."""

    name: MachineName
    """Its host name."""


def _machines(kind: str, least: int, most: int) -> BeforeValidator:
    """Accept a count or bare names where a list of machines is asked for."""

    def expand(value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            if not least <= value <= most:
                raise ValueError(f"{value} {kind}s; allowed: at least {least}, at most {most}")
            return [{"name": f"{kind}{number}"} for number in range(1, value + 1)]
        if isinstance(value, list | tuple):
            return [{"name": item} if isinstance(item, str) else item for item in value]
        return value

    return BeforeValidator(expand)


class LabSpec(Model):
    """A whole lab."""

    name: LabName = "aula"
    """The lab's name: lower-case letters, digits and hyphens."""
    provider: Literal["auto", "nspawn", "virtualbox", "vagrant", "incus"] = "auto"
    """Where the machines live."""
    suite: Literal["bookworm", "trixie"] = "bookworm"
    """The Debian release of the machines."""
    mirror: Annotated[str, StringConstraints(pattern=r"^(https?|file)://\S+$")] | None = None
    """Debian mirror for the image; default: the host's own."""
    packages: tuple[PackageName, ...] = ()
    """Debian packages that the image has besides those that the lab needs."""
    networks: Networks = Networks()
    """The two networks."""
    dhcp: Dhcp = Dhcp()
    """What the DHCP servers hand out."""
    dns: Dns = Dns()
    """Names."""
    gateway: Gateway = Gateway()
    """The router that clients are told."""
    services: dict[ServiceName, dict[str, Any]] = {}  # noqa: RUF012  pydantic copies it
    """Services from outside labbuilder, by their names, with their settings: docs/services.md."""
    virtualbox: VirtualBox = VirtualBox()
    """VirtualBox's own settings; Vagrant's machines have them too."""
    vagrant: Vagrant = Vagrant()
    """Vagrant's own settings."""
    incus: Incus = Incus()
    """Incus's own settings."""
    servers: Annotated[tuple[Server, ...], _machines("server", 1, 2), Field(min_length=1, max_length=2)] = (
        Server(name="server1"),
        Server(name="server2"),
    )
    """One server, or two in failover; a number or bare names will do."""
    clients: Annotated[tuple[Client, ...], _machines("client", 0, MAX_CLIENTS), Field(max_length=MAX_CLIENTS)] = (
        Client(name="client1"),
    )
    """Any number of clients; a number or bare names will do."""

    @property
    def world(self) -> World:
        """What lies behind NIC 2."""
        return world(self.provider, self)
