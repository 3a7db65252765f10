"""The checks of a pair that every engine has: the two configurations, clocks, and the way between the two."""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.errors import LintError
from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Pair, Plan
from labbuilder.services.dhcp.base import Engine
from labbuilder.services.dhcp.config_files import config_of, files_beside
from labbuilder.services.judges import says, shown

STATUS = "labbuilder failover status --lab {}"
_SKEW_S = 5.0  # dhcpd refuses a partner that is 60 s off, Kea warns at 30 s and stops at 60: seen long before
_DAY_S = 86400


def fits(engine: Engine, lab: Plan, pair: Pair) -> Iterator[Check]:
    """Return what must be true of the two servers together; each is asked once, from the first one."""
    files = files_beside(engine.conf)
    title = "the lint finds no error between the two configurations"
    others = ((pair.second.name, files),)
    look, rests_on = f"cat {engine.conf}", ("files", f"{pair.second.name}:files")
    judge = _no_error(engine, lab, pair)
    yield Check("failover.lint", pair.first.name, title, files, judge, others, look=look, rests_on=rests_on)
    now = "date +%s"
    stamps = f"{now}; ping -c 1 -W 1 -T tsonly {pair.second.address} | awk '/^TS:/ {{getline; print $1}}'"
    title = "the two servers' clocks agree"
    yield Check("clocks", pair.first.name, title, stamps, _agree(_SKEW_S), ((pair.second.name, now),), look="date")


def connected(engine: Engine, lab: Plan, pair: Pair, me: MachinePlan) -> Check:
    """Return the check that the failover connection is there, or is made again as it is by who finds back.

    Its two ends are the daemons': whoever else is connected to one of them for a moment is no partner.
    """
    port, partner = pair.port, pair.partner(me.name).name
    ends = f"ss -Htnp state established '( sport = :{port} or dport = :{port} )'"
    title, settle_s = f"connected to the partner on TCP {port}", engine.longest_settle_s(lab.dhcp.failover)
    others = ((partner, ends),)
    judge, look = _connected(engine.program), f"ss -tnp 'sport = :{port} or dport = :{port}'"
    rests_on = meets(engine, pair, me)
    return Check("failover.port", me.name, title, ends, judge, others, settle_s=settle_s, look=look, rests_on=rests_on)


def meets(engine: Engine, pair: Pair, me: MachinePlan) -> tuple[str, ...]:
    """Return what must be so on both sides before two daemons can meet."""
    needed = (f"{engine.unit}.active", "firewall", "address.internal")
    return *needed, *(f"{pair.partner(me.name).name}:{check}" for check in needed)


def opened(engine: Engine, pair: Pair, me: MachinePlan) -> Check:
    """Return the check that a new connection could be made: the old one outlives a new firewall rule for minutes.

    From a port as the daemon's own would have. It is closed at once.
    """
    partner, port = pair.partner(me.name).address, pair.port
    probe = f"nc -vz -w 1 {partner} {port} 2>&1 | grep -oE 'succeeded|refused|timed out|unreachable'"
    title = f"no firewall closes TCP {port} to the partner"
    return Check(
        "failover.open",
        me.name,
        title,
        probe,
        says("succeeded"),
        look=f"nc -vz {partner} {port}",
        rests_on=meets(engine, pair, me),
    )


def _connected(program: str) -> Judge:
    """A connection that both see, from the one's daemon to the other's."""

    def ends(result: Result) -> set[tuple[str, str]]:
        rows = [row.split() for row in result.stdout.splitlines() if f'("{program}",' in row]
        return {(row[2], row[3]) for row in rows}

    def judge(mine: Result, partners: Result) -> Judgement:
        there = {(local, remote) for remote, local in ends(partners)}
        seen = "connected" if ends(mine) & there else shown(mine)
        return Judgement(seen == "connected", "connected", seen)

    return judge


def _no_error(engine: Engine, lab: Plan, pair: Pair) -> Judge:
    def judge(*printed: Result) -> Judgement:
        # Who verifies no pair needs no parser: 0.04 s.
        from labbuilder.lint import Severity, lint_pair  # noqa: PLC0415
        from labbuilder.lint.versions import of_suite  # noqa: PLC0415

        wanted = "no error"
        try:
            sides = [
                config_of(peer.name, engine.conf, result.stdout)
                for peer, result in zip(pair.peers, printed, strict=True)
            ]
            release = of_suite(lab.image.suite)
            findings = lint_pair(*sides, clients=len(lab.clients), cold_standby=engine.cold, engine_version=release)
        except LintError as error:
            return Judgement(False, wanted, "\n".join(filter(None, (error.brief, error.details))))
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        lines = [f"{f.where}: {f.what}\n  why: {f.why}\n  mend: {f.mend}" for f in errors]
        return Judgement(not errors, wanted, "\n".join(lines) or wanted)

    return judge


def _agree(limit_s: float) -> Judge:
    """How far the partner's clock is ahead: ping tells the milliseconds within a day, the dates which day it is."""

    def judge(mine: Result, partners: Result) -> Judgement:
        expected = f"less than {limit_s:g} s apart"
        here, *ahead_ms = mine.stdout.split()
        ahead_s = float(partners.stdout) - float(here)  # to a second or so: the two were asked at about the same time
        if ahead_ms:  # some firewalls drop ping
            within_a_day = int(ahead_ms[0]) / 1000
            ahead_s = within_a_day + _DAY_S * round((ahead_s - within_a_day) / _DAY_S)
        return Judgement(abs(ahead_s) < limit_s, expected, f"{abs(ahead_s):g} s apart")

    return judge
