"""What is broken on the wire, or in a daemon that runs, while each file is as planned."""

from __future__ import annotations

from typing import NamedTuple

from breaks import Break

from labbuilder.services.dhcp.kea import CONF as KEA_CONF
from labbuilder.services.dhcp.kea_control import tell


class WireBreak(NamedTuple):
    """What is broken: machine, command, the check that must see it, a word of what it saw, and the repair."""

    machine: str
    command: str
    check: str
    seen: str
    mend: str


def rule(machine: str, words: str, check: str, seen: str) -> WireBreak:
    """A rule of iptables: `iptables WORDS`, with {} for -I and -D."""
    return WireBreak(machine, f"iptables {words.format('-I')}", check, seen, f"iptables {words.format('-D')}")


_STRANGER = """cat >/run/rogue.conf <<'end'
authoritative;
subnet {subnet} {{ range {range}; }}
end
: >/run/rogue.leases
dhcpd -4 -q -cf /run/rogue.conf -lf /run/rogue.leases -pf /run/rogue.pid {nic} >/dev/null 2>&1"""
_AWAY = "kill $(cat /run/rogue.pid); rm /run/rogue*"


def stranger(machine: str, nic: str, subnet: str, leases: str, check: str) -> WireBreak:
    """A DHCP server that nobody planned; AppArmor is no matter in a container."""
    return WireBreak(machine, _STRANGER.format(subnet=subnet, range=leases, nic=nic), check, machine, _AWAY)


_DHCPD = "systemctl reset-failed isc-dhcp-server; systemctl restart isc-dhcp-server"
_NORMAL = "until echo | nc -N 127.0.0.1 7911 >/dev/null 2>&1; do sleep 0.05; done"


def runs(edits: str, *seen: str, server: str = "server1", check: str = "") -> tuple[WireBreak, ...]:
    """The running dhcpd has read a file with these edits, and the file is put back; each must be seen."""
    conf = "/etc/dhcp/dhcpd.conf"
    change = f"cp -p {conf} /root/own; sed -i '{edits}' {conf}; {_DHCPD}; {_NORMAL}; mv /root/own {conf}"
    first, *others = (WireBreak(server, "true", check or f"newcomer.{server}", word, "true") for word in seen)
    return first._replace(command=change, mend=f"{_DHCPD}; {_NORMAL}"), *others


_NAMED = "/etc/bind/named.conf.options"


def named(server: str, edits: str, check: str, seen: str, also: str = "true") -> WireBreak:
    """The running named has read other options, and the file is put back."""
    change = f"cp -p {_NAMED} /root/named; sed -i '{edits}' {_NAMED}; {also}; systemctl restart named"
    return WireBreak(server, f"{change}; mv /root/named {_NAMED}", check, seen, "systemctl restart named")


def with_file(server: str, file: str, edit: str, restart: str, check: str, seen: str) -> WireBreak:
    """A daemon has read another file, and the file is put back."""
    change = f"cp -p {file} /root/file; {edit}; {restart}; mv /root/file {file}"
    return WireBreak(server, change, check, seen, restart)


