"""isc-dhcp-server, alone or in failover (dhcpd.conf(5), "CONFIGURING FAILOVER")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from labbuilder.errors import LintError, MachineError
from labbuilder.host.render import render
from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Pair, Peer, Plan
from labbuilder.model.running import RunningLab
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services.dhcp import omapi
from labbuilder.services.dhcp.base import SETTLE_S, Engine, PeerStatus, leases_kept, listens, serves, values
from labbuilder.services.dhcp.config_files import config_of, files_beside, means, pools
from labbuilder.services.dhcp.pair import STATUS, connected, fits, meets, opened
from labbuilder.services.judges import says
from labbuilder.services.newcomer import LATE, Wish
from labbuilder.services.systemd import ENABLE, RELOAD, RESTART, off
from labbuilder.spec.base import Problem
from labbuilder.spec.failover import BUCKETS, Failover
from labbuilder.spec.models import AddressRange, LabSpec

if TYPE_CHECKING:
    from labbuilder.lint.model import Peer as Server

UNIT = omapi.UNIT
CONF = "/etc/dhcp/dhcpd.conf"
LEASES = PurePosixPath("/var/lib/dhcp/dhcpd.leases")
FAILOVER_PORT = 647  # IANA's
_DEFAULTS = "/etc/default/isc-dhcp-server"
_LOOK = f"cat {CONF}"
_SILENCE_S = {"quick": 5, "engine": 60}  # the second from the example of dhcpd.conf(5), which has no default


class Dhcpd(Engine):
    """dhcpd by itself, and what it has in common with one in a pair."""

    name, unit, program, conf, leases = "isc", UNIT, "dhcpd", CONF, LEASES
    heeds = frozenset({"mclt_s", "split", "max_response_delay_s", "load_balance_max_s"})
    good = frozenset({"normal"})
    alone = taken_over = frozenset({"communications-interrupted", "partner-down"})
    interrupted = frozenset({"communications-interrupted"})
    port = FAILOVER_PORT
    well = ("normal", "normal")
    asks = omapi.failover_state()

    def steps(self, lab: Plan, me: MachinePlan) -> Iterator[Step]:
        """Return dhcpd's configuration and, in a pair, the wait for both peers."""
        if lab.pair is None:
            yield self.serving(files(lab, me))
            return
        primary = lab.pair.first.name
        yield self.serving(
            files(lab, me, role=lab.pair.peer(me.name).role),
            own=(RenderedFile(omapi.CONF, render("omapi.conf"), 0o600),),
            prepare=omapi.MAKE_KEY,
            also=f"{listens(FAILOVER_PORT)} && {omapi.HAS_KEY} && ",
            after=() if me.name == primary else (f"{primary}:dhcp",),
        )
        yield Step(
            name="failover",
            title="DHCP failover, both peers normal",
            holds=omapi.BOTH_NORMAL,
            apply="true",
            settle_s=SETTLE_S + min(lab.dhcp.failover.mclt_s, SETTLE_S),  # who lost its leases waits for the MCLT
            # Two dhcpd that missed each other try again only after 5 s.
            nudge=None if me.name == primary else RESTART.format(UNIT),
            after=tuple(f"{peer.name}:dhcp" for peer in lab.pair.peers),
            awaits=True,
        )

    def serving(
        self,
        files: tuple[RenderedFile, ...],
        *,
        own: tuple[RenderedFile, ...] = (),
        prepare: str = "true",
        also: str = "true && ",
        fence: str = "",
        after: tuple[str, ...] = (),
    ) -> Step:
        """Return the step that makes dhcpd serve.

        Args:
            files: All its files.
            own: What the machine makes by itself.
            prepare: Makes that.
            also: What must hold beside, with its "&&".
            fence: Where this file is, it holds and is left alone.
            after: What must be in effect before.
        """
        unless, unfenced = (f" || [ -e {fence} ]", f"[ -e {fence} ] || ") if fence else ("", "")
        return Step(
            name="dhcp",
            title="DHCP server (isc-dhcp-server)",
            files=files,
            own=own,
            prepare=prepare,
            validate=((CONF, "dhcpd -4 -t -cf {new}"),),
            holds=f"systemctl -q is-active {UNIT} && systemctl -q is-enabled {UNIT} && [ -w {LEASES} ] && {also}"
            f"! {' && ! '.join(f'systemctl -q is-active {unit}' for unit in self.others)}{unless}",
            apply=f"{off(*self.others)}; {ENABLE} {UNIT}; {RELOAD.format(UNIT)}; "
            f"{unfenced}{{ {RESTART.format(UNIT)}; }}",
            after=after,
            units=(f"{UNIT}.service",),
            clears=leases_kept(self),
        )

    def checks(self, lab: Plan, me: MachinePlan) -> Iterator[Check]:
        """Return the checks of the files and the daemon and, in a pair, of the failover."""
        yield from of_files(lab, me)
        yield from serves(self, lab, me, syntax="dhcpd.syntax")
        if lab.pair is not None:
            yield from self._failover_checks(lab, lab.pair, me)
            yield pool_check(lab, me)
            yield from fits(self, lab, lab.pair) if me.name == lab.pair.first.name else ()

    def _failover_checks(self, lab: Plan, pair: Pair, me: MachinePlan) -> Iterator[Check]:
        failover, asked = lab.dhcp.failover, omapi.failover_state(within_s=omapi.PATIENT_S)

        def both_normal(result: Result) -> Judgement:
            state = omapi.parse(result.stdout)
            seen, settle_s = f"{state.local}/{state.partner}", self.settle_s(failover, state.local, state.partner)
            return Judgement(seen == "normal/normal", "normal/normal", seen, settle_s)

        yield Check(
            "failover",
            me.name,
            "failover: both peers normal",
            asked,
            both_normal,
            look=STATUS.format(lab.lab),
            rests_on=meets(self, pair, me),
        )
        addresses = f"{pair.peer(me.name).address} {pair.partner(me.name).address}"
        yield Check(
            "failover.mirror",
            me.name,
            "failover addresses are mirrored",
            files_beside(CONF),
            means(addresses, lambda files: _addresses(_peer(me, files))),
            look=_LOOK,
            rests_on=("files",),
        )
        yield connected(self, lab, pair, me)
        yield opened(self, pair, me)
        title = "dhcpd shares the clients out (load-balance-hba) and waits as the spec says"
        yield Check(
            "failover.share",
            me.name,
            title,
            asked,
            _says_of_itself(me, _shares(failover)),
            others=((me.name, files_beside(CONF)),),
            look=_LOOK,
            rests_on=(f"{UNIT}.active",),
        )

    def problems(self, spec: LabSpec, pool: AddressRange) -> Iterable[Problem]:
        """Refuse a split where there is nothing to split, and a lease that is shorter than the first."""
        del pool
        failover = spec.dhcp.failover
        yield from split_problems(failover)
        if len(spec.servers) > 1 and spec.dhcp.default_lease_s < failover.mclt_s:
            yield (
                ("dhcp", "default_lease_s"),
                f"{spec.dhcp.default_lease_s} is shorter than the MCLT, {failover.mclt_s} (dhcp.failover.mclt_s)",
            )

    def read(self, peer: Peer, result: Result) -> PeerStatus:
        """By OMAPI; a dhcpd that starts or ends does not answer."""
        state = omapi.parse(result.stdout)
        serving = state.local in self.good | self.alone
        return PeerStatus(peer.name, peer.role, state.local or "silent", state.partner, serving=serving)

    def take_over(self, lab: RunningLab, pair: Pair, *, partner_lives: bool) -> None:
        """Nothing is left to do: dhcpd in failover takes over by itself."""
        del lab, pair, partner_lives

    def give_back(self, lab: RunningLab, pair: Pair) -> None:
        """Nothing is left to do: it finds back by itself."""
        del lab, pair

    def say_partner_down(self, lab: RunningLab, machine: str) -> None:
        """Set local-state by OMAPI and read it back: omshell's exit status tells nothing.

        Raises:
            MachineError: It did not stay.
        """
        tell = omapi.failover_state(f"set local-state = {omapi.PARTNER_DOWN}", "update")
        result = lab.shell(machine).run(f"{tell} >/dev/null; {omapi.failover_state()}")
        if not omapi.parse(result.stdout).attributes:
            raise MachineError(
                brief=f"dhcpd on {machine} can't be told anything: it does not answer on OMAPI",
                details=result.stderr,
                resolution=f"give it a key and `omapi-port`, as our own {CONF} does by its include; then restart it",
            )
        if omapi.parse(result.stdout).local != omapi.STATES[omapi.PARTNER_DOWN]:
            raise MachineError(
                brief=f"dhcpd on {machine} did not stay in partner-down",
                details="While its partner is connected, the two find back to normal at once.\n"
                f"{result.stdout}{result.stderr}",
                resolution="stop dhcpd on the partner, or its machine, and say it again",
            )

    def silence_s(self, failover: Failover) -> int:
        """Return max-response-delay."""
        return silence_s(failover)

    def finds_out_within_s(self, failover: Failover, *, silent: bool) -> float:
        """A RST is noticed at once."""
        return self.silence_s(failover) if silent else 1.0

    def shortest_lease_s(self, lab: Plan) -> int:
        """A client's first lease from a pair is the MCLT."""
        longest = lab.dhcp.default_lease_s
        return min(lab.dhcp.failover.mclt_s, longest) if lab.pair else longest

    def by_hash(self, lab: Plan) -> tuple[str, str]:
        """The primary has the first buckets."""
        if lab.pair is None:
            return super().by_hash(lab)
        first, second, buckets = lab.pair.first.name, lab.pair.second.name, primary_buckets(lab.dhcp.failover)
        return first if buckets else second, first if buckets == BUCKETS else second

    def wishes(self, lab: Plan) -> tuple[Wish, ...]:
        """Whoever has asked for longer than `load balance max seconds` is answered by both."""
        if lab.pair is None:
            return super().wishes(lab)
        everybody = tuple(peer.name for peer in lab.pair.peers)
        late = Wish("late", LATE, everybody, secs=lab.dhcp.failover.load_balance_max_s + 1, takes="nothing")
        return *super().wishes(lab), late


