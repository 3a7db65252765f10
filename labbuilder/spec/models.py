"""The spec: what the user asked for. One model for Python, YAML and flags.

Said nothing, the lab is the guide's: two servers in DHCP failover and one client.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

LabName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
HostName = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,29}[a-z0-9])?$")]
NicName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,14}$")]


class Model(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class InternalNetwork(Model):
    """The lab's own network: DHCP is served here and only here."""

    subnet: IPv4Network = IPv4Network("192.168.1.0/24")
    nic: NicName = "enp0s3"


class BridgedNetwork(Model):
    """The LAN outside: simulated on nspawn, a real bridge on VirtualBox."""

    subnet: IPv4Network = IPv4Network("172.26.0.0/16")
    nic: NicName = "enp0s8"
    gateway: IPv4Address | None = None
    """The LAN's router; said nothing, the first address of the subnet."""


class Networks(Model):
    """Both networks of the lab."""

    internal: InternalNetwork = InternalNetwork()
    bridged: BridgedNetwork = BridgedNetwork()


class AddressRange(Model):
    """A range of addresses, both ends included; in YAML ``192.168.1.100-192.168.1.200`` does too."""

    start: IPv4Address
    end: IPv4Address


class Failover(Model):
    """How two servers share the pool."""

    engine: Literal["isc"] = "isc"
    mode: Literal["load-balancing"] = "load-balancing"
    mclt_s: int = Field(default=60, ge=1, le=86400)
    """Maximum client lead time in seconds; the first lease of a client is that long."""
    split: int = Field(default=128, ge=0, le=256)
    """Of 256 hash buckets, those that the primary serves."""
    max_response_delay_s: int = Field(default=5, ge=1, le=3600)
    """Seconds of silence after which the partner counts as unreachable."""
    load_balance_max_s: int = Field(default=3, ge=1, le=255)
    """A client whose ``secs`` is above this is answered by either server."""


class Dhcp(Model):
    """What the DHCP servers hand out."""

    pool: AddressRange | None = None
    """Said nothing: .100 to .200 of the internal subnet, or its upper half where that does not fit."""
    default_lease_s: int = Field(default=600, ge=60, le=31_536_000)
    max_lease_s: int = Field(default=7200, ge=60, le=31_536_000)
    failover: Failover = Failover()


class Dns(Model):
    """Names: where the servers ask, and what the clients are told to ask."""

    forwarders: tuple[IPv4Address, ...] = (IPv4Address("8.8.8.8"), IPv4Address("8.8.4.4"))
    """The servers' own resolv.conf and BIND's forwarders."""
    domain: str = "lab.test"
    """The zone in which the machines' names stand."""


class Server(Model):
    """A server; the first is the failover primary."""

    name: HostName
    internal: IPv4Interface | None = None
    """Address on the internal network; said nothing, .1, .2 of the subnet."""
    bridged: IPv4Interface | None = None
    """Address on the bridged network; said nothing, 11th, 12th address of the subnet."""


class Client(Model):
    """A client: configured by DHCP alone."""

    name: HostName


class LabSpec(Model):
    """A whole lab."""

    name: LabName = "aula"
    provider: Literal["auto", "nspawn"] = "auto"
    suite: Literal["bookworm"] = "bookworm"
    mirror: str | None = None
    networks: Networks = Networks()
    dhcp: Dhcp = Dhcp()
    dns: Dns = Dns()
    servers: tuple[Server, ...] = (Server(name="server1"), Server(name="server2"))
    clients: tuple[Client, ...] = (Client(name="client1"),)
