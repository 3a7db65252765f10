"""The clients' gateway: one address that is held by the server that leads out (keepalived, VRRPv3, RFC 9568)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from labbuilder.host.render import render
from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.fault import Fault, Need, Shell, Unplug, Well
from labbuilder.model.fault import Step as FaultStep
from labbuilder.model.lab import MachinePlan, Plan, VirtualRouter
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services.base import Service, Unit, head
from labbuilder.services.dhcp.faults import pair_and_client
from labbuilder.services.judges import says
from labbuilder.services.nat import nat_rule
from labbuilder.services.systemd import ENABLE, RELOAD, RESTART, active, enabled
from labbuilder.spec.models import LabSpec

_UNIT = "keepalived"
_CONF, _WAY_OUT, _NOTE = (f"/etc/keepalived/{name}" for name in ("keepalived.conf", "way-out", "note"))
_DROPIN = f"/etc/systemd/system/{_UNIT}.service.d/labbuilder.conf"
_STATE = "/run/labbuilder-gateway"  # written by keepalived at each change, through _NOTE
_PRIORITIES = (150, 100)
_SETTLE_S = 5.0  # of a proof: a server that was just mended takes the address back within a second


class VrrpGateway(Service):
    """Two servers hold one address between them."""

    name = "gateway"
    packages = ("keepalived",)
    units = (Unit(_UNIT),)

    def wanted(self, spec: LabSpec) -> bool:
        """Only a lab that asks for it has keepalived."""
        return spec.gateway.redundancy == "vrrp"

    def steps(self, lab: Plan, me: MachinePlan) -> Iterator[Step]:
        """Return keepalived's configuration and, where the first server is to be the master, the wait for that."""
        router = lab.virtual_router
        if router is None or "server" not in me.roles:
            return
        first, scripts, own = me == lab.servers[0], *_files(lab, me, router)
        title = "scripts of the virtual gateway"
        yield Step("gateway-scripts", title, "true", "true", files=scripts)  # keepalived's own test looks for them
        yield Step(
            name="gateway",
            title="virtual gateway (keepalived, VRRP)",
            files=own,
            validate=((_CONF, "keepalived -t -f {new}"),),
            holds=f"systemctl -q is-active {_UNIT} && systemctl -q is-enabled {_UNIT} && "
            f"grep -qxE 'MASTER|BACKUP' {_STATE}",
            apply=f"rm -f {_STATE}; {ENABLE} {_UNIT}; {RELOAD.format(_UNIT)}; {RESTART.format(_UNIT)}",
            units=(f"{_UNIT}.service",),
        )
        if first and router.preempt:  # three advertisements that did not come: others begin meanwhile
            after = tuple(f"{me.name}:{step}" for step in ("gateway", "dns"))
            title, holds = "virtual gateway, the first server is the master", f"grep -qx MASTER {_STATE}"
            yield Step("gateway-master", title, holds, "true", after=after, awaits=True)

    def checks(self, lab: Plan, me: MachinePlan) -> Iterator[Check]:
        """Look at keepalived, at who holds the address, and from a client at who answers for it."""
        router = lab.virtual_router
        if router is None:
            return
        if "server" in me.roles:
            yield active(lab, me, _UNIT, program=_UNIT)
            yield enabled(lab, me, _UNIT)
            yield Check("gateway.out", me.name, "it leads out: forwarding, NAT", f"{_WAY_OUT} && echo yes", says("yes"))
            yield _one_master(lab, router) if me == lab.servers[0] else _same_router(lab, me)
        if "client" in me.roles:
            yield _answered_by_the_master(lab, router, me)

    def faults(self, lab: Plan) -> Iterator[Fault]:
        """Take from the first server what leads out, one thing at a time; DHCP goes on."""
        first = lab.servers[0].name
        off, on = (f"sysctl -qw net.ipv4.ip_forward={switch}" for switch in (0, 1))
        flushed, restored = "iptables -t nat -F", "iptables-restore /etc/iptables/rules.v4"
        killed = f"systemctl kill -s KILL {_UNIT} || true; systemctl stop {_UNIT}"
        started = f"systemctl reset-failed {_UNIT} 2>/dev/null || true\nsystemctl start {_UNIT}"
        virtual = Need(
            met=lab.virtual_router is not None,
            brief="the drill gateway-crash needs a virtual gateway",
            resolution="labbuilder up --gateway vrrp --reconfigure",
        )
        unplugged = "the first server's cable to the bridged network is unplugged"
        yield _fault(lab, "uplink-cut", unplugged, Unplug(first, lab.uplink.name))
        yield _fault(lab, "forwarding-off", "the first server no longer forwards", Shell(first, off, on))
        yield _fault(lab, "nat-gone", "the first server's NAT rules are flushed", Shell(first, flushed, restored))
        title = "keepalived on the first server is killed (SIGKILL)"
        yield _fault(lab, "gateway-crash", title, Shell(first, killed, started), virtual)


