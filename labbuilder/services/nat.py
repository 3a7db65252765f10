"""NAT: what leaves by the uplink has the server's own address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from labbuilder.host.render import render
from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services import dhcp, newcomer
from labbuilder.services.base import Service, Unit, head
from labbuilder.services.foreign import rules_check
from labbuilder.services.judges import is_address, says, shown
from labbuilder.services.netfilter import OPEN, RULES
from labbuilder.services.probes import DIG
from labbuilder.services.systemd import ENABLE, enabled

_FILE = "/etc/iptables/rules.v4"
_UNIT = "netfilter-persistent"
_LIVE = "iptables -t nat -S POSTROUTING | grep ^-A"
# iptables-restore's own test takes the rule in any table, and awk takes a file without COMMIT.
_KEPT = f"iptables-restore --test {_FILE} && awk '/^[*]/ {{table = $1}} /^-A/ {{print table, $0}}' {_FILE}"


class Nat(Service):
    """A server translates its clients' addresses."""

    name = "nat"
    packages = ("iptables", "iptables-persistent")
    units = (Unit(_UNIT),)

    def steps(self, lab: Plan, me: MachinePlan) -> Iterator[Step]:
        """Return the rules, restored at boot by iptables-persistent."""
        if "server" not in me.roles:
            return
        rule = nat_rule(lab, me)
        # A service of another package may have rules of its own.
        live, clears = (_LIVE, "true") if lab.services else (RULES, OPEN)
        yield Step(
            name="nat",
            title="NAT (iptables-persistent)",
            files=(RenderedFile(_FILE, render("rules.v4", rule=rule, **head(lab, me))),),
            validate=((_FILE, "iptables-restore --test {new}"),),
            holds=f'[ "$({live})" = "{rule}" ] && systemctl -q is-enabled {_UNIT}',
            apply=f"{ENABLE} {_UNIT}; iptables-restore {_FILE}",
            units=(f"{_UNIT}.service",),
            clears=clears,
        )

    def starts_from(self, lab: Plan, me: MachinePlan) -> Iterable[str]:
        """Return what restores the rules."""
        del lab
        return ("iptables-persistent", "netfilter-persistent") if "server" in me.roles else ()

    def checks(self, lab: Plan, me: MachinePlan) -> Iterator[Check]:
        """Look at a server's rule, live and kept, and from a client at the source that the world sees."""
        if "server" in me.roles:
            rule = nat_rule(lab, me)
            yield enabled(lab, me, _UNIT)
            yield Check(
                "nat.live",
                me.name,
                "NAT rule is live",
                _LIVE,
                says(rule),
                look=_LIVE.partition(" |")[0],
                rests_on=("firewall",),
            )
            yield from rules_check(lab, me, f"nat {rule}")
            yield Check(
                "nat.kept",
                me.name,
                f"NAT rule in {_FILE}",
                _KEPT,
                says(f"*nat {rule}"),
                look=f"cat {_FILE}",
                rests_on=("files",),
            )
        if "client" in me.roles:
            yield from rules_check(lab, me)
            yield _reaches_the_world(lab, me)
        if newcomer.asks_inside(lab, me) and newcomer.has_room(lab):
            yield from _ways(lab, me)


def nat_rule(lab: Plan, me: MachinePlan) -> str:
    """Return the one rule, as iptables writes it."""
    return f"-A POSTROUTING -o {me.nic(lab.uplink.name).name} -j MASQUERADE"


def _reaches_the_world(lab: Plan, me: MachinePlan) -> Check:
    world = lab.upstream
    if world.witness is not None:
        through = f"timeout 5 nc -w 3 {world.witness.address} {world.witness.port} </dev/null"
        judge = _translated(_sources(lab))
    else:  # a resolver of the world knows no way back to a private address
        through = f"{DIG} @{world.resolvers[0]} {world.name}"
        judge = _answered(tuple(_sources(lab)))
    title = "the world is reached through the gateway's NAT"
    ways = ("forwarding.kernel", "firewall", "nat.live", "route", "routes")
    rests_on = (
        "lease.gateway",
        "firewall",
        "routes",
        *(f"{server.name}:{way}" for server in lab.servers for way in ways),
    )
    command = f"ip route show default | awk '{{print $3}}'; {through}"
    return Check("nat", me.name, title, command, judge, look=through, rests_on=rests_on)


def _ways(lab: Plan, me: MachinePlan) -> Iterator[Check]:
    """Through each server, also through those that are nobody's gateway now."""
    asked = newcomer.inside(lab, dhcp.wishes(lab))
    world = lab.upstream
    simulated = world.witness is not None
    for server in lab.servers:
        title = (
            f"TCP, UDP and ping reach the world through {server.name} from new addresses, full-size packets too"
            if simulated
            else f"DNS reaches the world through {server.name} from new addresses, full-size packets the server"
        )
        gateway = f"ip route replace default via {server.address(lab.served.name).ip}"
        beyond = f"ping -c 1 -M do -s 1472 {world.witness.address}; " if world.witness else ""
        look = f"{gateway}; {beyond}dig @{world.resolvers[0]} {world.name}"
        below = ("firewall", "routes", "route", "nat.live", "forwarding.kernel", "address.internal", "address.bridged")
        rests_on = (*newcomer.leases(lab), *(f"{server.name}:{check}" for check in below))
        yield Check(f"way.{server.name}", me.name, title, asked, _leads(lab, server), look=look, rests_on=rests_on)


def _leads(lab: Plan, server: MachinePlan) -> Judge:
    expected = "each way leads there and back"
    if lab.upstream.witness is not None:
        expected += f", as {server.address(lab.uplink.name).ip}"

    def judge(result: Result) -> Judgement:
        wrong = newcomer.strayed(newcomer.heard(result), newcomer.ways(lab, server))
        return Judgement(not wrong, expected, "\n".join(wrong) or expected)

    return judge


def _sources(lab: Plan) -> Mapping[str, tuple[str, ...]]:
    """Return the source addresses that the world may see, by the gateway; the virtual router is either server."""
    outside = [str(server.address(lab.uplink.name).ip) for server in lab.servers]
    if lab.virtual_router is not None:
        return {str(lab.virtual_router.address): tuple(outside)}
    return {str(lab.router(server)): (address,) for server, address in zip(lab.servers, outside, strict=True)}


def _translated(outside: Mapping[str, tuple[str, ...]]) -> Judge:
    """The first word is the client's gateway, the second the source address that the world saw."""

    def judge(result: Result) -> Judgement:
        gateway, _, source = shown(result).partition(" ")
        wanted = outside.get(gateway, ())
        expected = f"{' or '.join(wanted) or 'the bridged address of a server'}, by {gateway or 'a gateway'}"
        return Judgement(source in wanted, expected, source)

    return judge


def _answered(servers: tuple[str, ...]) -> Judge:
    """The first word is the client's gateway, the last an address that a resolver of the world gave."""

    def judge(result: Result) -> Judgement:
        gateway, _, answer = shown(result).partition(" ")
        right = result.ok and gateway in servers and bool(answer) and is_address(answer.split()[-1])
        return Judgement(right, f"an address from a resolver of the world, by {' or '.join(servers)}", answer)

    return judge
