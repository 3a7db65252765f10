"""The lab's two networks: bridges without any service of Incus, joined over all members by VXLAN."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from labbuilder.parallel import for_each
from labbuilder.plan.model import NetworkKind
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.placement import Member

MARK_KEY = "user.labbuilder.mark"
_KINDS: dict[NetworkKind, str] = {"internal": "i", "bridged": "b"}
_IDS = 1 << 24  # of VXLAN
_SILENT = {"ipv4.address": "none", "ipv6.address": "none"}  # so there is no dnsmasq: no DHCP, no DNS


def network_name(mark: str, kind: NetworkKind) -> str:
    """At most 15 characters, as for any interface."""
    return f"lb{mark}{_KINDS[kind]}"


def ensure_network(api: Api, mark: str, kind: NetworkKind, members: tuple[Member, ...]) -> None:
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
    for network in api.get("/1.0/networks", recursion="1", target=member.name, project="default"):
        if network["managed"] or network["type"] == "loopback":
            continue
        state = api.find(f"/1.0/networks/{network['name']}/state", target=member.name, project="default")
        if state and any(found["address"] == address for found in state["addresses"] or ()):
            return str(network["name"])
    return None


def _free_id(api: Api, name: str) -> int:
    """The network's own number, or the next that no network has: two with one number would be one wire."""
    networks = api.get("/1.0/networks", recursion="1", project="default")
    taken = {network["config"].get("tunnel.vx.id") for network in networks}
    first = int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "big")
    return next(number for n in range(_IDS) if str(number := (first + n) % _IDS or 1) not in taken)


def lab_networks(api: Api, mark: str) -> tuple[str, ...]:
    """The networks that bear the lab's mark, or are the unfinished beginning of one."""
    names = {network_name(mark, kind) for kind in _KINDS}
    found: Iterable[dict[str, Any]] = api.get("/1.0/networks", recursion="1", project="default")
    return tuple(sorted(n["name"] for n in found if n["managed"] and n["name"] in names))
