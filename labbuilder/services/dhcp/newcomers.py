"""The checks of a client that was never there: each server gives it what the plan promises, and nobody else does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address

from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.services import newcomer
from labbuilder.services.newcomer import ACK, OFFER, Message, Wish
from labbuilder.spec.models import AddressRange

_NETMASK, _ROUTER, _RESOLVERS, _DOMAIN, _BROADCAST, _LEASE, _SERVER = 1, 3, 6, 15, 28, 51, 54  # RFC 2132
_TYPE, _RENEWAL, _REBINDING = 53, 58, 59
_NAMES = {
    _NETMASK: "netmask",
    _ROUTER: "router",
    _RESOLVERS: "resolvers",
    _DOMAIN: "domain",
    _BROADCAST: "broadcast address",
    _LEASE: "lease time",
    _SERVER: "server",
    _RENEWAL: "renewal time",
    _REBINDING: "rebinding time",
}
_NUMBERS = {_LEASE, _RENEWAL, _REBINDING}
_SETTLE_S = 4.0  # servers that just met share out the pool a moment later (min-balance)


def newcomer_checks(
    lab: Plan, me: MachinePlan, wishes: Sequence[Wish], pools: Mapping[str, AddressRange], shortest_s: int
) -> Iterator[Check]:
    """Return what must be true of a client that was never there.

    Args:
        lab: The lab.
        me: The machine beside which it asks.
        wishes: What it asks for.
        pools: From where each server leases, by its name.
        shortest_s: The shortest lease that is given.
    """
    asked = newcomer.inside(lab, wishes)
    for server in lab.servers:
        judge = _as_planned(lab, server, wishes, pools[server.name], shortest_s)
        title = f"{server.name} gives new clients of its own what the plan promises, and others nothing"
        yield Check(f"newcomer.{server.name}", me.name, title, asked, judge, settle_s=_SETTLE_S)
    title = "nobody else answers who asks for an address"
    yield Check("newcomer.strangers", me.name, title, asked, _nobody_else(lab))


def outside_check(lab: Plan, me: MachinePlan) -> Check:
    """Return the check that no DHCP is served on the LAN."""
    title = f"no DHCP is served on the {lab.uplink.name} network"
    return Check("outside.dhcp", me.name, title, newcomer.outside(lab, me), _silence)


def promised(lab: Plan, server: MachinePlan) -> dict[int, str]:
    """Return the options that a client of this server gets, but for the times."""
    own, subnet = server.address(lab.served.name).ip, lab.served.subnet
    others = (address for address in lab.server_addresses.values() if address != own)
    return {
        _NETMASK: str(subnet.netmask),
        _ROUTER: str(own),
        _RESOLVERS: " ".join(map(str, (own, *others))),
        _DOMAIN: lab.dns.domain,
        _BROADCAST: str(subnet.broadcast_address),
        _SERVER: str(own),
    }


def _as_planned(lab: Plan, server: MachinePlan, wishes: Sequence[Wish], pool: AddressRange, shortest_s: int) -> Judge:
    mac, options, longest_s = server.nic(lab.served.name).mac, promised(lab, server), lab.dhcp.default_lease_s
    its_own = [wish for wish in wishes if server.name in wish.answered_by]
    expected = f"{len(its_own)} of {len(wishes)} new clients answered as planned" if its_own else "silence"

    def judge(result: Result) -> Judgement:
        messages = [message for message in newcomer.heard(result).messages if message.mac == mac]
        wrong: list[str] = []
        for wish in wishes:
            offers = [m for m in messages if m.wish == wish.name and m.type == OFFER]
            if wish not in its_own:
                wrong += [f"{wish.mac} is offered {m.address}: it is the other server's client" for m in offers[:1]]
            elif not offers:
                wrong.append(f"{wish.mac} is offered nothing")
            else:
                acks = [m for m in messages if m.wish == wish.name and m.type == ACK and m.address == offers[0].address]
                wrong += (
                    [f"{wish.mac} is offered {offers[0].address} and not given it"] if wish.keeps and not acks else []
                )
                for message in (*offers, *acks):
                    wrong += differences(message, options, pool, (shortest_s, longest_s))
        return Judgement(not wrong, expected, "; ".join(dict.fromkeys(wrong)) or expected)

    return judge


def differences(
    message: Message, options: Mapping[int, str], pool: AddressRange, lease_s: tuple[int, int]
) -> Iterator[str]:
    """Return where an offer is not what was promised; what is no part of the promise, too."""
    if message.address not in pool:
        yield f"address {message.address}, not of {pool}"
    said = {code: _read(code, value) for code, value in message.options.items() if code != _TYPE}
    for code, wanted in options.items():
        if said.get(code) != wanted:
            yield f"{_NAMES[code]} {said.get(code, 'missing')}, not {wanted}"
    shortest_s, longest_s = lease_s
    time_s = int(said.get(_LEASE, "0"))
    if not shortest_s <= time_s <= longest_s:
        yield f"{_NAMES[_LEASE]} {time_s} s, not {shortest_s} to {longest_s}"
    for code, value in said.items():
        if code not in options and code not in _NUMBERS:
            yield f"option {code} ({value}), which nobody promised"
        elif code in (_RENEWAL, _REBINDING) and int(value) >= time_s:
            yield f"{_NAMES[code]} {value} s of {time_s}"


def _nobody_else(lab: Plan) -> Judge:
    macs = {server.nic(lab.served.name).mac for server in lab.servers}

    def judge(result: Result) -> Judgement:
        strangers = [message for message in newcomer.heard(result).messages if message.mac not in macs]
        told = (f"{m.sender}, {newcomer.named(lab, m.mac)}, offers {m.address}" for m in strangers)
        return Judgement(not strangers, "nobody", "; ".join(dict.fromkeys(told)) or "nobody")

    return judge


def _silence(result: Result) -> Judgement:
    told = (f"{m.sender} ({m.mac}) offers {m.address}" for m in newcomer.heard(result).messages)
    found = "; ".join(dict.fromkeys(told))
    return Judgement(not found, "silence", found or "silence")


def _read(code: int, value: bytes) -> str:
    if code in _NUMBERS:
        return str(int.from_bytes(value, "big"))
    if code == _DOMAIN:
        return value.rstrip(b"\0").decode("ascii", "replace")
    if code in _NAMES and len(value) % 4 == 0:
        return " ".join(str(IPv4Address(value[n : n + 4])) for n in range(0, len(value), 4))
    return value.hex()
