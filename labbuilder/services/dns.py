"""DNS: BIND has the lab's own zone and forwards the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from labbuilder.host.render import render
from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Plan, Upstream
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services import dhcp, newcomer
from labbuilder.services.base import Service, Unit, head
from labbuilder.services.judges import is_address, says, shown
from labbuilder.services.probes import DIG
from labbuilder.services.systemd import ENABLE, RESTART, active, comes_back, enabled

_UNIT, _PROGRAM, _USER = "named", "/usr/sbin/named", "bind"
_ZONE, _OPTIONS, _LOCAL = "/etc/bind/db.lab", "/etc/bind/named.conf.options", "/etc/bind/named.conf.local"


class Dns(Service):
    """A server answers the lab's names, and asks the forwarders for all others."""

    name = "dns"
    packages = ("bind9", "bind9-dnsutils")
    units = (Unit(_UNIT),)

    def steps(self, lab: Plan, me: MachinePlan) -> Iterator[Step]:
        """Return BIND's options, its zones and the lab's zone."""
        if "server" not in me.roles:
            return
        domain, address = lab.dns.domain, me.address(lab.served.name).ip
        values = {"domain": domain, "me": address, "subnet": lab.served.subnet, "forwarders": lab.dns.forwarders}
        virtual = lab.virtual_router.address if lab.virtual_router else None
        values |= {"servers": lab.server_addresses.items(), "virtual": virtual, **head(lab, me)}
        yield Step(
            name="dns",
            title="DNS server (BIND)",
            files=(
                RenderedFile(_ZONE, render("db.lab", **values)),
                RenderedFile(_OPTIONS, render("named.conf.options", **values)),
                RenderedFile(_LOCAL, render("named.conf.local", **values)),
            ),
            validate=(
                (_ZONE, f"named-checkzone -q {domain} {{new}}"),
                (_OPTIONS, "named-checkconf {new}"),
                (_LOCAL, "named-checkconf {new}"),
            ),
            holds=f"systemctl -q is-active {_UNIT} && systemctl -q is-enabled {_UNIT} && "
            f"dig +short +time=1 +tries=1 @{address} {domain} SOA | grep -q .",
            apply=f"{ENABLE} {_UNIT}; {RESTART.format(_UNIT)}",
            # Tested before it is restarted: what serves is not stopped for what can't.
            clears=f"named-checkconf -z >/dev/null; getent passwd {_USER} >/dev/null",
            units=(f"{_UNIT}.service",),
            after=(f"{me.name}:dhcp",),  # clients wait for DHCP, and BIND is slow to start
        )

    def starts_from(self, lab: Plan, me: MachinePlan) -> Iterable[str]:
        """Return BIND."""
        del lab
        return ("bind9",) if "server" in me.roles else ()

    def checks(self, lab: Plan, me: MachinePlan) -> Iterator[Check]:
        """Ask a server for the zone and the world, and from a client each server for both."""
        if "server" in me.roles:
            yield active(lab, me, _UNIT, program="named", rests_on=("named.syntax",))
            yield enabled(lab, me, _UNIT)
            yield comes_back(lab, me, _UNIT)
            yield _starts(me)
            yield _zone(lab, me)
            world = lab.upstream
            asked = f"{DIG} @{world.resolvers[0]} {world.name}"
            yield Check(
                "names.upstream",
                me.name,
                "names resolve by the forwarder",
                asked,
                _resolved(world),
                rests_on=("route", "routes", "firewall"),
            )
        if "client" in me.roles:
            yield from _answers(lab, me)
        if newcomer.asks_inside(lab, me) and newcomer.has_room(lab):
            yield from _answers_newcomers(lab, me)
        if newcomer.asks_outside(lab, me):
            yield _answers_nobody_outside(lab, me)


def _starts(me: MachinePlan) -> Check:
    """Return the check of what BIND starts from: its files by its own test, its program, its user."""
    files = 'said=$(named-checkconf -z 2>&1) || echo "$said"'
    program = f"[ -x {_PROGRAM} ] || echo {_PROGRAM} is no program"
    user = f"getent passwd {_USER} >/dev/null || echo there is no user {_USER}"
    test = f"{files}; {program}; {user}"
    return Check(
        "named.syntax",
        me.name,
        "named-checkconf -z",
        test,
        says(""),
        look="named-checkconf -z",
        rests_on=("files", "packages"),
    )


