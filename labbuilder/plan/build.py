"""Spec into plan: names, MACs, addresses, files. Pure: same spec, same plan, byte for byte."""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Address

from labbuilder.plan.image import image_recipe
from labbuilder.plan.model import MachinePlan, NetworkKind, Nic, Plan, Upstream
from labbuilder.plan.services import client_services, server_services
from labbuilder.spec.models import LabSpec

WITNESS = IPv4Address("203.0.113.10")  # TEST-NET-3, RFC 5737: nobody's
WITNESS_NAME = "www.internet.test"


def build_plan(spec: LabSpec) -> Plan:
    """What there will be, to the last byte of every file."""
    internal, bridged = spec.networks.internal, spec.networks.bridged
    servers = tuple(
        MachinePlan(
            server.name,
            "server",
            (
                Nic(internal.nic, "internal", mac(spec, server.name, "internal"), spec.internal_address(index)),
                Nic(bridged.nic, "bridged", mac(spec, server.name, "bridged"), spec.bridged_address(index)),
            ),
            server_services(spec, index),
        )
        for index, server in enumerate(spec.servers)
    )
    clients = tuple(
        MachinePlan(
            client.name,
            "client",
            (Nic(internal.nic, "internal", mac(spec, client.name, "internal"), None),),
            client_services(spec, client.name),
        )
        for client in spec.clients
    )
    upstream = Upstream(
        gateway=spec.gateway,
        network=bridged.subnet,
        resolvers=spec.dns.forwarders,
        witness=WITNESS,
        witness_port=80,
        witness_name=WITNESS_NAME,
        simulated=spec.provider != "virtualbox",
        probe_name=spec.dns.probe,
    )
    return Plan(spec.name, spec.provider, (*servers, *clients), image_recipe(spec), upstream, spec.virtualbox)


def mac(spec: LabSpec, machine: str, network: NetworkKind) -> str:
    """A locally administered address, the same whenever the same lab is planned."""
    digest = hashlib.sha256(f"{spec.name}/{machine}/{network}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))