class RoundRobin(Dhcpd):
    """Every other bucket of the hash for each server."""

    def by_hash(self, lab: Plan) -> tuple[str, str]:
        """The primary has the second of each two."""
        low, high = super().by_hash(lab)
        return high, low

    def notice(self) -> str:
        """Say what it is not."""
        return (
            "round-robin: no DHCP server rotates by request; dhcpd gives each server every other hash bucket: "
            "an even share, and a client stays with its server"
        )


def dhcpd_unit() -> RenderedFile:
    """Return the native unit of isc-dhcp-server: the generated one sleeps at each start and restarts nothing."""
    return RenderedFile("/etc/systemd/system/isc-dhcp-server.service", render("isc-dhcp-server.service", leases=LEASES))


def files(lab: Plan, me: MachinePlan, *, role: str = "", cold: bool = False) -> tuple[RenderedFile, ...]:
    """Return dhcpd's files.

    Args:
        lab: The lab.
        me: The server.
        role: Of a failover peer: primary or secondary.
        cold: Leases are copied between the servers.
    """
    failover = lab.dhcp.failover
    variables = values(lab, me) | {
        "role": role,
        "cold_standby": cold,
        "port": FAILOVER_PORT,
        "silence_s": _SILENCE_S[failover.timers]
        if failover.max_response_delay_s is None
        else failover.max_response_delay_s,
        "buckets": primary_buckets(failover),
        "every_other": BUCKETS // 8,
    }
    return (
        RenderedFile(CONF, render("dhcpd.conf", **variables)),
        RenderedFile(_DEFAULTS, render("isc-dhcp-server.default", **variables)),
        dhcpd_unit(),
    )


