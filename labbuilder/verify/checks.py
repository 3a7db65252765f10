"""The checks: one for each line of the guide.

What is true now is asked of the kernel, systemd or the daemon; of a client's lease, dhclient's own record too.
What the next start goes by is read from its file: dhcpd.nic, kea.nic, failover.mirror, failover.pool, failover.lint,
nat.kept, forwarding.kept. kea.running proves that Kea runs its file. dhcpd tells no more than failover.share asks; what
else it runs shows in the clients' leases, when they are renewed.
"""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.plan.model import MachinePlan, Plan
from labbuilder.plan.probes import NAT_RULES, nat_rule
from labbuilder.spec.models import LabSpec
from labbuilder.verify.dhcp import dhcp_checks
from labbuilder.verify.judges import (
    Judge,
    answered,
    between,
    distinct,
    in_pool,
    resolved,
    says,
    says_one_of,
    translated,
)
from labbuilder.verify.model import Check

_DIG = "dig +short +time=3 +tries=2"  # a lost datagram is not a broken lab
_ROUTE = "ip route show default | awk '{print $3, $5}'"
# The last word of all files, in the order of the boot; the kernel's switch has two names.
_FORWARDING_KEPT = (
    "systemd-analyze cat-config sysctl.d | sed -nE 's,^[[:space:]]*-?net[./]ipv4[./]"
    "(ip_forward|conf[./](all|[*])[./]forwarding)[[:space:]]*=[[:space:]]*,,p' | tail -n 1"
)
# iptables-restore's own test takes the rule in any table, and awk takes a file without COMMIT.
_RULES = "/etc/iptables/rules.v4"
_NAT_KEPT = f"iptables-restore --test {_RULES} && awk '/^[*]/ {{table = $1}} /^-A/ {{print table, $0}}' {_RULES}"
_NAMESERVERS = "awk '/^nameserver/ {print $2}' /etc/resolv.conf"


def checks_for(plan: Plan, spec: LabSpec) -> tuple[Check, ...]:
    """Everything that must be true of the lab, in the order of the guide."""
    found: list[Check] = []
    for index, server in enumerate(plan.servers):
        found += _server_checks(plan, spec, server, index)
    for client in plan.clients:
        found += _client_checks(plan, spec, client)
    if len(plan.machines) > 1:
        found.append(_distinct_addresses(plan))
    return tuple(found)


def _addresses(nic: str) -> str:
    return f"ip -4 -o address show dev {nic} up | awk '{{print $4}}'"


def _distinct_addresses(plan: Plan) -> Check:
    """What a pair whose peers don't agree does first: it gives two clients one address."""
    machines = (*plan.servers, *plan.clients)
    asked = [(machine.name, _addresses(machine.nic("internal").name)) for machine in machines]
    (first, command), *others = asked
    title = "no two machines have one address on the internal network"
    return Check("addresses", first, title, command, distinct([name for name, _ in asked]), tuple(others))


def _server_checks(plan: Plan, spec: LabSpec, server: MachinePlan, index: int) -> Iterator[Check]:
    def check(name: str, title: str, command: str, judge: Judge) -> Check:
        return Check(name, server.name, title, command, judge)

    internal, bridged = server.nic("internal"), server.nic("bridged")
    for nic in (internal, bridged):
        title = f"{nic.name} has its address"
        yield check(f"address.{nic.network}", title, _addresses(nic.name), says(str(nic.address)))
    yield check("route", "default route", _ROUTE, says(f"{spec.gateway} {bridged.name}"))
    yield check("resolv.conf", "/etc/resolv.conf", _NAMESERVERS, says(" ".join(str(a) for a in spec.dns.forwarders)))
    yield from dhcp_checks(spec, server, index)
    living = "eval $(systemctl show -p ActiveState,MainPID named); echo $ActiveState; cat /proc/$MainPID/comm"
    yield check("named.active", "named is active", living, says("active named"))
    for unit in ("networking", "named", "netfilter-persistent"):
        yield check(f"{unit}.enabled", f"{unit} is enabled", f"systemctl is-enabled {unit}", says("enabled"))
    kernel = "cat /proc/sys/net/ipv4/ip_forward"
    yield check("forwarding.kernel", "net.ipv4.ip_forward is 1", kernel, says("1"))
    yield check("forwarding.kept", "forwarding is kept in sysctl.d", _FORWARDING_KEPT, says("1"))
    rule = nat_rule(bridged.name)
    yield check("nat.live", "NAT rule is live", NAT_RULES, says(rule))
    yield check("nat.kept", "NAT rule in /etc/iptables/rules.v4", _NAT_KEPT, says(f"*nat {rule}"))
    yield check("names.zone", "its zone names every server of the lab", *_zone(spec, index))
    world = plan.upstream
    asked = f"{_DIG} @{world.resolvers[0]} {world.name}"
    yield check("names.upstream", "names resolve by the forwarder", asked, resolved(world))