def _fault(lab: Plan, name: str, title: str, step: FaultStep, *needs: Need) -> Fault:
    first = lab.servers[0].name
    felt = Need(
        met=lab.upstream.witness is not None,
        brief=f"the drill {name} measures the way to the world, and a real LAN has no witness",
        resolution="labbuilder up --provider nspawn has a simulated one",
    )
    return Fault(name, title, (first,), (step,), (Well(),), needs=(pair_and_client(lab), felt, *needs))


def _files(
    lab: Plan, me: MachinePlan, router: VirtualRouter
) -> tuple[tuple[RenderedFile, ...], tuple[RenderedFile, ...]]:
    """Return the scripts that keepalived runs, and its own files."""
    first = me == lab.servers[0]
    values = head(lab, me) | {
        "router": router,
        "advert_s": f"{router.advert_ms / 1000:g}",
        "priority": _PRIORITIES[0 if first else 1],
        "state": "MASTER" if first and router.preempt else "BACKUP",
        "inside": me.nic(lab.served.name).name,
        "outside": me.nic(lab.uplink.name).name,
        "way_out": _WAY_OUT,
        "note": _NOTE,
        "rule": nat_rule(lab, me).removeprefix("-A "),
        "noted": _STATE,
    }
    scripts = ((_WAY_OUT, "keepalived-way-out"), (_NOTE, "keepalived-note"))
    own = ((_CONF, "keepalived.conf"), (_DROPIN, "keepalived.service"))
    return (
        tuple(RenderedFile(path, render(template, **values), 0o755) for path, template in scripts),
        tuple(RenderedFile(path, render(template, **values)) for path, template in own),
    )


def _holds(lab: Plan, router: VirtualRouter, server: MachinePlan) -> str:
    """Shell that tells what keepalived is, and the address when the kernel has it."""
    nic = server.nic(lab.served.name).name
    return f"cat {_STATE}; ip -4 -o address show dev {nic} | grep -oF ' {router.address}/'"


def _read(result: Result, router: VirtualRouter) -> str:
    state = next((word for word in result.stdout.split() if word.isalpha()), "no state")
    return f"{state} with {router.address}" if str(router.address) in result.stdout else state


def _one_master(lab: Plan, router: VirtualRouter) -> Check:
    names = [server.name for server in lab.servers]
    (first, command), *others = [(server.name, _holds(lab, router, server)) for server in lab.servers]

    def judge(*answers: Result) -> Judgement:
        states = [_read(answer, router) for answer in answers]
        wanted = [f"MASTER with {router.address}", "BACKUP"]
        right = states == wanted or (not router.preempt and states == wanted[::-1])
        expected = ", ".join(f"{name} {state}" for name, state in zip(names, wanted, strict=True))
        expected = expected if router.preempt else f"{expected}, or the other way round"
        seen = ", ".join(f"{name} {state}" for name, state in zip(names, states, strict=True))
        return Judgement(right, expected, seen)

    title = f"one server holds {router.address}, the other stands by"
    return Check("gateway.master", first, title, command, judge, tuple(others), settle_s=_SETTLE_S)


def _same_router(lab: Plan, me: MachinePlan) -> Check:
    """What the two must say alike, or each takes the other for a stranger and both hold the address."""
    alike = f"grep -E 'version|router_id [0-9]|advert_int|/32' {_CONF} | tr -s '[:space:]' ' '"

    def judge(mine: Result, theirs: Result) -> Judgement:
        return Judgement(bool(mine.stdout) and mine.stdout == theirs.stdout, theirs.stdout.strip(), mine.stdout.strip())

    title, first = "both keepalived are the same virtual router", lab.servers[0].name
    return Check("gateway.alike", me.name, title, alike, judge, ((first, alike),))


def _answered_by_the_master(lab: Plan, router: VirtualRouter, me: MachinePlan) -> Check:
    macs = {server.name: server.nic(lab.served.name).mac for server in lab.servers}
    nic = me.nic(lab.served.name).name
    asked = f"ping -c 1 -W 2 {router.address} >/dev/null; ip neigh show {router.address} dev {nic}"
    title = f"{router.address} answers, with the master's MAC"
    others = tuple((server.name, _holds(lab, router, server)) for server in lab.servers)
    return Check("gateway.arp", me.name, title, asked, _masters_mac(macs), others, settle_s=_SETTLE_S)


def _masters_mac(macs: Mapping[str, str]) -> Judge:
    def judge(neighbour: Result, *servers: Result) -> Judgement:
        masters = [name for name, said in zip(macs, servers, strict=True) if said.stdout.startswith("MASTER")]
        wanted = macs[masters[0]] if len(masters) == 1 else "the MAC of one master"
        words = neighbour.stdout.split()
        seen = words[words.index("lladdr") + 1] if "lladdr" in words else neighbour.stdout.strip() or "no answer"
        return Judgement(seen == wanted, wanted, seen)

    return judge
