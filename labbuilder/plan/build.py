"""Spec into plan: names, MACs, addresses, files. Pure: same spec, same plan, byte for byte."""

from __future__ import annotations

from labbuilder.plan.image import image_recipe
from labbuilder.plan.model import MachinePlan, NetworkKind, Nic, Plan, Upstream, Witness, stable_mac
from labbuilder.plan.services import client_services, server_services
from labbuilder.spec.models import WITNESS, LabSpec
from labbuilder.spec.providers import sections

WITNESS_PORT = 80
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
        name=WITNESS_NAME if spec.simulated else spec.dns.probe,
        witness=Witness(WITNESS, WITNESS_PORT) if spec.simulated else None,
    )
    machines, image = (*servers, *clients), image_recipe(spec)
    return Plan(spec.name, spec.provider, machines, image, upstream, sections(spec.provider, spec))


def mac(spec: LabSpec, machine: str, network: NetworkKind) -> str:
    """The same whenever the same lab is planned."""
    return stable_mac(f"{spec.name}/{machine}/{network}")
