"""kea-dhcp4-server, alone or in a mode of its High Availability hook (Kea's manual, "libdhcp_ha.so")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from labbuilder.errors import MachineError, TransportError
from labbuilder.host.render import render
from labbuilder.host.run import Result
from labbuilder.host.wait import wait_until
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Pair, Peer, Plan
from labbuilder.model.running import RunningLab
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services.dhcp.base import SETTLE_S, Engine, PeerStatus, leases_kept, listens, serves, values
from labbuilder.services.dhcp.config_files import config_of, files_beside, means, pools
from labbuilder.services.dhcp.kea_control import answers, both_are, state_matches, status, tell
from labbuilder.services.dhcp.kea_running import running_check
from labbuilder.services.dhcp.pair import STATUS, connected, fits, meets, opened
from labbuilder.services.judges import says
from labbuilder.services.systemd import ENABLE, RELOAD, RESTART, off
from labbuilder.spec.base import Problem
from labbuilder.spec.failover import Failover
from labbuilder.spec.models import AddressRange, LabSpec

if TYPE_CHECKING:
    from labbuilder.lint.model import Peer as Server

UNIT = "kea-dhcp4-server"
CONF = "/etc/kea/kea-dhcp4.conf"
LEASES = PurePosixPath("/var/lib/kea/kea-leases4.csv")
HA_PORT = 8000
_LOOK = f"cat {CONF}"
HALVED = "load-balancing"
_DROPIN = "/etc/systemd/system/kea-dhcp4-server.service.d/labbuilder.conf"
_HTTP_S = 10.0  # after this Kea gives up an exchange with a silent partner (docs/failover.md)
_GIVES_UP_S = 30.0  # measured: 10 s for the exchange with a partner that is silent, and a heartbeat
_SHOWN = 300

# ld.so(8) reads $LIB as the machine's own lib/x86_64-linux-gnu or the like, and Kea 2.2 looks nowhere by itself.
# Kea 2.6 does, and takes no other path.
_HOOKS = {"bookworm": "/usr/$LIB/kea/hooks/", "trixie": ""}

# A partner-down that was forced on a living pair ends by command alone, and not while the partner starts.
_END_MAINTENANCE = (
    f"n=0; while [ $n -lt 100 ] && {state_matches('partner-in-m')}; do "
    f"{tell('ha-maintenance-cancel')}; n=$((n+1)); sleep 0.1; done"
)


class Timers(NamedTuple):
    """What the pair waits for, in seconds; the engine's own are from Kea's manual."""

    silence_s: int
    heartbeat_s: int
    ack_s: int
    unacked_clients: int


_TIMERS = {"quick": Timers(2, 1, 1, 0), "engine": Timers(60, 10, 10, 10)}


def timers(failover: Failover) -> Timers:
    """Return what is asked for, and for the rest what is meant."""
    meant = _TIMERS[failover.timers]
    unacked = failover.max_unacked_clients
    return Timers(
        failover.max_response_delay_s or meant.silence_s,
        failover.heartbeat_s or meant.heartbeat_s,
        meant.ack_s,
        meant.unacked_clients if unacked is None else unacked,
    )


class Kea(Engine):
    """Kea in one of its modes.

    Args:
        mode: Kea's word for it; it is also the state in which both peers are well.
        by_itself: The second server takes over by itself.
        notice: What anyone who chooses this must know.
    """

    name, unit, program, conf, leases, user = "kea", UNIT, "kea-dhcp4", CONF, LEASES, "_kea"
    heeds = frozenset({"split", "max_response_delay_s", "heartbeat_s", "max_unacked_clients"})  # split: in own words
    good = frozenset({"hot-standby", "load-balancing"})
    alone = frozenset(
        {"communications-interrupted", "partner-down", "communication-recovery", "partner-in-maintenance"}
    )
    interrupted = frozenset({"communications-interrupted", "communication-recovery"})
    taken_over = frozenset({"partner-down"})
    told_down = frozenset({"partner-down", "partner-in-maintenance"})
    port = HA_PORT
    asks = tell("status-get")

    def __init__(self, mode: str, *, by_itself: bool = True, notice: str = "") -> None:
        self.mode = mode
        self.by_itself = by_itself
        self._notice = notice

    @property
    def well(self) -> tuple[str, str]:
        """The mode's name, on both."""
        return self.mode, self.mode

    @property
    def _second_role(self) -> str:
        return "secondary" if self.mode == HALVED else "standby"

    def settle_s(self, failover: Failover, *states: str) -> float:
        """Return the same, but in partner-down by whether the partner is heard again: else it is "unavailable"."""
        if not self.taken_over & {*states}:
            return super().settle_s(failover, *states)
        return 0.0 if "unavailable" in states else self.longest_settle_s(failover)

    def pools(self, lab: Plan) -> tuple[tuple[AddressRange, str | None], ...]:
        """Return the pool, with the server whose clients get it.

        Load balancing halves it by class: one pool for both was measured to hand out addresses twice.
        """
        whole = lab.pool
        if lab.pair is None or self.mode != HALVED:
            return ((whole, None),)
        half = whole.start + len(whole) // 2
        first = AddressRange(start=whole.start, end=half - 1), lab.pair.first.name
        return first, (AddressRange(start=half, end=whole.end), lab.pair.second.name)

    def by_hash(self, lab: Plan) -> tuple[str, str]:
        """Where the hash is halved, buckets with even numbers are the first server's."""
        first, *others = (server.name for server in lab.servers)
        return first, (others[0] if others and self.mode == HALVED else first)

    def pool_of(self, lab: Plan, server: str) -> AddressRange:
        """Each has its half."""
        return next(pool for pool, owner in self.pools(lab) if owner in (None, server))

    def steps(self, lab: Plan, me: MachinePlan) -> Iterator[Step]:
        """Return Kea's configuration and, in a pair, the wait for both peers."""
        listening = listens(HA_PORT) if lab.pair else "true"
        yield Step(
            name="dhcp",
            title="DHCP server (kea-dhcp4-server)",
            files=self._files(lab, me),
            validate=((CONF, "kea-dhcp4 -t {new}"),),
            holds=f"systemctl -q is-active {UNIT} && systemctl -q is-enabled {UNIT} && [ -w {LEASES} ] && "
            f"{listening} && ! {' && ! '.join(f'systemctl -q is-active {unit}' for unit in self.others)}",
            apply=f"{off(*self.others)}; {ENABLE} {UNIT}; {RELOAD.format(UNIT)}; {RESTART.format(UNIT)}",
            units=(f"{UNIT}.service",),
            clears=leases_kept(self),
        )
        if lab.pair is not None:
            yield Step(
                name="failover",
                title=f"DHCP failover, both peers {self.mode}",
                holds=both_are(self.mode, lab.pair.partner(me.name).address, HA_PORT),
                apply=_END_MAINTENANCE,
                settle_s=SETTLE_S,
                after=tuple(f"{peer.name}:dhcp" for peer in lab.pair.peers),
                awaits=True,
            )

    def _files(self, lab: Plan, me: MachinePlan) -> tuple[RenderedFile, ...]:
        variables = values(lab, me) | {
            "timers": timers(lab.dhcp.failover),
            "ha_mode": self.mode,
            "second_role": self._second_role,
            "auto_failover": str(self.by_itself).lower(),
            "pools": self.pools(lab),
            "port": HA_PORT,
            "hooks": _HOOKS[lab.image.suite],
            "leases": LEASES,
        }
        return (
            RenderedFile(CONF, render("kea-dhcp4.conf", **variables)),
            RenderedFile(_DROPIN, render("kea-dhcp4-server.conf", **variables)),
        )

    def checks(self, lab: Plan, me: MachinePlan) -> Iterator[Check]:
        """Return the checks of the file and the daemon and, in a pair, of the failover."""
        syntax = f"kea-dhcp4 -t {CONF} 2>&1 | grep -iE 'error|fail|invalid'; true"
        yield Check(
            "kea.syntax",
            me.name,
            f"kea-dhcp4 -t {CONF}",
            syntax,
            says(""),
            look=f"kea-dhcp4 -t {CONF}",
            rests_on=("files",),
        )
        title = f"Kea serves on the {lab.served.name} NIC"
        yield Check(
            "kea.nic",
            me.name,
            title,
            files_beside(CONF),
            means(me.nic(lab.served.name).name, lambda files: _nics(me, files)),
            look=_LOOK,
            rests_on=("files",),
        )
        yield from serves(self, lab, me, syntax="kea.syntax")
        yield running_check(me.name, CONF)
        if lab.pair is not None:
            yield from self._pair_checks(lab, lab.pair, me)
            yield from fits(self, lab, lab.pair) if me.name == lab.pair.first.name else ()

    def _pair_checks(self, lab: Plan, pair: Pair, me: MachinePlan) -> Iterator[Check]:
        title = f"failover: both peers {self.mode}"
        yield Check(
            "failover",
            me.name,
            title,
            tell("status-get"),
            self._both_well(lab),
            look=STATUS.format(lab.lab),
            rests_on=meets(self, pair, me),
        )
        both = " ".join(str(peer.address) for peer in pair.peers)
        yield Check(
            "failover.mirror",
            me.name,
            "both peers name the same two addresses",
            files_beside(CONF),
            means(both, lambda files: _hosts(_server(me, files))),
            look=_LOOK,
            rests_on=("files",),
        )
        yield connected(self, lab, pair, me)
        yield opened(self, pair, me)
        asked = f"{tell('status-get')}; {tell('config-get')}"
        title = "Kea runs in the mode of the spec, and serves its share"
        yield Check(
            "failover.share",
            me.name,
            title,
            asked,
            self._runs_as(pair, me),
            look=STATUS.format(lab.lab),
            rests_on=(f"{UNIT}.active",),
        )
        yield Check(
            "failover.pool",
            me.name,
            "the pool is the same on both",
            files_beside(CONF),
            means(str(lab.pool), lambda files: pools(_server(me, files))),
            look=_LOOK,
            rests_on=("files",),
        )

    def _both_well(self, lab: Plan) -> Judge:
        wanted, failover = f"{self.mode}/{self.mode}", lab.dhcp.failover

        def judge(result: Result) -> Judgement:
            try:
                (answer,) = answers(result.stdout)
                seen = status(answer)
            except ValueError:
                return Judgement(False, wanted, (result.stdout + result.stderr)[:_SHOWN])
            observed, settle_s = f"{seen.state}/{seen.partner}", self.settle_s(failover, seen.state, seen.partner)
            return Judgement(observed == wanted, wanted, observed, settle_s)

        return judge

    def _runs_as(self, pair: Pair, me: MachinePlan) -> Judge:
        """Kea's status and configuration as the running daemon has them."""
        primary = me.name == pair.first.name
        role = "primary" if primary else self._second_role
        serving = me.name if primary or self.mode == HALVED else "nobody"
        expected = f"{self.mode}, {role}, serves {serving}, auto-failover {str(self.by_itself).lower()}"

        def judge(result: Result) -> Judgement:
            try:
                mine, config = answers(result.stdout)
                seen = status(mine)
                hooks = config["arguments"]["Dhcp4"]["hooks-libraries"]
                (ha,) = (hook["parameters"] for hook in hooks if "high-availability" in hook.get("parameters", {}))
                own = ha["high-availability"][0]["this-server-name"]  # a pair may call its servers otherwise
                autos = sorted({str(peer["auto-failover"]).lower() for peer in ha["high-availability"][0]["peers"]})
            except (ValueError, KeyError, IndexError, TypeError):
                return Judgement(False, expected, (result.stdout + result.stderr)[:_SHOWN])
            served = ", ".join(me.name if scope == own else scope for scope in seen.scopes) or "nobody"
            observed = f"{seen.mode}, {seen.role}, serves {served}, auto-failover {', '.join(autos)}"
            return Judgement(observed == expected, expected, observed)

        return judge

    def problems(self, spec: LabSpec, pool: AddressRange) -> Iterable[Problem]:
        """Refuse a split, silence that is no sign yet, and a pool whose half is too small."""
        failover, meant = spec.dhcp.failover, timers(spec.dhcp.failover)
        if failover.split is not None:
            yield (
                ("dhcp", "failover", "split"),
                f"{failover.split}: Kea has no split, its pools are shared out evenly",
            )
        if meant.silence_s <= meant.heartbeat_s:
            key = "heartbeat_s" if failover.max_response_delay_s is None else "max_response_delay_s"
            yield (
                ("dhcp", "failover", key),
                (
                    f"a partner would count as unreachable after {meant.silence_s} s, before its next heartbeat is "
                    f"due, after {meant.heartbeat_s} s"
                ),
            )
        count = len(spec.clients)
        if len(spec.servers) > 1 and self.mode == HALVED and count <= len(pool) and len(pool) // 2 < count:
            why = "each of Kea's servers leases one half, and its hash may give one of them all the clients"
            problem = f"{pool} has {len(pool)} addresses; needed: {2 * count}, or {count} with hot-standby: {why}"
            yield ("dhcp", "pool"), problem

    def read(self, peer: Peer, result: Result) -> PeerStatus:
        """Who has a scope serves it; a Kea that starts or ends does not answer."""
        try:
            (answer,) = answers(result.stdout)
            seen = status(answer)
        except ValueError:
            return PeerStatus(peer.name, peer.role, "silent", "", serving=False)
        return PeerStatus(peer.name, peer.role, seen.state, seen.partner, serving=bool(seen.scopes))

    def take_over(self, lab: RunningLab, pair: Pair, *, partner_lives: bool) -> None:
        """Silence the primary, where it can be told, and let the second server serve its scope.

        While Kea waits for a silent partner it keeps every ACK back, and when it gives up it sets its scopes anew: so
        that moment is waited for.
        """
        primary, second = (peer.name for peer in pair.peers)
        if lab.is_awake(primary):
            with suppress(MachineError, TransportError):  # its daemon is dead, or it just went away
                ask(lab, primary, "dhcp-disable", origin="user")  # it would take its scope back in partner-down
                ask(lab, primary, "ha-scopes", scopes=[])
        if not partner_lives:
            wait_until(
                f"Kea on {second} has given its partner up",
                lambda: self.status(lab, pair.second).state == "partner-down",
                within_s=_GIVES_UP_S + self.silence_s(lab.plan.dhcp.failover),
                every_s=0.1,
                resolution="labbuilder failover status shows both servers",
            )
        ask(lab, second, "ha-scopes", scopes=[primary])

    def give_back(self, lab: RunningLab, pair: Pair) -> None:
        """When both know the same leases, let the primary serve its scope."""
        primary, second = (peer.name for peer in pair.peers)
        self.await_well(lab, pair)
        ask(lab, second, "ha-scopes", scopes=[])
        ask(lab, primary, "ha-scopes", scopes=[primary])
        ask(lab, primary, "dhcp-enable", origin="user")

    def say_partner_down(self, lab: RunningLab, machine: str) -> None:
        """It is what Kea calls maintenance."""
        ask(lab, machine, "ha-maintenance-start")

    def notice(self) -> str:
        """Return what was said when it was made."""
        return self._notice

    def silence_s(self, failover: Failover) -> int:
        """Return max-response-delay."""
        return timers(failover).silence_s

    def finds_out_within_s(self, failover: Failover, *, silent: bool) -> float:
        """Kea waits until it is unheard and clients wait in vain, and acts at its next heartbeat."""
        meant = timers(failover)
        return max(_HTTP_S if silent else 0.0, meant.silence_s) + meant.ack_s - 1 + meant.heartbeat_s


