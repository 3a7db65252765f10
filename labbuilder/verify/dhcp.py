"""The checks of DHCP and its failover on a server, for each engine and mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from labbuilder.plan.dhcp_isc import ACTIVE_LEASES
from labbuilder.plan.dhcp_isc import CONF as ISC_CONF
from labbuilder.plan.dhcp_isc import UNIT as ISC_UNIT
from labbuilder.plan.dhcp_kea import CONF as KEA_CONF
from labbuilder.plan.dhcp_kea import UNIT as KEA_UNIT
from labbuilder.plan.dhcp_kea import ha_mode, pools
from labbuilder.plan.model import MachinePlan
from labbuilder.plan.probes import FAILOVER_STATES
from labbuilder.plan.services import FAILOVER_PORTS
from labbuilder.spec.models import LabSpec
from labbuilder.verify.judges import Judge, same_lines, says
from labbuilder.verify.kea import running_check
from labbuilder.verify.model import Check
from labbuilder.verify.pair import PROBE_PORTS, pair_checks, running_checks

_COPIED_WITHIN_S = 3.0  # measured: 0.1 s after a lease has changed

_Maker = Callable[[str, str, str, Judge], Check]


def dhcp_checks(spec: LabSpec, server: MachinePlan, index: int) -> Iterator[Check]:
    """What must be true of DHCP on this server."""

    def check(name: str, title: str, command: str, judge: Judge) -> Check:
        return Check(name, server.name, title, command, judge)

    failover, pair = spec.dhcp.failover, len(spec.servers) > 1
    waiting = pair and failover.cold_standby and index == 1
    unit = ISC_UNIT if failover.engine == "isc" else KEA_UNIT
    nic = server.nic("internal").name
    yield from _isc_files(check, nic) if failover.engine == "isc" else _kea_files(check, nic)
    if waiting:
        state = f"systemctl is-active {unit}; systemctl is-enabled {unit}; true"
        yield check(
            "standby.off",
            "the second server's DHCP is off (after a takeover: labbuilder failover giveback)",
            state,
            says("inactive disabled"),
        )
    else:
        program = {"isc": "dhcpd", "kea": "kea-dhcp4"}[failover.engine]
        living = f"eval $(systemctl show -p ActiveState,MainPID {unit}); echo $ActiveState; cat /proc/$MainPID/comm"
        yield check(f"{unit}.active", f"{unit} is active", living, says(f"active {program}"))
        yield check(f"{unit}.enabled", f"{unit} is enabled", f"systemctl is-enabled {unit}", says("enabled"))
        yield check("dhcp.listens", "DHCP is served on port 67", "ss -Hlun 'sport = :67' | wc -l", says("1"))
        if failover.engine == "kea":
            yield running_check(server.name)
    if pair and failover.cold_standby:
        yield from _standby(check, index)
        if index == 0:
            yield _copied(spec)
    elif pair:
        yield from _pair(check, spec, index)
        yield from running_checks(spec, index)
    if pair:
        yield from _pool(check, spec)
        yield from pair_checks(spec) if index == 0 else ()


def _isc_files(check: _Maker, nic: str) -> Iterator[Check]:
    test = f"dhcpd -4 -t -cf {ISC_CONF}"
    syntax = f"said=$({test} 2>&1); c=$?; echo \"$said\" | grep -iE 'line|error|warn'; exit $c"
    yield check("dhcpd.syntax", f"dhcpd -t -cf {ISC_CONF}", syntax, says(""))
    default = ". /etc/default/isc-dhcp-server && echo $INTERFACESv4"
    yield check("dhcpd.nic", "/etc/default/isc-dhcp-server names the NIC", default, says(nic))


def _kea_files(check: _Maker, nic: str) -> Iterator[Check]:
    syntax = f"kea-dhcp4 -t {KEA_CONF} 2>&1 | grep -iE 'error|fail|invalid'; true"
    yield check("kea.syntax", f"kea-dhcp4 -t {KEA_CONF}", syntax, says(""))
    named = f'sed -n \'s/^ *"interfaces": \\["\\(.*\\)"\\],/\\1/p\' {KEA_CONF}'
    yield check("kea.nic", "Kea serves on the internal NIC", named, says(nic))


def _pair(check: _Maker, spec: LabSpec, index: int) -> Iterator[Check]:
    engine = spec.dhcp.failover.engine
    well = "normal" if engine == "isc" else ha_mode(spec)
    yield check("failover", f"failover: both peers {well}", FAILOVER_STATES[engine], says(f"{well}/{well}"))
    me, peer = (spec.internal_address(i).ip for i in (index, 1 - index))
    if engine == "isc":
        mirrored = f"awk '/^\\t(peer )?address/ {{print $NF}}' {ISC_CONF} | tr -d ';'"
        yield check("failover.mirror", "failover addresses are mirrored", mirrored, says(f"{me} {peer}"))
    else:
        urls = f'sed -n \'s,.*"url": "http://\\([0-9.]*\\):.*,\\1,p\' {KEA_CONF}'
        both = " ".join(str(spec.internal_address(i).ip) for i in range(2))
        yield check("failover.mirror", "both peers name the same two addresses", urls, says(both))
    port, probes = FAILOVER_PORTS[engine], PROBE_PORTS.start
    theirs = f"( sport = :{port} or dport = :{port} ) and sport < :{probes} and dport < :{probes}"
    ends = f"ss -Htn state established '( {theirs} )' dst {peer} | grep -q . && echo connected"
    yield check("failover.port", f"connected to the partner on TCP {port}", ends, says("connected"))


def _standby(check: _Maker, index: int) -> Iterator[Check]:
    unit = ("lab-leases.service", "lab-leases.socket")[index]
    state = f"systemctl is-active {unit}; systemctl is-enabled {unit}"
    title = ("changed leases are sent to the second server", "the first server's leases are awaited")[index]
    yield check("standby.copy", title, state, says("active enabled"))


def _copied(spec: LabSpec) -> Check:
    first, second = (server.name for server in spec.servers)
    title = "the second server has the leases of the first"
    others = ((second, ACTIVE_LEASES),)
    return Check("standby.leases", first, title, ACTIVE_LEASES, same_lines(second), others, settle_s=_COPIED_WITHIN_S)


def _pool(check: _Maker, spec: LabSpec) -> Iterator[Check]:
    if spec.dhcp.failover.engine == "isc":
        command = f"awk '$1 == \"range\" {{print $2, $3}}' {ISC_CONF} | tr -d ';'"
        expected = f"{spec.pool.start} {spec.pool.end}"
    else:
        command = f'sed -n \'s/.*"pool": "\\([0-9. -]*\\)".*/\\1/p\' {KEA_CONF}'
        expected = " ".join(f"{pool.start} - {pool.end}" for pool, _ in pools(spec))
    yield check("failover.pool", "the pool is the same on both", command, says(expected))