def of_files(lab: Plan, me: MachinePlan) -> Iterator[Check]:
    """Return the checks of what the next start goes by."""
    test = f"dhcpd -4 -t -cf {CONF}"
    syntax = f"said=$({test} 2>&1); c=$?; echo \"$said\" | grep -iE 'line|error|warn'; exit $c"
    yield Check("dhcpd.syntax", me.name, f"dhcpd -t -cf {CONF}", syntax, says(""), look=test, rests_on=("files",))
    named = f". {_DEFAULTS} && echo $INTERFACESv4"
    title = f"{_DEFAULTS} names the NIC"
    yield Check(
        "dhcpd.nic",
        me.name,
        title,
        named,
        says(me.nic(lab.served.name).name),
        look=f"cat {_DEFAULTS}",
        rests_on=("files",),
    )


def pool_check(lab: Plan, me: MachinePlan) -> Check:
    """Return the check that both servers have the same pool."""
    title = "the pool is the same on both"
    return Check(
        "failover.pool",
        me.name,
        title,
        files_beside(CONF),
        means(str(lab.pool), lambda files: pools(_peer(me, files))),
        look=_LOOK,
        rests_on=("files",),
    )


def split_problems(failover: Failover) -> Iterator[Problem]:
    """Refuse a split in all modes but one."""
    if failover.split is not None and failover.mode != "load-balancing":
        yield (
            ("dhcp", "failover", "split"),
            f"{failover.split} with {failover.mode}; allowed: split with load-balancing alone",
        )


