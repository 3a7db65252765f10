"""The checks: one for each line of the guide. Each reads the kernel, systemd or the daemon, not just a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Interface

from labbuilder.plan.model import MachinePlan, Plan, Upstream
from labbuilder.plan.probes import FAILOVER_STATES, NAT_RULES, nat_rule
from labbuilder.run import Result
from labbuilder.spec.models import LabSpec
from labbuilder.verify.model import Check, Judgement

Judge = Callable[[Result], Judgement]
_DIG = "dig +short +time=2 +tries=1"
_ROUTE = "ip route show default | awk '{print $3, $5}'"
_NAMESERVERS = "awk '/^nameserver/ {print $2}' /etc/resolv.conf"


def checks_for(plan: Plan, spec: LabSpec) -> tuple[Check, ...]:
    """Everything that must be true of the lab, in the order of the guide."""
    found: list[Check] = []
    for index, server in enumerate(plan.servers):
        found += _server_checks(plan, spec, server, index)
    for client in plan.clients:
        found += _client_checks(plan, spec, client)
    return tuple(found)


def says(expected: str) -> Judge:
    """The probe's output is exactly that, white space folded."""

    def judge(result: Result) -> Judgement:
        observed = _shown(result)
        return Judgement(result.ok and observed == expected, expected, observed)

    return judge


def says_one_of(allowed: tuple[str, ...]) -> Judge:
    """The probe's output is one of these."""

    def judge(result: Result) -> Judgement:
        observed = _shown(result)
        return Judgement(result.ok and observed in allowed, " or ".join(allowed), observed)

    return judge


def _shown(result: Result) -> str:
    return " ".join((result.stdout or result.stderr).split())


def _server_checks(plan: Plan, spec: LabSpec, server: MachinePlan, index: int) -> Iterator[Check]:
    def check(name: str, title: str, command: str, judge: Judge) -> Check:
        return Check(name, server.name, title, command, judge)

    internal, bridged = server.nic("internal"), server.nic("bridged")
    me = spec.internal_address(index).ip
    for nic in (internal, bridged):
        address = f"ip -4 -o address show dev {nic.name} up | awk '{{print $4}}'"
        yield check(f"address.{nic.network}", f"{nic.name} has its address", address, says(str(nic.address)))
    yield check("route", "default route", _ROUTE, says(f"{spec.gateway} {bridged.name}"))
    yield check("resolv.conf", "/etc/resolv.conf", _NAMESERVERS, says(" ".join(str(a) for a in spec.dns.forwarders)))
    test = "dhcpd -4 -t -cf /etc/dhcp/dhcpd.conf"
    syntax = f"said=$({test} 2>&1); c=$?; echo \"$said\" | grep -iE 'line|error|warn'; exit $c"
    yield check("dhcpd.syntax", "dhcpd -t -cf /etc/dhcp/dhcpd.conf", syntax, says(""))
    default = ". /etc/default/isc-dhcp-server && echo $INTERFACESv4"
    yield check("dhcpd.nic", "/etc/default/isc-dhcp-server names the NIC", default, says(internal.name))
    units = [("isc-dhcp-server", "dhcpd"), ("named", "named")]
    for unit, program in units:
        living = f"eval $(systemctl show -p ActiveState,MainPID {unit}); echo $ActiveState; cat /proc/$MainPID/comm"
        yield check(f"{unit}.active", f"{unit} is active", living, says(f"active {program}"))
    for unit in ("networking", "isc-dhcp-server", "named", "netfilter-persistent"):
        yield check(f"{unit}.enabled", f"{unit} is enabled", f"systemctl is-enabled {unit}", says("enabled"))
    socket = "ss -Hlun 'sport = :67' | wc -l"
    yield check("dhcpd.listens", "dhcpd listens on port 67", socket, says("1"))
    if len(plan.servers) > 1:
        yield check("failover", "failover: both peers normal", FAILOVER_STATES, says("normal/normal"))
        mirrored = "awk '/^\\t(peer )?address/ {print $NF}' /etc/dhcp/dhcpd.conf | tr -d ';'"
        peer = spec.internal_address(1 - index).ip
        yield check("failover.mirror", "failover addresses are mirrored", mirrored, says(f"{me} {peer}"))
        pool = "awk '$1 == \"range\" {print $2, $3}' /etc/dhcp/dhcpd.conf | tr -d ';'"
        yield check("failover.pool", "the pool is the same on both", pool, says(f"{spec.pool.start} {spec.pool.end}"))
    kernel = "cat /proc/sys/net/ipv4/ip_forward"
    yield check("forwarding.kernel", "net.ipv4.ip_forward is 1", kernel, says("1"))
    kept = "sed -n 's/^net.ipv4.ip_forward *= *//p' /etc/sysctl.d/90-labbuilder.conf"
    yield check("forwarding.kept", "forwarding is kept in sysctl.d", kept, says("1"))
    rule = nat_rule(bridged.name)
    yield check("nat.live", "NAT rule is live", NAT_RULES, says(rule))
    yield check("nat.kept", "NAT rule in /etc/iptables/rules.v4", "grep ^-A /etc/iptables/rules.v4", says(rule))
    world = plan.upstream
    asked = f"{_DIG} @{world.resolvers[0]} {world.name}"
    yield check("names.upstream", "names resolve by the forwarder", asked, _resolved(world))


