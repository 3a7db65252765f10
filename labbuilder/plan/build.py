"""Spec into plan: names, MACs, addresses, files. Pure: same spec, same plan, byte for byte."""

from __future__ import annotations

from dataclasses import replace

from labbuilder.errors import HostError
from labbuilder.model.lab import (
    MachinePlan,
    Network,
    Nic,
    Pair,
    Peer,
    Plan,
    Upstream,
    VirtualRouter,
    Witness,
    stable_mac,
)
from labbuilder.plan.addresses import networks, server_address, virtual_address
from labbuilder.plan.image import image_recipe
from labbuilder.services.dhcp import engine_for
from labbuilder.services.registry import outside, services_of
from labbuilder.spec.models import WITNESS, LabSpec
from labbuilder.spec.providers import sections

WITNESS_PORT = 80
WITNESS_NAME = "www.internet.test"
_VRIDS = 255


def build_plan(spec: LabSpec) -> Plan:
    """Return what there will be, to the last byte of every file: first the lab as it lies there, then what it does."""
    lab = _topology(spec)
    return replace(lab, machines=tuple(_with_steps(lab, machine) for machine in lab.machines))


def _topology(spec: LabSpec) -> Plan:
    known = networks(spec)
    machines = (*_servers(spec, known), *_clients(spec, known))
    (uplink,) = (network for network in known.values() if network.uplink)
    assert uplink.gateway is not None  # noqa: S101  an uplink has one
    simulated = spec.world.kind == "simulated"
    upstream = Upstream(
        gateway=uplink.gateway,
        network=uplink.subnet,
        resolvers=spec.dns.forwarders,
        name=WITNESS_NAME if simulated else spec.dns.probe,
        witness=Witness(WITNESS, WITNESS_PORT) if simulated else None,
    )
    return Plan(
        lab=spec.name,
        provider=spec.provider,
        networks=known,
        machines=machines,
        pair=_pair(spec, known),
        image=image_recipe(spec),
        upstream=upstream,
        dhcp=spec.dhcp,
        dns=spec.dns,
        services={name: outside()[name].settings.model_validate(values) for name, values in spec.services.items()},
        settings=sections(spec.provider, spec),
        virtual_router=_virtual_router(spec, known),
    )


def _servers(spec: LabSpec, known: dict[str, Network]) -> list[MachinePlan]:
    return [
        MachinePlan(
            server.name,
            ("server",),
            tuple(
                Nic(
                    _nic_name(spec, network),
                    network.name,
                    _mac(spec, server.name, network),
                    server_address(spec, index, network),
                )
                for network in known.values()
            ),
        )
        for index, server in enumerate(spec.servers)
    ]


def _clients(spec: LabSpec, known: dict[str, Network]) -> list[MachinePlan]:
    return [
        MachinePlan(
            client.name,
            ("client",),
            tuple(
                Nic(_nic_name(spec, network), network.name, _mac(spec, client.name, network), None, shared=True)
                for network in known.values()
                if network.pool is not None
            ),
        )
        for client in spec.clients
    ]


def _pair(spec: LabSpec, known: dict[str, Network]) -> Pair | None:
    if len(spec.servers) == 1:
        return None
    (served,) = (network for network in known.values() if network.pool is not None)
    first, second = ((server.name, server_address(spec, index, served).ip) for index, server in enumerate(spec.servers))
    return Pair(
        Peer(first[0], "primary", first[1]),
        Peer(second[0], "secondary", second[1]),
        engine_for(spec.dhcp.failover).port,
    )


def _virtual_router(spec: LabSpec, known: dict[str, Network]) -> VirtualRouter | None:
    if spec.gateway.redundancy == "none":
        return None
    (served,) = (network for network in known.values() if network.pool is not None)
    asked = spec.gateway
    number = asked.router_id or 1 + int(stable_mac(spec.name).replace(":", ""), 16) % _VRIDS
    return VirtualRouter(virtual_address(spec, served), number, asked.advert_ms, asked.preempt)


def _with_steps(lab: Plan, machine: MachinePlan) -> MachinePlan:
    services = services_of(lab.services)
    steps = tuple(step for service in services for step in service.steps(lab, machine))
    names = [step.name for step in steps]
    for name in names:
        if names.count(name) > 1:
            raise HostError(
                brief=f"two steps of {machine.name} are called {name}",
                resolution="give the step of the service that another package brings another name",
            )
    data = " ".join(filter(None, (service.data(lab, machine) for service in services)))
    return replace(machine, steps=steps, data=data)


def _nic_name(spec: LabSpec, network: Network) -> str:
    name: str = getattr(spec.networks, network.name).nic
    return name


def _mac(spec: LabSpec, machine: str, network: Network) -> str:
    """Return the same whenever the same lab is planned."""
    return stable_mac(f"{spec.name}/{machine}/{network.name}")
