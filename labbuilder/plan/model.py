"""The plan: what there will be, to the last byte of every file. Frozen, free of side effects."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Literal

from labbuilder.spec.base import Model
from labbuilder.spec.providers import Section, section

NetworkKind = Literal["internal", "bridged"]
Role = Literal["server", "client"]


@dataclass(frozen=True)
class RenderedFile:
    """A file as it will stand in a machine."""

    path: str
    text: str
    mode: int = 0o644

    @property
    def sha256(self) -> str:
        """The hash that the machine's own copy is compared by."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Service:
    """One thing a machine does: its files, and the commands that test, apply and await it.

    All commands are run by `sh -eu` as root in the machine. A service is applied when one of its files
    differs or when ``holds`` fails; so a second run over an unchanged machine does nothing.

    Attributes:
        name: Unique in the machine: "network", "dhcp", "nat".
        title: What a reader calls it: "DHCP failover (isc-dhcp-server)".
        files: The files that belong to it, in no particular order.
        prepare: Makes what is the machine's own, unless it is there, before the new files are tested.
        validate: The daemon's own test of a new file, before it is put in place, as pairs of file path and
            command; "{new}" stands for the path where the new text lies. A failing one puts nothing in place.
        holds: Ends with 0 when the service is in effect *now*. It reads the kernel, systemd or the daemon,
            never just the file.
        apply: Brings it into effect after the files are in place.
        settle_s: After ``apply``, ``holds`` is asked again and again for so many seconds.
        nudge: Run once when ``holds`` is still failing a second after ``apply``.
        after: "machine:service" pairs that must be in effect before this one is applied.
        own: Files that the machine makes by itself, as who configures by hand must; `up` writes none of them.
        given: What other machines give it, in words: when that is another, it is applied again.
    """

    name: str
    title: str
    holds: str
    apply: str
    files: tuple[RenderedFile, ...] = ()
    prepare: str = "true"
    validate: tuple[tuple[str, str], ...] = ()
    settle_s: float = 30.0
    nudge: str | None = None
    after: tuple[str, ...] = ()
    own: tuple[RenderedFile, ...] = ()
    given: str = ""


@dataclass(frozen=True)
class Nic:
    """A network card of a machine, in the order of the slots (NIC 1 first)."""

    name: str
    network: NetworkKind
    mac: str
    address: IPv4Interface | None  # None: by DHCP


@dataclass(frozen=True)
class MachinePlan:
    """One machine: hardware first, then what it does."""

    name: str
    role: Role
    nics: tuple[Nic, ...]
    services: tuple[Service, ...]

    @property
    def files(self) -> tuple[RenderedFile, ...]:
        """All files of all services, sorted by path."""
        found = [file for service in self.services for file in service.files]
        return tuple(sorted(found, key=lambda file: file.path))

    @property
    def own_files(self) -> tuple[RenderedFile, ...]:
        """What the machine makes by itself: only who configures by hand writes it."""
        return tuple(file for service in self.services for file in service.own)

    def nic(self, network: NetworkKind) -> Nic:
        """The card on that network.

        Raises:
            KeyError: The machine has none there.
        """
        for nic in self.nics:
            if nic.network == network:
                return nic
        raise KeyError(f"{self.name} has no NIC on the {network} network")


@dataclass(frozen=True)
class ImageRecipe:
    """What the machines' root tree is made of; its hash names the cached image."""

    suite: str
    mirror: str | None
    packages: tuple[str, ...]
    files: tuple[RenderedFile, ...]
    customize: str  # a shell script, run in the new root

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
    """The world behind the bridged LAN.

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
    """The whole lab."""

    lab: str
    provider: str
    machines: tuple[MachinePlan, ...]
    image: ImageRecipe
    upstream: Upstream
    settings: tuple[Model, ...]  # the sections of the spec that the provider's machines have

    def section(self, kind: type[Section]) -> Section:
        """The provider's settings of that kind; as they are when the spec says nothing of them, where it has none."""
        return section(self.settings, kind)

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
        return tuple(m for m in self.machines if m.role == "server")

    @property
    def clients(self) -> tuple[MachinePlan, ...]:
        """The clients."""
        return tuple(m for m in self.machines if m.role == "client")

    @property
    def digest(self) -> str:
        """Same spec, same digest."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]


def stable_mac(what: str) -> str:
    """A locally administered address, the same for the same words."""
    digest = hashlib.sha256(what.encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))