def _server(me: MachinePlan, files: Result) -> Server:
    from labbuilder.lint.kea_peer import read  # noqa: PLC0415  who verifies no Kea needs no parser

    return read(config_of(me.name, CONF, files.stdout))


def _hosts(server: Server) -> str:
    urls = [member.values.get("url", "") for relation in server.relations for member in relation.members]
    return " ".join(urlsplit(url).hostname or url for url in urls)


def _nics(me: MachinePlan, files: Result) -> str:
    from labbuilder.lint.kea import parse  # noqa: PLC0415

    server = parse(config_of(me.name, CONF, files.stdout)).root.get("Dhcp4")
    listened = server.get("interfaces-config") if server else None
    named = listened.items("interfaces") if listened else ()
    return " ".join(str(value.data).partition("/")[0] for value in named)


def ask(lab: RunningLab, machine: str, command: str, **arguments: Any) -> dict[str, Any]:
    """Tell Kea a command and return its answer's arguments.

    Raises:
        MachineError: Kea did not answer, or refused.
    """
    result = lab.shell(machine).run(tell(command, **arguments))
    try:
        (answer,) = answers(result.stdout)
        refused = answer["result"] != 0
    except (ValueError, KeyError) as error:
        raise MachineError(
            brief=f"Kea on {machine} does not answer on its control socket",
            details=result.stdout + result.stderr,
            resolution=f"labbuilder logs {machine} {UNIT} shows why",
        ) from error
    if refused:
        raise MachineError(brief=f"Kea on {machine} refuses {command}", details=answer.get("text"))
    found: dict[str, Any] = answer.get("arguments", {})
    return found
