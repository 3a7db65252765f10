"""The lab's two networks: bridges without any service of Incus, joined over all members by VXLAN.

Who may not make networks, as with a certificate that is restricted to projects, names two that were made for the lab.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from urllib.parse import unquote, urlsplit

from labbuilder.errors import HostError, MachineError
from labbuilder.host.parallel import for_each
from labbuilder.plan.model import NetworkKind, Nic
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.placement import Member
from labbuilder.providers.incus.words import NotPermittedError
from labbuilder.spec.providers import Incus

MARK_KEY = "user.labbuilder.mark"
_KINDS: dict[NetworkKind, str] = {"internal": "i", "bridged": "b"}
_NO_WAY_OUT = re.compile("lo|lb[0-9a-f]{8}[ib]")  # of the labs' networks there may be hundreds
_IDS = 1 << 24  # of VXLAN
_SILENT = {"ipv4.address": "none", "ipv6.address": "none"}  # so there is no dnsmasq: no DHCP, no DNS
_PAGE = "docs/incus.md, A certificate for one project, has the commands"


def network_name(mark: str, kind: NetworkKind) -> str:
    """At most 15 characters, as for any interface."""
    return f"lb{mark}{_KINDS[kind]}"


class LabNetworks:
    """Where the lab's NICs are plugged in.

    Args:
        api: The server, asked in the project that the user named, or the default one.
        mark: The lab's mark.
        settings: The spec's `incus:`.
    """

    def __init__(self, api: Api, mark: str, settings: Incus) -> None:
        self._api = api
        self._mark = mark
        self._settings = settings
        given = {"internal": settings.networks.internal, "bridged": settings.networks.bridged}
        self._given: dict[NetworkKind, str] = {kind: name for kind in _KINDS if (name := given[kind])}
        self._simulated = settings.bridged == "simulated"

    @property
    def _own(self) -> list[NetworkKind]:
        """What the lab makes itself."""
        wanted: tuple[NetworkKind, ...] = ("internal", "bridged") if self._simulated else ("internal",)
        return [kind for kind in wanted if kind not in self._given]

    def check(self, members: Sequence[Member]) -> None:
        """Raise for what is not there, or not fit for a lab; changes nothing.

        Raises:
            HostError: A bridge or network is missing, serves addresses, or is another lab's; or we may make none.
        """
        for name in self._given.values():
            self._check_given(name, members)
        if not self._simulated:
            self._check_bridge(members)
        if self._own:
            self._check_permission()

    def _check_given(self, name: str, members: Sequence[Member]) -> None:
        seen = self._api.find(f"/1.0/networks/{name}")
        if seen is None or not seen["managed"]:
            raise HostError(
                brief=f"there is no network {name} that the project {self._api.project} may use",
                resolution=f"ask who runs the server for it: {_PAGE}",
            )
        for where in [member.name for member in members if member.online] or [""]:
            state = self._api.get(f"/1.0/networks/{name}/state", **({"target": where} if where else {}))
            served = [a["address"] for a in state["addresses"] or () if a["scope"] == "global"]
            if served:
                raise HostError(
                    brief=f"Incus itself is {served[0]} on the network {name}, and may serve DHCP there",
                    resolution=f"incus network set {name} ipv4.address=none ipv6.address=none",
                )
        others = [unquote(urlsplit(path).path).rsplit("/", 1)[-1] for path in seen["used_by"] if "/instances/" in path]
        if others:
            raise HostError(
                brief=f"the network {name} is in use: two labs on one would answer each other's clients",
                details=f"On it: {', '.join(sorted(others))}",
                resolution="remove that lab, or ask who runs the server for two networks more",
            )

    def _check_bridge(self, members: Sequence[Member]) -> None:
        name = self._settings.bridged
        if self._bridge_is_managed:
            return
        seen = {
            member.name: self._api.find(f"/1.0/networks/{name}", target=member.name, project="default")
            for member in members
            if member.online
        } or {"this server": self._api.find(f"/1.0/networks/{name}", project="default")}
        lacking = [where for where, found in seen.items() if found is None or found["type"] != "bridge"]
        if lacking:
            raise HostError(
                brief=f"bridged: there is no bridge {name} on {', '.join(lacking)}",
                resolution="make one there with the LAN's interface in it, name another, or say `bridged: simulated`",
            )

    def _check_permission(self) -> None:
        if not may_make_networks(self._api):
            raise HostError(
                brief="this certificate is restricted to projects, so it may not make networks",
                details=f"The lab lacks {len(self._own)}: {' and '.join(self._own)}.",
                resolution=f"ask who runs the server for them, and name them in the spec (incus: networks:): {_PAGE}",
            )

    @cached_property
    def _bridge_is_managed(self) -> bool:
        """The name is a network of Incus, not a bridge that is none of its business."""
        seen = self._api.find(f"/1.0/networks/{self._settings.bridged}")
        return bool(seen and seen["managed"])

    def ensure(self, members: tuple[Member, ...]) -> None:
        """Make the lab's own, unless they are there and whole."""
        for_each(self._own, lambda kind: _ensure(self._api, self._mark, kind, members))

    def device(self, nic: Nic) -> dict[str, str]:
        """The NIC as Incus's device."""
        common = {"type": "nic", "name": nic.name, "hwaddr": nic.mac}
        if nic.network == "bridged" and not self._simulated:
            name = self._settings.bridged
            return common | ({"network": name} if self._bridge_is_managed else {"nictype": "bridged", "parent": name})
        return common | {"network": self._name(nic.network)}

    def _name(self, kind: NetworkKind) -> str:
        return self._given.get(kind, network_name(self._mark, kind))

    def nics(self, devices: Mapping[str, Mapping[str, str]]) -> dict[NetworkKind, str]:
        """The NICs among an instance's devices, by the network that each is on."""
        internal = self._name("internal")
        nics = {name: device for name, device in devices.items() if device["type"] == "nic"}
        return {"internal" if device.get("network") == internal else "bridged": name for name, device in nics.items()}

    def made(self) -> tuple[str, ...]:
        """The networks that bear the lab's mark, or are the unfinished beginning of one."""
        names = [network_name(self._mark, kind) for kind in _KINDS if kind not in self._given]
        found = {name: self._api.find(f"/1.0/networks/{name}", project="default") for name in names}
        return tuple(name for name, seen in found.items() if seen and seen["managed"])


