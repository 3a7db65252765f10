"""The checks of a pair as a whole: the two configurations against each other, clocks, the way between, the shares."""

from __future__ import annotations

import json
from collections.abc import Iterator

from labbuilder.errors import LintError
from labbuilder.host.run import Result
from labbuilder.plan.dhcp_isc import CONF as ISC_CONF
from labbuilder.plan.dhcp_kea import CONF as KEA_CONF
from labbuilder.plan.dhcp_kea import ha_mode
from labbuilder.plan.probes import KEA, OMAPI_STATE
from labbuilder.plan.services import FAILOVER_PORTS
from labbuilder.spec.failover import BUCKETS, Failover
from labbuilder.spec.models import LabSpec
from labbuilder.verify.files import config_of, files_beside
from labbuilder.verify.judges import Judge, says
from labbuilder.verify.model import Check, Judgement

PROBE_PORTS = range(61001, 65536)  # over what Linux gives out by itself (ip_local_port_range ends at 60999)
_SKEW_S = 5.0  # dhcpd refuses a partner that is 60 s off, Kea warns at 30 s and stops at 60: seen long before
_DAY_S = 86400
_SHOWN = 300


def pair_checks(spec: LabSpec) -> Iterator[Check]:
    """What must be true of the two servers together; each is asked once, from the first one."""
    first, second = (server.name for server in spec.servers)
    failover = spec.dhcp.failover
    conf = ISC_CONF if failover.engine == "isc" else KEA_CONF
    files = files_beside(conf)
    title = "the lint finds no error between the two configurations"
    yield Check("failover.lint", first, title, files, _fits(spec, conf), ((second, files),))
    now = "date +%s"
    stamps = f"{now}; ping -c 1 -W 1 -T tsonly {spec.internal_address(1).ip} | awk '/^TS:/ {{getline; print $1}}'"
    yield Check("clocks", first, "the two servers' clocks agree", stamps, _agree(_SKEW_S), ((second, now),))


def running_checks(spec: LabSpec, index: int) -> Iterator[Check]:
    """What must be true on each server of a pair whose daemons both run."""
    failover = spec.dhcp.failover
    name, peer, port = spec.servers[index].name, spec.internal_address(1 - index).ip, FAILOVER_PORTS[failover.engine]
    # A connection that is made and closed at once: the established one would outlive a new firewall rule for minutes.
    # From a port of its own range, by which failover.port tells it from the partner's; one in TIME-WAIT can't be bound.
    probe = f"nc -vz -w 1 -p $source {peer} {port} 2>&1 | grep -oE 'succeeded|refused|timed out|unreachable' && break"
    opened = f"for source in $(shuf -n 5 -i {PROBE_PORTS.start}-{PROBE_PORTS.stop - 1}); do {probe}; done"
    title = f"no firewall closes TCP {port} to the partner"
    yield Check("failover.open", name, title, opened, says("succeeded"))
    if failover.engine == "isc":
        state = _dhcpd_state(failover)
        asked = f"{OMAPI_STATE} | sed -nE 's/^({'|'.join(state)}) = /\\1 /p' | LC_ALL=C sort"
        title = "dhcpd shares the clients out (load-balance-hba) and waits as the spec says"
        yield Check("failover.share", name, title, asked, says(" ".join(f"{key} {state[key]}" for key in state)))
    else:
        asked = "; ".join(f'echo \'{{"command": "{word}"}}\' | {KEA}' for word in ("status-get", "config-get"))
        title = "Kea runs in the mode of the spec, and serves its share"
        yield Check("failover.share", name, title, asked, _runs_as(spec, index))


def _fits(spec: LabSpec, conf: str) -> Judge:
    names = [server.name for server in spec.servers]

    def judge(*said: Result) -> Judgement:
        # Who verifies no pair needs no parser: 0.04 s.
        from labbuilder.lint import Severity, lint_pair  # noqa: PLC0415
        from labbuilder.lint.versions import of_suite  # noqa: PLC0415

        wanted = "no error"
        try:
            a, b = (config_of(name, conf, result.stdout) for name, result in zip(names, said, strict=True))
            cold = spec.dhcp.failover.cold_standby
            found = lint_pair(a, b, clients=len(spec.clients), cold_standby=cold, engine_version=of_suite(spec.suite))
        except LintError as error:
            return Judgement(False, wanted, "\n".join(filter(None, (error.brief, error.details))))
        errors = [finding for finding in found if finding.severity is Severity.ERROR]
        told = [f"{f.where}: {f.what}\n  why: {f.why}\n  mend: {f.mend}" for f in errors]
        return Judgement(not errors, wanted, "\n".join(told) or wanted)

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


def _dhcpd_state(failover: Failover) -> dict[str, str]:
    """The failover peer as OMAPI shows it: of the running dhcpd, which may have read another file."""
    numbers = {
        "load-balance-max-secs": failover.load_balance_max_s,
        "max-response-delay": failover.silence_s,
        "mclt": failover.mclt_s,
    }
    return {"load-balance-hba": _hash_buckets(failover)} | {
        name: number.to_bytes(4).hex(":") for name, number in numbers.items()
    }


def _hash_buckets(failover: Failover) -> str:
    """The primary's hash buckets as OMAPI shows them: a bit each, the lowest first."""
    if failover.mode == "round-robin":
        return ":".join(["aa"] * (BUCKETS // 8))
    bits = (1 << failover.primary_buckets) - 1
    return ":".join(f"{byte:02x}" for byte in bits.to_bytes(BUCKETS // 8, "little"))


def _runs_as(spec: LabSpec, index: int) -> Judge:
    """Kea's status and configuration as the running daemon has them."""
    mode, names = ha_mode(spec), [server.name for server in spec.servers]
    balanced = mode == "load-balancing"
    role = ("primary", "secondary" if balanced else "standby")[index]
    serves = names[index] if balanced or index == 0 else "nobody"
    auto = str(spec.dhcp.failover.mode != "manual").lower()
    expected = f"{mode}, {role}, serves {serves}, auto-failover {auto}"

    def judge(result: Result) -> Judgement:
        try:
            status, end = json.JSONDecoder().raw_decode(result.stdout)
            config = json.loads(result.stdout[end:])
            pair = status["arguments"]["high-availability"][0]
            hooks = config["arguments"]["Dhcp4"]["hooks-libraries"]
            (ha,) = (hook["parameters"] for hook in hooks if "high-availability" in hook.get("parameters", {}))
            autos = sorted({str(peer["auto-failover"]).lower() for peer in ha["high-availability"][0]["peers"]})
        except (ValueError, KeyError, IndexError, TypeError):
            return Judgement(False, expected, (result.stdout + result.stderr)[:_SHOWN])
        local = pair["ha-servers"]["local"]
        served = ", ".join(local["scopes"]) or "nobody"
        observed = f"{pair['ha-mode']}, {local['role']}, serves {served}, auto-failover {', '.join(autos)}"
        return Judgement(observed == expected, expected, observed)

    return judge
