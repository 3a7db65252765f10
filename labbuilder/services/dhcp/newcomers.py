"""The checks of a client that was never there: each server gives it what the plan promises, and nobody else does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address

from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.services import newcomer
from labbuilder.services.dhcp.base import Engine
from labbuilder.services.newcomer import ACK, OFFER, Message
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


def newcomer_checks(engine: Engine, lab: Plan, me: MachinePlan) -> Iterator[Check]:
    """Return what must be true of a client that was never there; it asks beside this machine."""
    asked, (nic,) = newcomer.inside(lab, engine.wishes(lab)), me.nics
    look = f"udhcpc -fnq -s /bin/true -i {nic.name}"
    for server in lab.servers:
        title = f"{server.name} gives new clients of its own what the plan promises, and others nothing"
        judge = _as_planned(engine, lab, server)
        below = (f"{engine.unit}.active", "address.internal", *(("failover",) if lab.pair and not engine.cold else ()))
        rests_on = tuple(f"{server.name}:{check}" for check in below)
        yield Check(f"newcomer.{server.name}", me.name, title, asked, judge, look=look, rests_on=rests_on)
    title = "nobody else answers who asks for an address"
    yield Check("newcomer.strangers", me.name, title, asked, _nobody_else(lab), look=look)


def outside_check(lab: Plan, me: MachinePlan) -> Check:
    """Return the check that no DHCP is served on the LAN."""
    title = f"no DHCP is served on the {lab.uplink.name} network"
    look = f"udhcpc -fnq -s /bin/true -i {me.nic(lab.uplink.name).name}"
    return Check("outside.dhcp", me.name, title, newcomer.outside(lab, me), _silent(lab), look=look)


def promised(lab: Plan, server: MachinePlan) -> dict[int, str]:
    """Return the options that a client of this server gets, but for the times."""
    subnet = lab.served.subnet
    return {
        _NETMASK: str(subnet.netmask),
        _ROUTER: str(lab.router(server)),
        _RESOLVERS: " ".join(map(str, lab.resolvers(server))),
        _DOMAIN: lab.dns.domain,
        _BROADCAST: str(subnet.broadcast_address),
        _SERVER: str(server.address(lab.served.name).ip),
    }


def _as_planned(engine: Engine, lab: Plan, server: MachinePlan) -> Judge:
    """Until a pair finds back to normal, each server answers everybody: that is worth waiting for."""
    mac, options, wishes = server.nic(lab.served.name).mac, promised(lab, server), engine.wishes(lab)
    pool, lease_s = engine.pool_of(lab, server.name), (engine.shortest_lease_s(lab), lab.dhcp.default_lease_s)
    its_own = [wish for wish in wishes if server.name in wish.answered_by]
    expected = f"{len(its_own)} of {len(wishes)} new clients answered as planned" if its_own else "silence"

    def judge(result: Result) -> Judgement:
        messages = [message for message in newcomer.heard(result).messages if message.mac == mac]
        wrong: list[str] = []
        settle_s = _SETTLE_S
        for wish in wishes:
            offers = [m for m in messages if m.wish == wish.name and m.type == OFFER]
            if wish not in its_own:
                settle_s = engine.longest_settle_s(lab.dhcp.failover) if offers else settle_s
                wrong += [f"{wish.mac} is offered {m.address}: it is the other server's client" for m in offers[:1]]
            elif not offers:
                wrong.append(f"{wish.mac} is offered nothing")
            else:
                acks = [m for m in messages if m.wish == wish.name and m.type == ACK and m.address == offers[0].address]
                if wish.takes == "lease" and not acks:
                    wrong.append(f"{wish.mac} is offered {offers[0].address} and not given it")
                for message in (*offers, *acks):
                    wrong += differences(message, options, pool, lease_s)
        return Judgement(not wrong, expected, "\n".join(dict.fromkeys(wrong)) or expected, settle_s)

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
        found = _told(lab, strangers)
        return Judgement(not strangers, "nobody", found or "nobody")

    return judge


def _silent(lab: Plan) -> Judge:
    def judge(result: Result) -> Judgement:
        found = _told(lab, newcomer.heard(result).messages)
        return Judgement(not found, "silence", found or "silence")

    return judge


def _told(lab: Plan, messages: Iterable[Message]) -> str:
    """Who answered, each once, with what it offered; an answer without an address only informs."""
    first: dict[tuple[str, str], str] = {}
    for message in sorted(messages, key=lambda message: not int(message.address)):
        offers = f"offers {message.address}" if int(message.address) else "tells of itself"
        first.setdefault((message.sender, message.mac), offers)
    return "\n".join(f"{sender}, {newcomer.named(lab, mac)}, {offers}" for (sender, mac), offers in first.items())


def _read(code: int, value: bytes) -> str:
    if code in _NUMBERS:
        return str(int.from_bytes(value, "big"))
    if code == _DOMAIN:
        return value.rstrip(b"\0").decode("ascii", "replace")
    if code in _NAMES and len(value) % 4 == 0:
        return " ".join(str(IPv4Address(value[n : n + 4])) for n in range(0, len(value), 4))
    return value.hex()