_WHO_LEARNED = ("server2", "client1")  # who has the address twice is in their tables for a while
_ASK_AGAIN = tuple(  # mended last: a client that renews while its server is wrong keeps what it got
    WireBreak(client, "true", "newcomer.server1", "router 192.168.1.77", "ifdown --force enp0s3; ifup enp0s3")
    for client in ("client1", "client2")
)
# Each group is broken at once: what one of them breaks hides none of the others.
GROUPS: dict[str, tuple[WireBreak, ...]] = {
    "filters": (
        WireBreak("server2", "iptables -P FORWARD DROP", "way.server2", "icmp full", "iptables -P FORWARD ACCEPT"),
        rule("server1", "{} FORWARD -p tcp --dport 443 -j DROP", "way.server1", "tcp 443"),
        rule("server1", "{} FORWARD -p icmp -j DROP", "way.server1", "icmp full"),
        rule("server1", "{} FORWARD -p udp --dport 53 -j DROP", "way.server1", "dns www.internet.test"),
        rule("server1", "-t mangle {} FORWARD -p udp --dport 9 -j DROP", "way.server1", "udp 9"),
        rule("server1", "{} INPUT -i enp0s3 -p tcp --dport 53 -j DROP", "names.new.server1", "dnstcp server1"),
        rule("server2", "{} INPUT -i enp0s3 -p tcp --dport 53 -j REJECT", "names.new.server2", "dnstcp server2"),
        WireBreak(
            "client1",
            "ip addr add 192.168.1.66/32 dev lo",
            "address.others",
            ".66",
            "ip addr del 192.168.1.66/32 dev lo",
        ),
        WireBreak(
            "client2",
            "ip addr add 192.168.1.67/32 dev lo",
            "owners.internal",
            "192.168.1.67: client2",
            "ip addr del 192.168.1.67/32 dev lo",
        ),
        WireBreak(
            "server2",
            "sysctl -qw net.ipv4.conf.enp0s3.proxy_arp=1",
            "owners.internal",
            "server2",
            "sysctl -qw net.ipv4.conf.enp0s3.proxy_arp=0",
        ),
        WireBreak(
            "server1",
            "ip neigh add proxy 8.8.8.8 dev enp0s3",
            "owners.internal",
            "answers for 8.8.8.8\nserver",
            "ip neigh del proxy 8.8.8.8 dev enp0s3",
        ),
        stranger(
            "client2", "enp0s3", "192.168.1.0 netmask 255.255.255.0", "192.168.1.40 192.168.1.49", "newcomer.strangers"
        ),
    ),
    "routes": (
        WireBreak(
            "server2",
            "ip rule add from 192.168.1.0/24 iif enp0s3 blackhole",
            "way.server2",
            "read 80",
            "ip rule del from 192.168.1.0/24 iif enp0s3 blackhole",
        ),
        WireBreak(
            "server1",
            "ip link set enp0s3 mtu 600; ip link set enp0s8 mtu 1000",
            "way.server1",
            "icmp full",
            "ip link set enp0s3 mtu 1500; ip link set enp0s8 mtu 1500",
        ),
        rule(
            "server1",
            "-t nat {} PREROUTING -i enp0s3 -p tcp --dport 80 -j DNAT --to 192.168.1.66",
            "way.server1",
            "read 80",
        ),
        rule("server1", "-t raw {} PREROUTING -i enp0s3 -p udp --dport 53 -j NOTRACK", "way.server1", "dns www"),
        stranger("server2", "enp0s8", "172.26.0.0 netmask 255.255.0.0", "172.26.5.1 172.26.5.9", "outside.dhcp"),
    ),
    "the way back": (
        rule("server1", "{} FORWARD -i enp0s8 -o enp0s3 -p icmp -j DROP", "way.server1", "icmp full"),
        rule("server1", "{} FORWARD -i enp0s8 -p udp --sport 53 -j DROP", "way.server1", "dns www"),
        WireBreak(
            "server2",
            "ip route add prohibit 203.0.113.10",
            "way.server2",
            "read 80",
            "ip route del prohibit 203.0.113.10",
        ),
        WireBreak(
            "server1",
            "ip addr add 172.26.0.99/16 dev enp0s8; "
            "iptables -t nat -I POSTROUTING -p tcp --dport 80 -o enp0s8 -j SNAT --to 172.26.0.99",
            "way.server1",
            ": 172.26.0.99",
            "ip addr del 172.26.0.99/16 dev enp0s8; "
            "iptables -t nat -D POSTROUTING -p tcp --dport 80 -o enp0s8 -j SNAT --to 172.26.0.99",
        ),
        named(
            "server1", "s/allow-query.*/allow-query { any; };/", "outside.names", "192.168.1.1 dns www.internet.test"
        ),
        named(
            "server2",
            "s/listen-on {.*/listen-on { any; };/; s/allow-query.*/allow-query { any; };/",
            "outside.names",
            "172.26.0.12 dns server2.lab.test",
        ),
    ),
    "running": (
        *_ASK_AGAIN,
        *runs(
            's/option domain-name .*/option domain-name "else.test";/; '
            "s/option routers .*/option routers 192.168.1.77;/; "
            "s/option domain-name-servers .*/option domain-name-servers 9.9.9.9;/; "
            "s/option broadcast-address .*/option broadcast-address 192.168.1.254;/; "
            "s/^\\tpool {/\\toption ntp-servers 192.168.1.5;\\n&/; "
            "s/^default-lease-time .*/default-lease-time 30;/; s/^max-lease-time .*/max-lease-time 30;/",
            "router 192.168.1.77, not 192.168.1.1",
            "domain else.test",
            "resolvers 9.9.9.9",
            "broadcast address 192.168.1.254",
            "option 42 (c0a80105)",
            "lease time 30 s",
        ),
        *runs("s/deny dynamic bootp clients;/& deny unknown-clients;/", "is offered nothing", server="server2"),
        with_file(
            "server2",
            "/etc/bind/db.lab",
            'echo "www A 192.168.1.66" >>/etc/bind/db.lab',
            "systemctl restart named",
            "names.zone",
            "www.lab.test. A 192.168.1.66",
        ),
        with_file(
            "server1",
            "/etc/default/named",
            'sed -i "s/-u bind/-u bind -p 5353/" /etc/default/named',
            "systemctl restart named",
            "names.new.server1",
            "Connection refused",
        ),
    ),
    "duplicates": (
        WireBreak(
            "client2",
            "echo ssh-ed25519 AAAA else >>/etc/ssh/lab_authorized_keys",
            "logins",
            "client2: 2 keys",
            "sed -i '/ else$/d' /etc/ssh/lab_authorized_keys",
        ),
        WireBreak(
            "server2",
            "ip addr add 172.26.0.11/32 dev lo",
            "owners.bridged",
            "172.26.0.11: server2",
            "ip addr del 172.26.0.11/32 dev lo",
        ),
        WireBreak(
            "client2",
            "ip addr add 192.168.1.1/32 dev lo",
            "owners.internal",
            "192.168.1.1: client2",
            "ip addr del 192.168.1.1/32 dev lo; ip neigh flush all",
        ),
        *(WireBreak(name, "true", "owners.internal", "192.168.1.1", "ip neigh flush all") for name in _WHO_LEARNED),
    ),
}

