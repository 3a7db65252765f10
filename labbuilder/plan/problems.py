"""What can't be together in a spec, each with its place: looked for when all that it leaves open is decided."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from pydantic import ValidationError

from labbuilder.plan.addresses import networks, server_address, virtual_address
from labbuilder.services.dhcp import engine_for
from labbuilder.services.registry import SERVICES, outside
from labbuilder.spec.base import Model, Place, Problem
from labbuilder.spec.load import problems_of
from labbuilder.spec.models import LabSpec
from labbuilder.spec.providers import PROVIDERS

_QUICK_LEASE_S = 60  # below it a client renews so often that a drill's wire is full of it


def notices(spec: LabSpec) -> Iterator[str]:
    """What can be, and whoever asks for it must know."""
    notice, lease_s = engine_for(spec.dhcp.failover).notice(), spec.dhcp.default_lease_s
    if notice and len(spec.servers) > 1:
        yield notice
    if lease_s < _QUICK_LEASE_S:
        yield (
            f"dhcp.default_lease_s is {lease_s}: each client renews every {lease_s // 2} s, and one that no server "
            f"answers loses its address {lease_s} s after its last renewal"
        )


def problems(spec: LabSpec) -> Iterator[Problem]:
    """All of them, in the order of the spec's sections."""
    yield from _network_problems(spec)
    yield from _address_problems(spec)
    yield from _pool_problems(spec)
    yield from _gateway_problems(spec)
    yield from _failover_problems(spec)
    yield from _provider_problems(spec)
    for service in SERVICES:
        yield from service.problems(spec)
    yield from _outside_problems(spec)


def _network_problems(spec: LabSpec) -> Iterator[Problem]:
    internal, bridged = spec.networks.internal, spec.networks.bridged
    if internal.subnet.overlaps(bridged.subnet):
        yield (
            ("networks", "bridged", "subnet"),
            f"{bridged.subnet} overlaps the internal {internal.subnet}",
        )
    if internal.nic == bridged.nic:
        yield ("networks", "bridged", "nic"), f"{bridged.nic} is the internal NIC's name too"
    for network in networks(spec).values():
        if network.gateway is not None and not _usable(network.gateway, network.subnet):
            yield ("networks", network.name, "gateway"), f"{network.gateway} is no host address of {network.subnet}"
    for index, forwarder in enumerate(spec.dns.forwarders):
        if forwarder in internal.subnet:
            yield (
                ("dns", "forwarders", index),
                f"{forwarder} is in the internal {internal.subnet}, where no world is",
            )
    named: set[str] = set()
    places = [("servers", i, m.name) for i, m in enumerate(spec.servers)]
    places += [("clients", i, m.name) for i, m in enumerate(spec.clients)]
    for kind, index, name in places:
        if name in named:
            yield (kind, index, "name"), f"{name} is another machine's name too"
        named.add(name)
    if spec.dhcp.max_lease_s < spec.dhcp.default_lease_s:
        yield (
            ("dhcp", "max_lease_s"),
            f"{spec.dhcp.max_lease_s} is less than default_lease_s, {spec.dhcp.default_lease_s}",
        )


def _address_problems(spec: LabSpec) -> Iterator[Problem]:
    known = networks(spec).values()
    taken = {network.gateway: "the gateway of the LAN" for network in known if network.gateway is not None}
    for index, server in enumerate(spec.servers):
        for network in known:
            address = server_address(spec, index, network)
            where: Place = ("servers", index, network.name)
            if address.network.prefixlen != network.subnet.prefixlen or not _usable(address.ip, network.subnet):
                yield where, f"{address} is no host address of {network.subnet}"
            elif address.ip in taken:
                yield where, f"{address.ip} is taken: it is {taken[address.ip]}"
            taken.setdefault(address.ip, f"the {network.name} address of {server.name}")


def _pool_problems(spec: LabSpec) -> Iterator[Problem]:
    where: Place = ("dhcp", "pool")
    for network in networks(spec).values():
        pool, subnet = network.pool, network.subnet
        if pool is None:
            continue
        if pool.start > pool.end:
            yield where, f"{pool} ends before it starts"
            continue
        if not (_usable(pool.start, subnet) and _usable(pool.end, subnet)):
            yield where, f"{pool} is not inside {subnet}"
            continue
        for index, server in enumerate(spec.servers):
            if (address := server_address(spec, index, network).ip) in pool:
                yield where, f"{pool} holds {address}, the address of {server.name}"
        needed = max(len(spec.clients), len(spec.servers))
        if len(pool) < needed:
            addresses = "1 address" if len(pool) == 1 else f"{len(pool)} addresses"
            why = "one a client" if needed == len(spec.clients) else "one a server"
            yield where, f"{pool} has {addresses}; needed: {needed}, {why}"


def _gateway_problems(spec: LabSpec) -> Iterator[Problem]:
    if spec.gateway.redundancy == "none":
        for key in sorted(spec.gateway.model_fields_set - {"redundancy"}):
            yield ("gateway", key), "says nothing without `redundancy: vrrp`"
        return
    if len(spec.servers) == 1:
        yield ("gateway", "redundancy"), f"{spec.gateway.redundancy} needs two servers; there is one"
    where: Place = ("gateway", "address")
    for network in networks(spec).values():
        if network.pool is None:
            continue
        address = virtual_address(spec, network)
        if not _usable(address, network.subnet):
            yield where, f"{address} is no host address of {network.subnet}"
        if address in network.pool:
            yield where, f"{address} is in the pool {network.pool}; say another here, or give dhcp.pool"
        for index, server in enumerate(spec.servers):
            if server_address(spec, index, network).ip == address:
                yield where, f"{address} is taken: it is the {network.name} address of {server.name}"


def _provider_problems(spec: LabSpec) -> Iterator[Problem]:
    names = {server.name for server in spec.servers} | {client.name for client in spec.clients}
    for key in dict.fromkeys(key for row in PROVIDERS.values() for key in row.sections):
        section: Model = getattr(spec, key)
        for place, text in section.problems(names):
            yield (key, *place), text


def _failover_problems(spec: LabSpec) -> Iterator[Problem]:
    failover = spec.dhcp.failover
    if len(spec.servers) == 1 and "mode" in failover.model_fields_set:
        yield ("dhcp", "failover", "mode"), f"{failover.mode} needs two servers; there is one"
    if len(spec.servers) > 1:
        yield from engine_for(failover).unheeded(failover)
    for network in networks(spec).values():
        if network.pool is not None:
            yield from engine_for(failover).problems(spec, network.pool)


def _outside_problems(spec: LabSpec) -> Iterator[Problem]:
    for name, values in spec.services.items():
        place: Place = ("services", name)
        service = outside().get(name)
        if service is None:
            there = ", ".join(outside()) or "none"
            yield place, f"no installed package brings a service of that name; there: {there} (docs/services.md)"
            continue
        try:
            service.settings.model_validate(values)
        except ValidationError as error:
            yield from problems_of(error, service.settings, place)
        else:
            yield from service.problems(spec)


def _usable(address: IPv4Address, subnet: IPv4Network) -> bool:
    return address in subnet and address not in (subnet.network_address, subnet.broadcast_address)
