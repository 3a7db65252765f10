"""The providers: a row each, and what only one provider's machines have, which is a section of the spec."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints

from labbuilder.spec.base import HostName, Model, Problem

OwnFile = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]  # `up` may be said elsewhere again


class VirtualBox(Model):
    """What only VirtualBox's machines have."""

    bridged: str = "auto"
    """Host interface that NIC 2 is bridged to; auto takes the one with the default route, nat bridges to none."""
    memory_mib: Annotated[int, Field(ge=128, le=65536)] = 512
    """Memory of a machine."""
    cpus: Annotated[int, Field(ge=1, le=32)] = 1
    """Processors of a machine."""
    clones: Literal["full", "linked"] = "full"
    """A disk of its own for each machine, or one that holds only what differs from a disk they share."""
    image: Literal["built", "cloud"] | OwnFile = "built"
    """Made here by mmdebstrap, Debian's cloud image, prepared once, or a disk of yours, which is only copied."""
    cloud_images: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")] = "https://cloud.debian.org/images/cloud"
    """Where Debian's cloud images lie, or a mirror of them."""
    modifyvm: tuple[str, ...] = ()
    """Words for `VBoxManage modifyvm`, after labbuilder's own."""
    extradata: dict[str, str] = Field(default={})
    """Keys and values for `VBoxManage setextradata`."""


class Vagrant(Model):
    """What only Vagrant's machines have, beside `virtualbox`."""

    box: Annotated[str, StringConstraints(pattern=r"^[\w.-]+(/[\w.-]+)?$")] = "built"
    """Packed here from VirtualBox's disk, or the name of a Debian box of yours."""
    box_version: str | None = None
    """Of a box of yours; default: the newest."""
    box_url: str | None = None
    """Where a box of yours is; default: Vagrant's own catalogue."""


MemberName = Annotated[str, StringConstraints(pattern=r"^@?[A-Za-z0-9][A-Za-z0-9_.-]*$")]


NetworkName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class IncusNetworks(Model):
    """Networks of Incus that were made for this lab by who runs the server; the lab makes those that are not named."""

    internal: NetworkName | None = None
    """Of NIC 1."""
    bridged: NetworkName | None = None
    """Of NIC 2, where the world behind it is simulated."""


class Incus(Model):
    """What only an Incus server's machines have."""

    remote: str = "local"
    """The server: local, the path of a UNIX socket, or one that `labbuilder remote add` added."""
    project: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")] | None = None
    """The Incus project; default: the lab makes one of its own."""
    pool: str = "default"
    """The storage pool of the machines' disks."""
    bridged: str = "simulated"
    """Bridge on the members, or network of Incus, that NIC 2 is connected to; simulated makes a LAN with a world."""
    networks: IncusNetworks = IncusNetworks()
    """For who may not make networks: those that were made for the lab."""
    spread: bool = True
    """On a cluster, servers and clients go to different members; false keeps a lab on one."""
    placement: dict[HostName, MemberName] = {}  # noqa: RUF012  pydantic copies it
    """Machine to member, or to @GROUP of members; who is not named is placed by labbuilder."""
    machine: Literal["container", "vm"] = "container"
    """What each machine is; no vm was ever seen to start on Incus, so who asks for one is told why it can't be."""
    machines: dict[HostName, Literal["container", "vm"]] = {}  # noqa: RUF012  pydantic copies it
    """Machine to what it is, where it differs."""
    memory_mib: Annotated[int, Field(ge=64, le=1048576)] | None = None
    """Limit of a machine's memory; default: none."""
    cpus: Annotated[int, Field(ge=1, le=512)] | None = None
    """Limit of a machine's processors; default: none."""

    def problems(self, machines: Container[str]) -> Iterator[Problem]:
        """Refuse two answers to one question, and machines that the lab has not."""
        if self.networks.bridged and self.bridged != "simulated":
            yield ("networks", "bridged"), f"NIC 2 is connected to {self.bridged} already (bridged)"
        for key in ("placement", "machines"):
            for machine in getattr(self, key):
                if machine not in machines:
                    yield (key, machine), f"{machine} is no machine of the lab"

    @property
    def limits(self) -> dict[str, str]:
        """As Incus calls them."""
        memory = {} if self.memory_mib is None else {"limits.memory": f"{self.memory_mib}MiB"}
        return memory if self.cpus is None else memory | {"limits.cpu": str(self.cpus)}


