"""Interfaces: a server's addresses are static, a client gets its own by DHCP (ifupdown, dhclient)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from labbuilder.host.render import render
from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Nic, Plan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services import dhcp
from labbuilder.services.base import Service, Unit, head
from labbuilder.services.foreign import routes_check
from labbuilder.services.judges import says, says_one_of
from labbuilder.services.probes import DEFAULT_ROUTE, addresses
from labbuilder.services.systemd import ENABLE, enabled

_FILE = "/etc/network/interfaces"
_UNIT = "networking"


class Networking(Service):
    """Every machine's NICs."""

    name = "network"
    packages = ("ifupdown", "iproute2", "isc-dhcp-client")
    units = (Unit(_UNIT),)

    def steps(self, lab: Plan, me: MachinePlan) -> Iterator[Step]:
        """Return the interfaces; who asks for an address waits for those who answer."""
        yield _by_dhcp(lab, me) if any(nic.address is None for nic in me.nics) else _static(lab, me)

    def starts_from(self, lab: Plan, me: MachinePlan) -> Iterable[str]:
        """Return ifupdown and the client of DHCP, with their hooks."""
        del lab, me
        return "ifupdown", "isc-dhcp-client"

    def checks(self, lab: Plan, me: MachinePlan) -> Iterator[Check]:
        """Look at a server's addresses and default route; in all machines together, at addresses that two have."""
        for nic in me.nics:
            if nic.address is not None:
                title = f"{nic.name} has its address"
                own, look = says_one_of(_own_addresses(lab, nic)), f"ip address show {nic.name}"
                yield Check(f"address.{nic.network}", me.name, title, addresses(nic), own, look=look)
                gateway = lab.networks[nic.network].gateway
                if gateway is not None:
                    way, rests_on = says(f"{gateway} {nic.name}"), (f"address.{nic.network}",)
                    yield Check(
                        "route", me.name, "default route", DEFAULT_ROUTE, way, look="ip route", rests_on=rests_on
                    )
        yield enabled(lab, me, _UNIT)
        yield from routes_check(lab, me)
        if me == lab.machines[0] and len(lab.machines) > 1:
            yield _distinct_addresses(lab)


def _static(lab: Plan, me: MachinePlan) -> Step:
    cards = [_has_its_address(lab, nic) for nic in me.nics]
    gateway = lab.uplink.gateway
    return Step(
        name="network",
        title="interfaces (ifupdown)",
        files=(RenderedFile(_FILE, _interfaces(lab, me)),),
        holds=f"{' && '.join(cards)} && ip route show default | grep -q 'via {gateway} ' && "
        f"systemctl -q is-enabled {_UNIT}",
        apply=f"{ENABLE} {_UNIT}; {_bring_up(*(nic.name for nic in me.nics))}",
    )


def _own_addresses(lab: Plan, nic: Nic) -> tuple[str, ...]:
    """What a server's card may show: its address, and where there is one the virtual router's behind it."""
    if lab.virtual_router is None or nic.network != lab.served.name:
        return (str(nic.address),)
    return str(nic.address), f"{nic.address} {lab.virtual_router.address}/32"


def _has_its_address(lab: Plan, nic: Nic) -> str:
    shown = f"$(echo $(ip -4 -o addr show dev {nic.name} | awk '{{print $4}}'))"
    own, *with_router = _own_addresses(lab, nic)
    if not with_router:
        return f'[ "$(ip -4 -o addr show dev {nic.name} | awk \'{{print $4}}\')" = "{own}" ]'
    return f'{{ shown="{shown}"; [ "$shown" = "{own}" ] || [ "$shown" = "{with_router[0]}" ]; }}'


def _by_dhcp(lab: Plan, me: MachinePlan) -> Step:
    (nic,) = (nic.name for nic in me.nics)
    values: dict[str, Any] = head(lab, me)
    return Step(
        name="network",
        title="address by DHCP (ifupdown, dhclient)",
        files=(
            RenderedFile(_FILE, _interfaces(lab, me)),
            RenderedFile("/etc/dhcp/dhclient.conf", render("dhclient.conf", **values)),
            RenderedFile("/etc/dhcp/dhclient-exit-hooks.d/lab-gateway", render("dhclient-gateway", **values)),
        ),
        holds=f"ip -4 -o addr show dev {nic} | grep -q dynamic && ip route show default | grep -q {nic} && "
        f"systemctl -q is-enabled {_UNIT}",
        apply=f"{ENABLE} {_UNIT}; {_bring_up(nic)}",
        settle_s=60.0,  # dhclient asks for 30 s, and then again
        after=dhcp.answering(lab),
        given=dhcp.leased(lab),
    )


def _interfaces(lab: Plan, me: MachinePlan) -> str:
    gateways = {network.name: network.gateway for network in lab.networks.values() if network.gateway is not None}
    return render("interfaces", nics=me.nics, gateways=gateways, **head(lab, me))


def _bring_up(*nics: str) -> str:
    """Shell that makes the NICs what ifupdown's file says; one that was never up needs no ifdown, which is slow."""
    names = " ".join(nics)
    return (
        f"for nic in {names}; do ! grep -qs ^$nic= /run/network/ifstate || ifdown --force $nic 2>/dev/null || true; "
        f"ip addr flush dev $nic; done; ifup {names}"
    )


def _distinct_addresses(lab: Plan) -> Check:
    """What a pair whose peers don't agree does first: it gives two clients one address."""
    asked = [(machine.name, addresses(machine.nic(lab.served.name))) for machine in lab.machines]
    (first, command), *others = asked
    title = f"no two machines have one address on the {lab.served.name} network"
    judge, rests_on = (
        _distinct([name for name, _ in asked]),
        tuple(f"{client.name}:lease.address" for client in lab.clients),
    )
    return Check("addresses", first, title, command, judge, tuple(others), look="ip address", rests_on=rests_on)


def _distinct(names: Sequence[str]) -> Judge:
    """Each of the machines has an address, and none another's; their names are in the order of the probes."""

    def judge(*answers: Result) -> Judgement:
        holders: dict[str, set[str]] = defaultdict(set)
        for name, result in zip(names, answers, strict=True):
            for address in result.stdout.split():
                holders[address.partition("/")[0]].add(name)
        wrong = [f"{address}: {', '.join(sorted(who))}" for address, who in holders.items() if len(who) > 1]
        wrong += [f"none: {name}" for name, result in zip(names, answers, strict=True) if not result.stdout.split()]
        expected = "each address once"
        return Judgement(not wrong, expected, "\n".join(wrong) or expected)

    return judge
