"""The plan of a lab: networks, machines and what is done in each, to the last byte of every file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Literal

from labbuilder.model.step import RenderedFile, SecretFile, Step
from labbuilder.spec.base import Model
from labbuilder.spec.models import AddressRange, Dhcp, Dns
from labbuilder.spec.providers import Section, section


@dataclass(frozen=True)
class Network:
    """A wire that machines are connected to.

    Attributes:
        number: Its place among the lab's networks, from 0.
        uplink: It is the LAN outside, or the simulated one: the way to the world. The others are the lab's own, closed.
        gateway: Of the uplink, the LAN's own router.
        owner: Of a real LAN, whose it is: "host", or the server whose bridge it is; None where it is the lab's own.
        pool: The addresses that DHCP leases here; None where no DHCP is served.
    """

    name: str
    number: int
    subnet: IPv4Network
    uplink: bool = False
    gateway: IPv4Address | None = None
    owner: str | None = None
    pool: AddressRange | None = None


@dataclass(frozen=True)
class Nic:
    """A network card of a machine, in the order of the slots (NIC 1 first).

    Attributes:
        network: The name of the network that it is connected to.
        address: None: by DHCP.
        shared: Hosts with MACs of their own live behind it: the clients of a drill.
    """

    name: str
    network: str
    mac: str
    address: IPv4Interface | None
    shared: bool = False


@dataclass(frozen=True)
class MachinePlan:
    """One machine: hardware first, then what it does.

    Attributes:
        roles: What it is in the lab: "server", "client".
        data: What wrote the data on its disk: where that would be another, the machine is made anew.
        steps: In the order in which they are applied.
    """

    name: str
    roles: tuple[str, ...]
    nics: tuple[Nic, ...]
    steps: tuple[Step, ...] = ()
    data: str = ""

    @property
    def files(self) -> tuple[RenderedFile, ...]:
        """All files of all steps, sorted by path."""
        found = [file for step in self.steps for file in step.files]
        return tuple(sorted(found, key=lambda file: file.path))

    @property
    def seeds(self) -> tuple[RenderedFile, ...]:
        """All files that are written where there are none."""
        return tuple(file for step in self.steps for file in step.seeds)

    @property
    def secret_files(self) -> tuple[SecretFile, ...]:
        """All files with a secret in them."""
        return tuple(file for step in self.steps for file in step.secrets)

    @property
    def secret_paths(self) -> dict[str, str]:
        """The names of the secrets, by the path of the file that has one."""
        return {file.path: file.secret for file in self.secret_files}

    @property
    def own_files(self) -> tuple[RenderedFile, ...]:
        """What the machine makes by itself: only who configures by hand writes it."""
        return tuple(file for step in self.steps for file in step.own)

    def nic(self, network: str) -> Nic:
        """The card on that network.

        Raises:
            KeyError: The machine has none there.
        """
        for nic in self.nics:
            if nic.network == network:
                return nic
        raise KeyError(f"{self.name} has no NIC on the {network} network")

    def address(self, network: str) -> IPv4Interface:
        """The static address on that network.

        Raises:
            KeyError: The machine has none there.
        """
        address = self.nic(network).address
        if address is None:
            raise KeyError(f"{self.name} gets its address on the {network} network by DHCP")
        return address


@dataclass(frozen=True)
class Peer:
    """One server of the failover pair."""

    name: str
    role: Literal["primary", "secondary"]
    address: IPv4Address


@dataclass(frozen=True)
class Pair:
    """Two servers that share the pool.

    Attributes:
        port: TCP, between the two.
    """

    first: Peer
    second: Peer
    port: int

    @property
    def peers(self) -> tuple[Peer, Peer]:
        """Both, the primary first."""
        return self.first, self.second

    def peer(self, name: str) -> Peer:
        """The peer of that name.

        Raises:
            KeyError: It is none of the two.
        """
        for peer in self.peers:
            if peer.name == name:
                return peer
        raise KeyError(name)

    def partner(self, name: str) -> Peer:
        """The other one."""
        return self.second if self.peer(name) == self.first else self.first


@dataclass(frozen=True)
class VirtualRouter:
    """The address that one of two servers holds as the clients' gateway (RFC 9568).

    Attributes:
        address: On the network that is served.
        router_id: The VRID.
        advert_ms: Milliseconds between two advertisements.
        preempt: The first server takes it back when it is well again.
    """

    address: IPv4Address
    router_id: int
    advert_ms: int
    preempt: bool


@dataclass(frozen=True)
class ImageRecipe:
    """What the machines' root tree is made of; its hash names the cached image."""

    suite: str
    mirror: str | None
    packages: tuple[str, ...]
    files: tuple[RenderedFile, ...]
    customize: str  # a shell script, run in the new root
    units_off: tuple[str, ...] = ()  # what a box that was not made from this recipe must switch off

    @property
    def digest(self) -> str:
        """12 hexadecimal digits. Which mirror is no part of it: it says from where; an own one has no updates."""
        stuff = repr((self.suite, self.mirror is None, self.packages, self.files, self.customize))
        return hashlib.sha256(stuff.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Witness:
    """A TCP service that answers with the source address it saw: the proof of NAT."""

    address: IPv4Address
    port: int


@dataclass(frozen=True)
class Upstream:
    """The world behind the uplink.

    Attributes:
        gateway: Its address in the LAN, the servers' default gateway.
        resolvers: Addresses at which it answers DNS (8.8.8.8, 8.8.4.4).
        name: A name that its DNS resolves; to the witness, where there is one.
        witness: Where the provider simulates the world; the real one has none.
    """

    gateway: IPv4Address
    network: IPv4Network
    resolvers: tuple[IPv4Address, ...]
    name: str
    witness: Witness | None


@dataclass(frozen=True)
class Plan:
    """The whole lab.

    Attributes:
        networks: By name, in the order of the NICs.
        machines: Servers first, the primary before the secondary.
        pair: The two servers in failover; None without a pair.
        dhcp: What the DHCP servers hand out, and how two of them share it.
        dns: Names.
        services: The settings of services from outside that the lab has, by their names.
        settings: The sections of the spec that the provider's machines have.
        virtual_router: Between the servers and their clients; None: each server is a gateway by its own address.
    """

    lab: str
    provider: str
    networks: Mapping[str, Network]
    machines: tuple[MachinePlan, ...]
    pair: Pair | None
    image: ImageRecipe
    upstream: Upstream
    dhcp: Dhcp
    dns: Dns
    services: Mapping[str, Model]
    settings: tuple[Model, ...]
    virtual_router: VirtualRouter | None = None

    def section(self, kind: type[Section]) -> Section:
        """The provider's settings of that kind; as they are when the spec says nothing of them, where it has none."""
        return section(self.settings, kind)

    def asked(self, kind: type[Section]) -> Section:
        """Return the settings of that kind of a service from outside."""
        return section(self.services.values(), kind)

    def machine(self, name: str) -> MachinePlan:
        """The machine called ``name``.

        Raises:
            KeyError: There is none.
        """
        for machine in self.machines:
            if machine.name == name:
                return machine
        raise KeyError(name)

    @property
    def servers(self) -> tuple[MachinePlan, ...]:
        """The servers, primary first."""
        return tuple(m for m in self.machines if "server" in m.roles)

    @property
    def clients(self) -> tuple[MachinePlan, ...]:
        """The clients."""
        return tuple(m for m in self.machines if "client" in m.roles)

    @property
    def served(self) -> Network:
        """The network on which DHCP is served."""
        return next(network for network in self.networks.values() if network.pool is not None)

    @property
    def pool(self) -> AddressRange:
        """What the DHCP servers lease there."""
        assert self.served.pool is not None  # noqa: S101  that is what served means
        return self.served.pool

    @property
    def uplink(self) -> Network:
        """The network that leads to the world."""
        return next(network for network in self.networks.values() if network.uplink)

    @property
    def server_addresses(self) -> dict[str, IPv4Address]:
        """Each server's address on the network that it serves, by its name, primary first."""
        return {server.name: server.address(self.served.name).ip for server in self.servers}

    def router(self, server: MachinePlan) -> IPv4Address:
        """Return the gateway that a lease of this server names."""
        return self.virtual_router.address if self.virtual_router else server.address(self.served.name).ip

    def resolvers(self, server: MachinePlan) -> tuple[IPv4Address, ...]:
        """Return the DNS servers that a lease of this server names: where the gateway is, itself, the other one."""
        own = server.address(self.served.name).ip
        others = (address for address in self.server_addresses.values() if address != own)
        return (*([self.virtual_router.address] if self.virtual_router else []), own, *others)

    @property
    def digest(self) -> str:
        """Same spec, same digest."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]


def stable_mac(what: str) -> str:
    """A locally administered address, the same for the same words."""
    digest = hashlib.sha256(what.encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))