Section = TypeVar("Section", bound=Model)
Sections = Iterable[Model]


def section(sections: Sections, kind: type[Section]) -> Section:
    """The section of that kind; as it is when the spec says nothing of it, where there is none."""
    return next((found for found in sections if isinstance(found, kind)), kind())


@dataclass(frozen=True)
class World:
    """What lies behind NIC 2.

    Attributes:
        kind: "simulated": a LAN of the lab's own, with a world behind it; "nat": the hypervisor's NAT; "real": a LAN.
        owner: Of a real LAN, whose it is: "host", or the server whose bridge it is.
    """

    kind: Literal["simulated", "nat", "real"] = "simulated"
    owner: str | None = None


def _of_the_host(sections: Sections) -> World:
    return World("nat") if section(sections, VirtualBox).bridged == "nat" else World("real", "host")


def _of_the_server(sections: Sections) -> World:
    settings = section(sections, Incus)
    return World() if settings.bridged == "simulated" else World("real", settings.remote)


@dataclass(frozen=True)
class ProviderRow:
    """All that is known of a provider outside its own package.

    Attributes:
        name: What the spec calls it.
        title: What a reader calls it.
        package: Its `provider` module opens it, its `host` module says what the host lacks; what else it has is below.
        sections: The sections of the spec that its machines have, by their keys.
        world: What lies behind NIC 2, by these sections.
        many_at_once: Several machines may be created and switched at the same time; else one after the other.
        command: Without it "auto" does not look at it any closer.
        hands_out: Its `handout` module writes a folder that needs no labbuilder.
        elsewhere: Its machines may be on another host: which, its sections say.
        prunes: Its `pruning` module removes unused images elsewhere than in this host's cache.
        traced: Its `traces` module finds on this host what bears a lab's mark, folder or no folder.
    """

    name: str
    title: str
    package: str
    sections: Mapping[str, type[Model]] = field(default_factory=dict)
    world: Callable[[Sections], World] = lambda _: World()
    many_at_once: bool = False
    command: str = ""
    hands_out: bool = False
    elsewhere: bool = False
    prunes: bool = False
    traced: bool = False


_ROWS = (
    ProviderRow("nspawn", "systemd-nspawn", "labbuilder.providers.nspawn", traced=True),
    ProviderRow(
        "virtualbox",
        "VirtualBox",
        "labbuilder.providers.virtualbox",
        {"virtualbox": VirtualBox},
        _of_the_host,
        command="VBoxManage",
    ),
    ProviderRow(
        "vagrant",
        "Vagrant",
        "labbuilder.providers.vagrant",
        {"virtualbox": VirtualBox, "vagrant": Vagrant},
        _of_the_host,
        hands_out=True,
    ),
    ProviderRow(
        "incus",
        "Incus",
        "labbuilder.providers.incus",
        {"incus": Incus},
        _of_the_server,
        many_at_once=True,
        elsewhere=True,
        prunes=True,
    ),
)
PROVIDERS = {row.name: row for row in _ROWS}
AUTOMATIC = (PROVIDERS["virtualbox"], PROVIDERS["nspawn"])  # "auto" takes the first, where it can start a machine


def sections(provider: str, spec: object) -> tuple[Model, ...]:
    """The sections of the spec that this provider's machines have; none while "auto" is not decided."""
    row = PROVIDERS.get(provider)
    return tuple(getattr(spec, key) for key in row.sections) if row else ()


def world(provider: str, spec: object) -> World:
    """What lies behind NIC 2; simulated while "auto" is not decided."""
    row = PROVIDERS.get(provider)
    return row.world(sections(provider, spec)) if row else World()
