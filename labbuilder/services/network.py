"""Interfaces: a server's addresses are static, a client gets its own by DHCP (ifupdown, dhclient)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from labbuilder.host.render import render
from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Nic, Plan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services import dhcp, newcomer
from labbuilder.services.base import Service, Unit, head
from labbuilder.services.dhclient import CLEARED, FOLDER, served
from labbuilder.services.foreign import routes_check
from labbuilder.services.judges import says, says_one_of
from labbuilder.services.netfilter import OPEN
from labbuilder.services.probes import DEFAULT_ROUTE, addresses
from labbuilder.services.systemd import ENABLE, NO_OTHER_TARGET, OF_THE_BOOT, enabled

_FILE = "/etc/network/interfaces"
_UNIT = "networking"
_SHOWN = 3
_NO_POLICY = "set -- $(ip rule show) && [ $# = 15 ]"  # three of five words each
_OWN_WAYS = (
    "ip rule flush; ip rule add pref 32766 lookup main; ip rule add pref 32767 lookup default; "
    "for kind in blackhole unreachable prohibit throw; do ip route flush table all type $kind; done"
)


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
        yield _no_other_address(lab, me)
        if newcomer.asks_inside(lab, me):
            yield _owners_inside(lab, me)
        if newcomer.asks_outside(lab, me):
            yield _owners_outside(lab, me)


def _static(lab: Plan, me: MachinePlan) -> Step:
    cards = [_has_its_address(lab, nic) for nic in me.nics]
    route = f"{lab.uplink.gateway} {me.nic(lab.uplink.name).name}"
    own_ways = "true" if lab.services else _NO_POLICY
    return Step(
        name="network",
        title="interfaces (ifupdown)",
        files=(RenderedFile(_FILE, _interfaces(lab, me)),),
        holds=f'{" && ".join(cards)} && [ "$({DEFAULT_ROUTE})" = "{route}" ] && {own_ways} && '
        f"systemctl -q is-enabled {_UNIT}",
        apply=f"{ENABLE} {_UNIT}; {_bring_up(*(nic.name for nic in me.nics))}",
        units=(f"{_UNIT}.service", *OF_THE_BOOT),
        clears=f"{_own_ways(lab)}; {NO_OTHER_TARGET}",
    )


def _own_ways(lab: Plan) -> str:
    """Shell that leaves the kernel's own rules of routing alone; a service of another package may have its own."""
    return "true" if lab.services else _OWN_WAYS


def _own_addresses(lab: Plan, nic: Nic) -> tuple[str, ...]:
    """What a server's card may show: its address, and where there is one the virtual router's behind it."""
    if lab.virtual_router is None or nic.network != lab.served.name:
        return (str(nic.address),)
    return str(nic.address), f"{nic.address} {lab.virtual_router.address}/32"


def _has_its_address(lab: Plan, nic: Nic) -> str:
    shown = f"$(echo $(ip -4 -o addr show dev {nic.name} up | awk '{{print $4}}'))"
    own, *with_router = _own_addresses(lab, nic)
    if not with_router:
        return f'[ "$(ip -4 -o addr show dev {nic.name} up | awk \'{{print $4}}\')" = "{own}" ]'
    return f'{{ shown="{shown}"; [ "$shown" = "{own}" ] || [ "$shown" = "{with_router[0]}" ]; }}'