def _zone(lab: Plan, me: MachinePlan) -> Check:
    """Let the server itself tell all of its zone, as it has it in memory: what the file says may not be loaded."""
    domain = f"{lab.dns.domain}."
    names = {f"{name}.{domain}": address for name, address in lab.server_addresses.items()}
    records = [f"{domain} SOA {me.name}.{domain} root.{domain} 1 3600 600 86400 300"]
    records += [f"{domain} NS {name}" for name in names]
    records += [f"{name} A {address}" for name, address in names.items()]
    ask = f"dig +noall +answer +onesoa +time=3 +tries=2 @{me.address(lab.served.name).ip} {domain} AXFR"
    command = f'{ask} | awk \'{{$2 = $3 = ""; gsub(/ +/, " "); print}}\' | LC_ALL=C sort'
    title = "its zone names every server of the lab, and nothing else"
    rests_on = ("named.active", "files", "firewall")
    return Check(
        "names.zone",
        me.name,
        title,
        command,
        says(" ".join(sorted(records))),
        look=ask,
        rests_on=rests_on,
    )


def _answers(lab: Plan, me: MachinePlan) -> Iterator[Check]:
    """One dig for both names: thirty clients ask this."""
    world, addresses = lab.upstream, lab.server_addresses
    (own, own_address), *_ = addresses.items()
    for server, address in addresses.items():
        asked = f"{DIG} @{address} {own}.{lab.dns.domain} {world.name}"
        title = f"{server} resolves names of the lab and of the world"
        theirs = (f"{server}:{check}" for check in ("named.active", "names.upstream", "names.zone", "firewall"))
        rests_on = (*theirs, "lease.address", "firewall", "routes")
        yield Check(f"names.{server}", me.name, title, asked, _resolved(world, str(own_address)), rests_on=rests_on)


def _answers_newcomers(lab: Plan, me: MachinePlan) -> Iterator[Check]:
    asked, expected = newcomer.inside(lab, dhcp.wishes(lab)), "its address, by UDP and by TCP"
    for server in lab.servers:

        def judge(result: Result, server: MachinePlan = server) -> Judgement:
            wrong = newcomer.strayed(newcomer.heard(result), newcomer.name_ways(lab, server))
            return Judgement(not wrong, expected, "\n".join(wrong) or expected)

        title = f"{server.name} answers new addresses by UDP and by TCP"
        look = f"dig +tcp @{server.address(lab.served.name).ip} {server.name}.{lab.dns.domain}"
        below = (f"{server.name}:{check}" for check in ("named.active", "names.zone", "firewall", "routes"))
        rests_on = (*newcomer.leases(lab), *below)
        yield Check(f"names.new.{server.name}", me.name, title, asked, judge, look=look, rests_on=rests_on)


def _answers_nobody_outside(lab: Plan, me: MachinePlan) -> Check:
    """At none of its addresses: Linux takes what comes for any of them by any NIC."""

    def judge(result: Result) -> Judgement:
        seen, wrong = newcomer.heard(result).ways, []
        for way in newcomer.outside_ways(lab, me):
            answer = seen.get(way.name, "silence")
            if not answer.startswith((newcomer.REFUSED, newcomer.NOT_SERVED, "silence")):
                wrong.append(f"{way.address} {way.kind} {way.what}: {answer}")
        return Judgement(not wrong, "refused", "\n".join(wrong) or "refused")

    title = f"the other server answers no names to the {lab.uplink.name} network"
    asked = newcomer.outside(lab, me)
    first, *_ = newcomer.outside_ways(lab, me)
    look = f"dig @{first.address} {first.what}"
    return Check("outside.names", me.name, title, asked, judge, look=look)


def _resolved(world: Upstream, *own: str) -> Judge:
    """The lab's own addresses first, where some were asked for; then the witness's, or any where there is none."""
    known = str(world.witness.address) if world.witness else None

    def judge(result: Result) -> Judgement:
        observed = shown(result)
        expected = " ".join((*own, known or "and an address"))
        words = observed.split()
        first, rest = words[: len(own)], words[len(own) :]
        right = rest == [known] if known else bool(rest) and is_address(rest[-1])
        return Judgement(result.ok and first == [*own] and right, expected, observed)

    return judge
