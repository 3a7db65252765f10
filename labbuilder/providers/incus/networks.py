"""The lab's networks: bridges without any service of Incus, joined over all members by VXLAN.

Who may not make networks, as with a certificate that is restricted to projects, names two that were made for the lab.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from urllib.parse import unquote, urlsplit

from labbuilder.errors import HostError, MachineError
from labbuilder.host.parallel import for_each
from labbuilder.model.lab import Network, Nic, Plan
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.placement import Member
from labbuilder.providers.incus.words import NotPermittedError
from labbuilder.spec.providers import Incus

MARK_KEY = "user.labbuilder.mark"
_ENDINGS = "ib23456789"  # of their names, by their number
_NO_WAY_OUT = re.compile(f"lo|lb[0-9a-f]{{8}}[{_ENDINGS}]")  # of the labs' networks there may be hundreds
_IDS = 1 << 24  # of VXLAN
_SILENT = {"ipv4.address": "none", "ipv6.address": "none"}  # so there is no dnsmasq: no DHCP, no DNS
_PAGE = "docs/incus.md, A certificate for one project, has the commands"


def network_name(mark: str, number: int) -> str:
    """Return the name of a network of the lab's own: at most 15 characters, as for any interface."""
    return f"lb{mark}{_ENDINGS[number]}"


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
        self._given: dict[str, str] = {net: name for net, name in settings.networks.model_dump().items() if name}
        self._simulated = settings.bridged == "simulated"

    def _own(self, plan: Plan) -> list[Network]:
        """What the lab makes itself."""
        wanted = [network for network in plan.networks.values() if self._simulated or not network.uplink]
        return [network for network in wanted if network.name not in self._given]

    def check(self, plan: Plan, members: Sequence[Member]) -> None:
        """Raise for what is not there, or not fit for a lab; changes nothing.

        Raises:
            HostError: A bridge or network is missing, serves addresses, or is another lab's; or we may make none.
        """
        for name in self._given.values():
            self._check_given(name, members)
        if not self._simulated:
            self._check_bridge(members)
        own = self._own(plan)
        if own and not may_make_networks(self._api):
            raise HostError(
                brief="this certificate is restricted to projects, so it may not make networks",
                details=f"The lab lacks {len(own)}: {' and '.join(network.name for network in own)}.",
                resolution=f"ask who runs the server for them, and name them in the spec (incus: networks:): {_PAGE}",
            )

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

    @cached_property
    def _bridge_is_managed(self) -> bool:
        """The name is a network of Incus, not a bridge that is none of its business."""
        seen = self._api.find(f"/1.0/networks/{self._settings.bridged}")
        return bool(seen and seen["managed"])

    def ensure(self, plan: Plan, members: tuple[Member, ...]) -> None:
        """Make the lab's own, unless they are there and whole."""
        for_each(self._own(plan), lambda network: _ensure(self._api, self._mark, network, members))

    def device(self, network: Network, nic: Nic) -> dict[str, str]:
        """Return the NIC as Incus's device."""
        common = {"type": "nic", "name": nic.name, "hwaddr": nic.mac}
        if network.uplink and not self._simulated:
            name = self._settings.bridged
            return common | ({"network": name} if self._bridge_is_managed else {"nictype": "bridged", "parent": name})
        name = self._given.get(network.name, network_name(self._mark, network.number))
        return common | {"network": name}

    def made(self) -> tuple[str, ...]:
        """The networks that bear the lab's mark, or are the unfinished beginning of one."""
        try:
            there = {path.rsplit("/", 1)[-1] for path in self._api.get("/1.0/networks", project="default")}
        except NotPermittedError:  # who may not look made none
            return ()
        names = [name for number in range(len(_ENDINGS)) if (name := network_name(self._mark, number)) in there]
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


def _ensure(api: Api, mark: str, network: Network, members: tuple[Member, ...]) -> None:
    """Make a bridge on every member, and one VXLAN that joins them, unless it is there and whole."""
    name = network_name(mark, network.number)
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