def _by_dhcp(lab: Plan, me: MachinePlan) -> Step:
    (nic,) = me.nics
    routers, resolvers = [lab.router(server) for server in lab.servers], lab.resolvers(lab.servers[0])
    values: dict[str, Any] = head(lab, me)
    return Step(
        name="network",
        title="address by DHCP (ifupdown, dhclient)",
        files=(
            RenderedFile(_FILE, _interfaces(lab, me)),
            RenderedFile("/etc/dhcp/dhclient.conf", render("dhclient.conf", **values)),
            RenderedFile("/etc/dhcp/dhclient-exit-hooks.d/lab-gateway", render("dhclient-gateway", **values)),
        ),
        holds=f"{{ {served(nic, routers, resolvers)}; }} && systemctl -q is-enabled {_UNIT}",
        apply=f"{ENABLE} {_UNIT}; mkdir -p {FOLDER}; {_bring_up(nic.name)}",
        units=(f"{_UNIT}.service", *OF_THE_BOOT),
        clears=f"{CLEARED}; {_own_ways(lab)}; {'true' if lab.services else OPEN}; {NO_OTHER_TARGET}",
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


def _no_other_address(lab: Plan, me: MachinePlan) -> Check:
    """A NIC of the provider's own, for the management, is another network's; the virtual router is either server."""
    command = "ip -4 -o address show | awk '{print $2, $4}'"
    subnets = [network.subnet for network in lab.networks.values()]
    own: set[tuple[str, IPv4Address | None]] = {
        (nic.name, nic.address.ip) for nic in me.nics if nic.address is not None
    }
    own |= {(nic.name, _virtual(lab)) for nic in me.nics if "server" in me.roles and nic.network == lab.served.name}
    leased = {nic.name for nic in me.nics if nic.address is None}
    expected = "none but its own"

    def judge(result: Result) -> Judgement:
        rows = [(nic, IPv4Interface(text)) for nic, text in (line.split() for line in result.stdout.splitlines())]
        inside = [(nic, at) for nic, at in rows if any(at.ip in subnet for subnet in subnets)]
        several = {nic for nic, count in Counter(nic for nic, _ in inside).items() if count > 1}
        wrong = [f"{nic}: {at}" for nic, at in inside if (nic, at.ip) not in own and nic not in leased - several]
        return Judgement(result.ok and not wrong, expected, "\n".join(wrong) or expected)

    title = "it has no other address of the lab's networks"
    return Check("address.others", me.name, title, command, judge, look="ip address")


def _owners_inside(lab: Plan, me: MachinePlan) -> Check:
    """Ask the whole wire; who asks can't hear the machine beside whose NIC it is."""
    served = lab.served
    servers = {str(server.address(served.name).ip): {server.nic(served.name).mac} for server in lab.servers}
    others = [(client.name, addresses(client.nic(served.name))) for client in lab.clients]

    def judge(result: Result, *leased: Result) -> Judgement:
        owners = servers | {str(_virtual(lab)): set().union(*servers.values())}
        for client, said in zip(lab.clients, leased, strict=True):
            owners |= {word.partition("/")[0]: {client.nic(served.name).mac} for word in said.stdout.split()}
        return _owned(lab, newcomer.heard(result), owners, servers)

    title = f"each address has one owner on the {served.name} network, and nobody answers for others"
    asked = newcomer.inside(lab, dhcp.wishes(lab))
    look = f"tcpdump -ni {me.nic(served.name).name} arp"
    rests_on = tuple(f"{machine.name}:address.others" for machine in lab.machines)
    return Check(f"owners.{served.name}", me.name, title, asked, judge, tuple(others), look=look, rests_on=rests_on)


def _owners_outside(lab: Plan, me: MachinePlan) -> Check:
    uplink = lab.uplink
    servers = {str(server.address(uplink.name).ip): {server.nic(uplink.name).mac} for server in lab.servers}
    partners = [address for address, macs in servers.items() if me.nic(uplink.name).mac not in macs]

    def judge(result: Result) -> Judgement:
        found = newcomer.heard(result)
        gateways = found.owners.get(str(uplink.gateway), [])[:1]  # nobody planned its MAC
        return _owned(lab, found, servers | {str(uplink.gateway): set(gateways)}, partners)

    title = f"each address has one owner on the {uplink.name} network"
    look = f"tcpdump -ni {me.nic(uplink.name).name} arp"
    asked, rests_on = newcomer.outside(lab, me), tuple(f"{server.name}:address.others" for server in lab.servers)
    return Check(f"owners.{uplink.name}", me.name, title, asked, judge, look=look, rests_on=rests_on)


def _virtual(lab: Plan) -> IPv4Address | None:
    return lab.virtual_router.address if lab.virtual_router else None


def _owned(lab: Plan, found: newcomer.Heard, owners: Mapping[str, set[str]], answering: Iterable[str]) -> Judgement:
    """Judge who answers, by who may; ``answering`` are the addresses that must have an owner."""
    wrong = [f"{address}: nobody" for address in answering if address not in found.owners]
    for address, macs in found.owners.items():
        if len(macs) > 1 or not owners.get(address, set()).issuperset(macs):
            wrong.append(f"{address}: {', '.join(newcomer.named(lab, mac) for mac in macs)}")
    for mac, proxied in found.proxies.items():
        for_others = [address for address in proxied if mac not in owners.get(address, ())]
        if for_others:
            shown = ", ".join(for_others[:_SHOWN]) + (" and others" if for_others[_SHOWN:] else "")
            wrong.append(f"{newcomer.named(lab, mac)} answers for {shown}")
    expected = "each its own"
    return Judgement(not wrong, expected, "\n".join(wrong) or expected)