_KEA = "systemctl reset-failed kea-dhcp4-server; systemctl restart kea-dhcp4-server"
_HOT = f'until {tell("status-get")} | grep -q \'"state": *"hot-standby"\'; do sleep 0.1; done'
_EDITS = (
    's/"name": "routers", "data": "[^"]*"/"name": "routers", "data": "192.168.1.77"/; '
    's/"name": "domain-name", "data": "[^"]*"/"name": "domain-name", "data": "else.test"/; '
    's/"valid-lifetime": .*/"valid-lifetime": 30,/; s/"max-valid-lifetime": .*/"max-valid-lifetime": 30,/; '
    's/"renew-timer": .*/"renew-timer": 10,/; s/"rebind-timer": .*/"rebind-timer": 20,/'
)
KEA: dict[str, tuple[WireBreak, ...]] = {
    "running": (
        with_file(
            "server1",
            KEA_CONF,
            f"sed -i '{_EDITS}' {KEA_CONF}",
            f"{_KEA}; {_HOT}",
            "newcomer.server1",
            "router 192.168.1.77, not 192.168.1.1",
        ),
        WireBreak("server1", "true", "newcomer.server1", "domain else.test", "true"),
        WireBreak("server1", "true", "newcomer.server1", "lease time 30 s", "true"),
    ),
    "the standby serves": (
        WireBreak(
            "server2",
            tell("ha-scopes", scopes=["server1", "server2"]),
            "newcomer.server2",
            "it is the other server's client",
            tell("ha-scopes", scopes=[]),
        ),
    ),
}

# For who counts which checks something breaks.
ON_THE_WIRE = {
    f"{name} {number}": Break(one.machine, one.command, {one.check})
    for name, group in GROUPS.items()
    for number, one in enumerate(group)
}