def silence_s(failover: Failover) -> int:
    """Return max-response-delay."""
    return failover.max_response_delay_s or _SILENCE_S[failover.timers]


def primary_buckets(failover: Failover) -> int:
    """Return ISC's split: in hot standby all 256 buckets are the primary's."""
    if failover.split is not None:
        return failover.split
    return BUCKETS if failover.mode == "hot-standby" else BUCKETS // 2


def _shares(failover: Failover) -> dict[str, str]:
    """Return the failover peer as OMAPI shows it: of the running dhcpd, which may have read another file."""
    numbers = {
        "load-balance-max-secs": failover.load_balance_max_s,
        "max-response-delay": silence_s(failover),
        "mclt": failover.mclt_s,
    }
    shares = {name: number.to_bytes(4).hex(":") for name, number in numbers.items()}
    return {"load-balance-hba": _hash_buckets(failover)} | shares


def _hash_buckets(failover: Failover) -> str:
    """Return the primary's hash buckets as OMAPI shows them: a bit each, the lowest first."""
    if failover.mode == "round-robin":
        return ":".join(["aa"] * (BUCKETS // 8))
    return _buckets(primary_buckets(failover))


def _buckets(count: int) -> str:
    bits = (1 << count) - 1
    return ":".join(f"{byte:02x}" for byte in bits.to_bytes(BUCKETS // 8, "little"))


def _says_of_itself(me: MachinePlan, wanted: Mapping[str, str]) -> Judge:
    """By OMAPI; of a dhcpd that has none, what its file says: the secondary's says nothing of MCLT and split."""

    def judge(result: Result, files: Result) -> Judgement:
        attributes, names = omapi.parse(result.stdout).attributes, wanted
        if "mclt" not in attributes:
            try:
                attributes = _said_by_file(_peer(me, files))
            except LintError:  # the lint tells of it
                attributes = {}
            names = {name: value for name, value in wanted.items() if name in attributes} or wanted
        expected = " ".join(f"{name} {names[name]}" for name in names)
        observed = " ".join(f"{name} {attributes[name]}" for name in names if name in attributes)
        return Judgement(observed == expected, expected, observed)

    return judge


def _peer(me: MachinePlan, files: Result) -> Server:
    from labbuilder.lint.dhcpd_peer import read  # noqa: PLC0415  who verifies no dhcpd needs no parser

    return read(config_of(me.name, CONF, files.stdout))


def _addresses(server: Server) -> str:
    own = [relation.get(key) or "" for relation in server.relations for key in ("address", "peer address")]
    return " ".join(own)


def _said_by_file(server: Server) -> dict[str, str]:
    """A relation by the names that OMAPI has for what it says."""
    names = {
        "load balance max seconds": "load-balance-max-secs",
        "max-response-delay": "max-response-delay",
        "mclt": "mclt",
    }
    found = {}
    for relation in server.relations:
        if (split := relation.get("split")) is not None:
            found["load-balance-hba"] = _buckets(int(split))
        elif (hba := relation.get("hba")) is not None:
            found["load-balance-hba"] = ":".join(f"{int(byte, 16):02x}" for byte in hba.split(":"))
        said = {names[key]: relation.get(key) for key in names}
        found |= {name: int(value).to_bytes(4).hex(":") for name, value in said.items() if value is not None}
    return found