def _zone(spec: LabSpec, index: int) -> tuple[str, Judge]:
    """Asked by the server itself: each client asks for one name, and thirty would ask for all."""
    domain = f"{spec.dns.domain}."
    names = [f"{server.name}.{domain}" for server in spec.servers]
    records = [f"{domain} NS {name}" for name in names]
    records += [f"{name} A {spec.internal_address(i).ip}" for i, name in enumerate(names)]
    asked = " ".join((f"{domain} NS", *(f"{name} A" for name in names)))
    ask = f"dig +noall +answer +time=3 +tries=2 @{spec.internal_address(index).ip} {asked}"
    return f"{ask} | awk '{{print $1, $4, $5}}' | LC_ALL=C sort", says(" ".join(sorted(records)))


def _client_checks(plan: Plan, spec: LabSpec, client: MachinePlan) -> Iterator[Check]:
    def check(name: str, title: str, command: str, judge: Judge) -> Check:
        return Check(name, client.name, title, command, judge)

    nic = client.nic("internal")
    servers = tuple(str(spec.internal_address(i).ip) for i in range(len(spec.servers)))
    leases = f"/var/lib/dhcp/dhclient.{nic.name}.leases"

    def option(name: str) -> str:
        return f"sed -n 's/^ *option {name} \\(.*\\);/\\1/p' {leases} | tail -n 1"

    address = f"ip -4 -o address show dev {nic.name} up dynamic | awk '{{print $4}}'"
    yield check("lease.address", f"{nic.name} has a leased address in the pool", address, in_pool(spec))
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
    by_mclt = len(servers) > 1 and failover.engine == "isc" and not failover.cold_standby
    shortest = min(failover.mclt_s, spec.dhcp.default_lease_s) if by_mclt else spec.dhcp.default_lease_s
    yield check(
        "lease.time",
        "lease time in seconds",
        option("dhcp-lease-time"),
        between(shortest, spec.dhcp.default_lease_s),  # dhclient.conf asks for no other
    )
    yield check("networking.enabled", "networking is enabled", "systemctl is-enabled networking", says("enabled"))
    world = plan.upstream
    title = "the world is reached through the gateway's NAT"
    if world.witness is not None:
        bridged = {str(spec.internal_address(i).ip): str(spec.bridged_address(i).ip) for i in range(len(servers))}
        through, judge = (
            f"timeout 5 nc -w 3 {world.witness.address} {world.witness.port} </dev/null",
            translated(bridged),
        )
    else:  # a resolver of the world knows no way back to a private address
        through, judge = f"{_DIG} @{world.resolvers[0]} {world.name}", answered(servers)
    yield check("nat", title, f"ip route show default | awk '{{print $3}}'; {through}", judge)
    for index, server in enumerate(servers):
        name = spec.servers[index].name
        own = f"{spec.servers[0].name}.{spec.dns.domain}"
        asked = f"{_DIG} @{server} {own} {world.name}"  # one dig for both: thirty clients ask this
        yield check(
            f"names.{name}", f"{name} resolves names of the lab and of the world", asked, resolved(world, servers[0])
        )
