"""The checks of a client's lease: what dhclient noted of it, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Interface

from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Network, Plan
from labbuilder.services.judges import between, says, says_one_of, shown
from labbuilder.services.probes import DEFAULT_ROUTE, NAMESERVERS, addresses


def lease_checks(lab: Plan, me: MachinePlan, shortest_s: int) -> Iterator[Check]:
    """Return what must be true of a client's lease; ``shortest_s`` is the shortest time that it may have."""
    (nic,) = me.nics
    servers = tuple(map(str, lab.server_addresses.values()))
    leases = f"/var/lib/dhcp/dhclient.{nic.name}.leases"

    def check(name: str, title: str, command: str, judge: Judge, look: str, *rests_on: str) -> Check:
        return Check(name, me.name, title, command, judge, look=look, rests_on=rests_on)

    def option(name: str) -> str:
        return f"sed -n 's/^ *option {name} \\(.*\\);/\\1/p' {leases} | tail -n 1"

    leased, address, lease = addresses(nic, "dynamic"), f"ip address show {nic.name}", f"cat {leases}"
    alive = "lease.kept", *(f"{server.name}:dhcp.listens" for server in lab.servers)
    yield check(
        "lease.address", f"{nic.name} has a leased address in the pool", leased, _in_pool(lab.served), address, *alive
    )
    same = (
        f"a=$(sed -n 's/^ *fixed-address \\(.*\\);/\\1/p' {leases} | tail -n 1); "
        f'ip -4 -o address show dev {nic.name} | grep -qF " $a/" && echo same || echo "not $a"'
    )
    yield check("lease.live", "the kernel's address is the leased one", same, says("same"), address, "lease.address")
    title = "a server of the lab gave the lease"
    yield check("lease.server", title, option("dhcp-server-identifier"), says_one_of(servers), lease)
    gateways = tuple(dict.fromkeys(f"{lab.router(server)} {nic.name}" for server in lab.servers))
    title = "gateway is " + ("the virtual router" if lab.virtual_router else "a server's internal address")
    yield check("lease.gateway", title, DEFAULT_ROUTE, says_one_of(gateways), "ip route", "lease.address")
    orders = says_one_of(tuple(" ".join(map(str, lab.resolvers(server))) for server in lab.servers))
    title = "DNS servers come with the lease"
    yield check("lease.dns", title, NAMESERVERS, orders, "cat /etc/resolv.conf", "lease.address")
    longest_s = lab.dhcp.default_lease_s  # dhclient.conf asks for no other
    title, look = "one dhclient keeps the lease", "ps -C dhclient -o stat,args"
    yield check("lease.kept", title, _dhclient(leases), _keeps(nic.name), look, "processes")
    yield check("lease.time", "lease time in seconds", option("dhcp-lease-time"), between(shortest_s, longest_s), lease)


def _dhclient(leases: str) -> str:
    """Shell that shows what renews the lease, and whether it can note that."""
    return f"ps -C dhclient -o stat=,args=; [ -w {leases} ] || echo {leases} can\\'t be written"


def _keeps(nic: str) -> Judge:
    """One process, of that NIC, that is not stopped."""

    def judge(result: Result) -> Judgement:
        lines = result.stdout.splitlines()
        right = len(lines) == 1 and lines[0][0] not in "TtZX" and lines[0].split()[-1] == nic
        return Judgement(right, f"one dhclient of {nic}, running", "\n".join(lines))

    return judge


def _in_pool(network: Network) -> Judge:
    """An address of the pool, with its subnet's prefix."""

    def judge(result: Result) -> Judgement:
        observed = shown(result)
        expected = f"one of {network.pool}, with its subnet's prefix"
        try:
            address = IPv4Interface(observed)
        except (AddressValueError, ValueError):
            return Judgement(False, expected, observed)
        right = network.pool is not None and address.ip in network.pool and address.network == network.subnet
        return Judgement(result.ok and right, expected, observed)

    return judge