def _client_checks(plan: Plan, spec: LabSpec, client: MachinePlan) -> Iterator[Check]:
    def check(name: str, title: str, command: str, judge: Judge) -> Check:
        return Check(name, client.name, title, command, judge)

    nic = client.nic("internal")
    servers = tuple(str(spec.internal_address(i).ip) for i in range(len(spec.servers)))
    leases = f"/var/lib/dhcp/dhclient.{nic.name}.leases"

    def option(name: str) -> str:
        return f"sed -n 's/^ *option {name} \\(.*\\);/\\1/p' {leases} | tail -n 1"

    address = f"ip -4 -o address show dev {nic.name} up dynamic | awk '{{print $4}}'"
    yield check("lease.address", f"{nic.name} has a leased address in the pool", address, _in_pool(spec))
    same = (
        f"a=$(sed -n 's/^ *fixed-address \\(.*\\);/\\1/p' {leases} | tail -n 1); "
        f'ip -4 -o address show dev {nic.name} | grep -qF " $a/" && echo same || echo "not $a"'
    )
    yield check("lease.live", "the kernel's address is the leased one", same, says("same"))
    yield check(
        "lease.server",
        "a server of the lab gave the lease",
        option("dhcp-server-identifier"),
        says_one_of(servers),
    )
    gateways = tuple(f"{server} {nic.name}" for server in servers)
    yield check("lease.gateway", "gateway is a server's internal address", _ROUTE, says_one_of(gateways))
    orders = (" ".join(servers), " ".join(reversed(servers)))
    yield check("lease.dns", "DNS servers come with the lease", _NAMESERVERS, says_one_of(orders))
    failover = spec.dhcp.failover
    shortest = min(failover.mclt_s, spec.dhcp.default_lease_s) if len(servers) > 1 else spec.dhcp.default_lease_s
    yield check(
        "lease.time",
        "lease time in seconds",
        option("dhcp-lease-time"),
        _between(shortest, spec.dhcp.max_lease_s),
    )
    yield check("networking.enabled", "networking is enabled", "systemctl is-enabled networking", says("enabled"))
    world = plan.upstream
    title = "the world is reached through the gateway's NAT"
    if world.witness is not None:
        bridged = {str(spec.internal_address(i).ip): str(spec.bridged_address(i).ip) for i in range(len(servers))}
        through, judge = (
            f"timeout 5 nc -w 3 {world.witness.address} {world.witness.port} </dev/null",
            _translated(bridged),
        )
    else:  # a resolver of the world knows no way back to a private address
        through, judge = f"{_DIG} @{world.resolvers[0]} {world.name}", _answered(servers)
    yield check("nat", title, f"ip route show default | awk '{{print $3}}'; {through}", judge)
    for index, server in enumerate(servers):
        name = spec.servers[index].name
        own = f"{spec.servers[0].name}.{spec.dns.domain}"
        asked = f"{_DIG} @{server} {own} {world.name}"  # one dig for both: thirty clients ask this
        yield check(
            f"names.{name}", f"{name} resolves names of the lab and of the world", asked, _resolved(world, servers[0])
        )


def _resolved(world: Upstream, own: str = "") -> Judge:
    """The lab's own address first, where one was asked for; then the witness's, or any where there is none."""
    known = str(world.witness.address) if world.witness else None

    def judge(result: Result) -> Judgement:
        observed = _shown(result)
        expected = f"{own} {known or 'and an address'}".strip()
        rest = observed.removeprefix(own).split()
        right = rest == [known] if known else bool(rest) and _is_address(rest[-1])
        return Judgement(result.ok and observed.startswith(own) and right, expected, observed)

    return judge


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def _answered(servers: tuple[str, ...]) -> Judge:
    """The first word is the client's gateway, the last an address that a resolver of the world gave."""

    def judge(result: Result) -> Judgement:
        gateway, _, answer = _shown(result).partition(" ")
        right = result.ok and gateway in servers and bool(answer) and _is_address(answer.split()[-1])
        return Judgement(right, f"an address from a resolver of the world, by {' or '.join(servers)}", answer)

    return judge


def _in_pool(spec: LabSpec) -> Judge:
    def judge(result: Result) -> Judgement:
        observed = _shown(result)
        expected = f"one of {spec.pool}, with its subnet's prefix"
        try:
            address = IPv4Interface(observed)
        except (AddressValueError, ValueError):
            return Judgement(False, expected, observed)
        right = address.ip in spec.pool and address.network == spec.networks.internal.subnet
        return Judgement(result.ok and right, expected, observed)

    return judge


def _between(shortest: int, longest: int) -> Judge:
    def judge(result: Result) -> Judgement:
        observed = _shown(result)
        right = observed.isdigit() and shortest <= int(observed) <= longest
        return Judgement(result.ok and right, f"{shortest} to {longest}", observed)

    return judge


def _translated(bridged: dict[str, str]) -> Judge:
    """The first word is the client's gateway, the second the source address that the world saw."""

    def judge(result: Result) -> Judgement:
        gateway, _, source = _shown(result).partition(" ")
        wanted = bridged.get(gateway, "")
        expected = f"{wanted or 'the bridged address of a server'}, by {gateway or 'a gateway'}"
        return Judgement(bool(wanted) and source == wanted, expected, source)

    return judge
