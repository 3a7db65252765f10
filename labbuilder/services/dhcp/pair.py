"""The checks of a pair that every engine has: the two configurations, clocks, and the way between the two."""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.errors import LintError
from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Pair, Plan
from labbuilder.services.dhcp.base import Engine
from labbuilder.services.dhcp.config_files import config_of, files_beside
from labbuilder.services.judges import says

PROBE_PORTS = range(61001, 65536)  # over what Linux gives out by itself (ip_local_port_range ends at 60999)
_SKEW_S = 5.0  # dhcpd refuses a partner that is 60 s off, Kea warns at 30 s and stops at 60: seen long before
_DAY_S = 86400


def fits(engine: Engine, lab: Plan, pair: Pair) -> Iterator[Check]:
    """Return what must be true of the two servers together; each is asked once, from the first one."""
    files = files_beside(engine.conf)
    title = "the lint finds no error between the two configurations"
    others = ((pair.second.name, files),)
    yield Check("failover.lint", pair.first.name, title, files, _no_error(engine, lab, pair), others)
    now = "date +%s"
    stamps = f"{now}; ping -c 1 -W 1 -T tsonly {pair.second.address} | awk '/^TS:/ {{getline; print $1}}'"
    title = "the two servers' clocks agree"
    yield Check("clocks", pair.first.name, title, stamps, _agree(_SKEW_S), ((pair.second.name, now),))


def connected(engine: Engine, lab: Plan, pair: Pair, me: MachinePlan) -> Check:
    """Return the check that the failover connection is there, or is made again as it is by who finds back."""
    partner, port, probes = pair.partner(me.name).address, pair.port, PROBE_PORTS.start
    theirs = f"( sport = :{port} or dport = :{port} ) and sport < :{probes} and dport < :{probes}"
    ends = f"ss -Htn state established '( {theirs} )' dst {partner} | grep -q . && echo connected"
    title, settle_s = f"connected to the partner on TCP {port}", engine.longest_settle_s(lab.dhcp.failover)
    return Check("failover.port", me.name, title, ends, says("connected"), settle_s=settle_s)


def opened(pair: Pair, me: MachinePlan) -> Check:
    """Return the check that a new connection could be made: the old one outlives a new firewall rule for minutes.

    It is closed at once. From a port of its own range, by which `connected` tells it from the partner's; one in
    TIME-WAIT can't be bound.
    """
    partner, port = pair.partner(me.name).address, pair.port
    probe = (
        f"nc -vz -w 1 -p $source {partner} {port} 2>&1 | grep -oE 'succeeded|refused|timed out|unreachable' && break"
    )
    tries = f"for source in $(shuf -n 5 -i {PROBE_PORTS.start}-{PROBE_PORTS.stop - 1}); do {probe}; done"
    title = f"no firewall closes TCP {port} to the partner"
    return Check("failover.open", me.name, title, tries, says("succeeded"))


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