def may_make_networks(api: Api) -> bool:
    """Asked by making one without a name: only who may is told that it is missing."""
    try:
        api.change("POST", "/1.0/networks", {}, project="default")
    except NotPermittedError:
        return False
    except MachineError:
        return True
    return True


def _ensure(api: Api, mark: str, kind: NetworkKind, members: tuple[Member, ...]) -> None:
    """Make a bridge on every member, and one VXLAN that joins them, unless it is there and whole."""
    name = network_name(mark, kind)
    there = api.find(f"/1.0/networks/{name}", project="default")
    if there is not None:
        if there["status"] == "Created":
            return
        api.remove(f"/1.0/networks/{name}", project="default")  # cut off in the middle: it can't be mended
    config = {MARK_KEY: mark, **_SILENT}
    if members:
        for_each(members, lambda member: _prepare(api, name, member))
        config |= {"tunnel.vx.protocol": "vxlan", "tunnel.vx.id": str(_free_id(api, name))}
    api.change("POST", "/1.0/networks", {"name": name, "type": "bridge", "config": config}, project="default")


def _prepare(api: Api, name: str, member: Member) -> None:
    interface = _cluster_interface(api, member)
    config = {"tunnel.vx.interface": interface} if interface else {}
    body = {"name": name, "type": "bridge", "config": config}
    api.change("POST", "/1.0/networks", body, target=member.name, project="default")


def _cluster_interface(api: Api, member: Member) -> str | None:
    """The interface that has the member's address in the cluster; None lets Incus take that of the default route."""
    address = urlsplit(member.url).hostname
    for path in api.get("/1.0/networks", target=member.name, project="default"):
        name = path.rsplit("/", 1)[-1]
        if not _NO_WAY_OUT.fullmatch(name):
            state = api.find(f"/1.0/networks/{name}/state", target=member.name, project="default")
            if state and any(found["address"] == address for found in state["addresses"] or ()):
                return str(name)
    return None


def _free_id(api: Api, name: str) -> int:
    """The network's own number, or the next that no network has: two with one number would be one wire."""
    networks = api.get("/1.0/networks", recursion="1", project="default")
    taken = {network["config"].get("tunnel.vx.id") for network in networks}
    first = int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "big")
    return next(number for n in range(_IDS) if str(number := (first + n) % _IDS or 1) not in taken)
