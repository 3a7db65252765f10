"""Each check can fail: its one thing is broken in the running lab, and that check sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from breaks import Break, broken_and_mended, not_broken
from breaks_of_the_start import KEA_START, START
from breaks_of_the_wire import ON_THE_WIRE

from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.services.dhcp import omapi
from labbuilder.services.dhcp.isc import CONF as DHCPD_CONF
from labbuilder.services.dhcp.kea import CONF as KEA_CONF
from labbuilder.services.dhcp.kea_control import tell

pytestmark = pytest.mark.needs_root

LEASES = "/var/lib/dhcp/dhclient.enp0s3.leases"
COPIED = "/var/lib/dhcp/dhcpd.leases"
QUIET = "sysctl -qw net.ipv4.conf.all.arp_ignore={}"  # else who has the address twice takes the other's answers
AGAIN = "ifdown --force enp0s3; ifup enp0s3"  # what dhclient wrote, it writes again

LIES = r"""printf '#!/bin/sh\n/usr/bin/ping.own "$@" | awk "/^TS:/ {print; getline; print \$1 + 7000; next} 1"\n' """
CLOSED = "iptables -{{}} INPUT -p tcp --dport {port} -j DROP"
ZONE = "sed -i '{}' /etc/bind/db.lab; systemctl restart named"
LATER = "/etc/sysctl.d/99-own.conf"
CONF = "sed -i '{}' /etc/kea/kea-dhcp4.conf"


def closed(port: int) -> Break:
    rule = CLOSED.format(port=port)
    return Break("server1", rule.format("I"), {"failover.open"}, rule.format("D"))


def probed(peer: str, port: int) -> str:
    """A connection as failover.open makes it, held for a while: failover.port must not take it for the partner's."""
    probe = f"(sleep 5 | nc {peer} {port} >/dev/null 2>&1 &)"
    seen = f"ss -Htnp state established 'dport = :{port}' | grep -q '\"nc\"'"
    return f'{probe}; timeout 5 sh -c "until {seen}; do sleep 0.01; done"'


def stale(file: str, edit: str, check: str) -> Break:
    """The daemon runs a bad file, and the file is mended on disk alone."""
    if file == DHCPD_CONF:
        unit, answers = "isc-dhcp-server", f"{omapi.failover_state()} | grep -q mclt"
    else:
        unit, answers = "kea-dhcp4-server", f"{tell('status-get')} | grep -q arguments"
    restart = f"systemctl reset-failed {unit}; systemctl restart {unit}; until {answers}; do sleep 0.05; done"
    bad = f"cp {file} /root/kept; sed -i '{edit}' {file}; {restart}; mv /root/kept {file}"
    return Break("server1", bad, {check}, restart)


COMMON = {
    "internal address": Break("server1", "ip addr add 192.168.1.77/24 dev enp0s3", {"address.internal"}),
    "bridged address": Break("server1", "ip addr add 172.26.9.9/16 dev enp0s8", {"address.bridged"}),
    "default route": Break("server1", "ip route del default", {"route"}),
    "resolv.conf": Break("server2", "sed -i s/8.8.4.4/8.8.4.5/ /etc/resolv.conf", {"resolv.conf"}),
    "forwarding": Break("server1", "sysctl -qw net.ipv4.ip_forward=0", {"forwarding.kernel"}),
    "forwarding kept": Break("server1", "sed -i s/=1/=0/ /etc/sysctl.d/90-labbuilder.conf", {"forwarding.kept"}),
    "forwarding taken back": Break(
        "server1", f"echo net.ipv4.ip_forward = 0 >{LATER}", {"forwarding.kept"}, f"rm {LATER}"
    ),
    "forwarding by its other name": Break(
        "server2", f"echo net/ipv4/conf/all/forwarding=0 >{LATER}", {"forwarding.kept"}, f"rm {LATER}"
    ),
    "NAT twice": Break("server1", "iptables -t nat -A POSTROUTING -o enp0s8 -j MASQUERADE", {"nat.live"}),
    "NAT kept": Break("server1", "sed -i /MASQ/d /etc/iptables/rules.v4", {"nat.kept"}),
    "NAT kept for no table": Break("server1", "sed -i '/^[*]nat/d' /etc/iptables/rules.v4", {"nat.kept"}),
    "NAT kept for another table": Break("server2", "sed -i 's/^[*]nat/*filter/' /etc/iptables/rules.v4", {"nat.kept"}),
    "NAT kept and not committed": Break("server1", "sed -i /COMMIT/d /etc/iptables/rules.v4", {"nat.kept"}),
    "NAT not at boot": Break("server1", "systemctl -q disable netfilter-persistent", {"netfilter-persistent.enabled"}),
    "networking at boot": Break("server1", "systemctl -q disable networking", {"networking.enabled"}),
    "named stopped": Break("server1", "systemctl stop named", {"named.active", "names.server1"}),
    "named disabled": Break("server1", "systemctl -q disable named", {"named.enabled"}),
    "the second server's name": Break(
        "server1", ZONE.format(r"s/^server2\tIN\tA.*/server2\tIN\tA\t192.168.1.99/"), {"names.zone"}
    ),
    "a name server less": Break("server1", ZONE.format(r"/NS\tserver2/d"), {"names.zone"}),
    "client's address": Break(
        "client1",
        "ip addr flush dev enp0s3",
        {"addresses", "lease.address", "lease.gateway", "lease.live", "nat"},
        AGAIN,
    ),
    "client's route": Break("client1", "ip route del default", {"lease.gateway", "nat"}, AGAIN),
    "client's DNS": Break("client1", "echo nameserver 8.8.8.8 >/etc/resolv.conf", {"lease.dns"}, AGAIN),
    "client's lease time": Break(
        "client1", f"sed -i 's/lease-time .*;/lease-time 5;/' {LEASES}", {"lease.time"}, AGAIN
    ),
    "client's lease too long": Break(
        "client1", f"sed -i 's/lease-time .*;/lease-time 3600;/' {LEASES}", {"lease.time"}, AGAIN
    ),
    "client's server": Break(
        "client1", f"sed -i 's/identifier .*;/identifier 192.168.1.9;/' {LEASES}", {"lease.server"}, AGAIN
    ),
    "a server's address": Break(
        "client1",
        f"{QUIET.format(8)}; ip addr add 192.168.1.2/24 dev enp0s3",
        {"addresses"},
        f"ip addr del 192.168.1.2/24 dev enp0s3; {QUIET.format(0)}",
    ),
    "client at boot": Break("client1", "systemctl -q disable networking", {"networking.enabled"}),
    "the world": Break(
        "server1", "iptables -I OUTPUT -d 8.8.8.8 -j DROP", {"names.upstream"}, "iptables -D OUTPUT -d 8.8.8.8 -j DROP"
    ),
    "the clocks": Break(
        "server1",
        f"mv /usr/bin/ping /usr/bin/ping.own; {LIES} >/usr/bin/ping; chmod +x /usr/bin/ping",  # the clock is the host's
        {"clocks"},
        "mv /usr/bin/ping.own /usr/bin/ping",
    ),
}

ISC = {
    "dhcpd.conf": Break("server1", "echo 'nonsense {' >>/etc/dhcp/dhcpd.conf", {"dhcpd.syntax", "failover.lint"}),
    "default file": Break("server1", "sed -i s/enp0s3/enp0s9/ /etc/default/isc-dhcp-server", {"dhcpd.nic"}),
    "dhcpd stopped": Break(
        "server2",
        f"systemctl stop isc-dhcp-server; {probed('192.168.1.1', 647)}",
        {"dhcp.listens", "failover", "failover.port", "isc-dhcp-server.active"},
    ),
    "dhcpd disabled": Break("server1", "systemctl -q disable isc-dhcp-server", {"isc-dhcp-server.enabled"}),
    "mirror": Break(
        "server1",
        "sed -i 's/peer address .*/peer address 192.168.1.9;/' /etc/dhcp/dhcpd.conf",
        {"failover.lint", "failover.mirror"},
    ),
    "pool": Break(
        "server2", "sed -i s/192.168.1.200/192.168.1.199/ /etc/dhcp/dhcpd.conf", {"failover.lint", "failover.pool"}
    ),
    "split on the secondary": Break(
        "server2", r"sed -i 's/^\tmax-unacked.*/&\n\tsplit 128;/' /etc/dhcp/dhcpd.conf", {"failover.lint"}
    ),
    "the key of OMAPI": Break(
        "server1", "rm /etc/dhcp/omapi.conf", {"dhcpd.syntax", "failover.lint", "failover.share"}
    ),
    "half the key of OMAPI": Break("server2", "truncate -s 40 /etc/dhcp/omapi.conf", {"dhcpd.syntax"}),
    "the port closed": closed(647),
    "stale MCLT": stale(DHCPD_CONF, "s/mclt 60/mclt 90/", "failover.share"),
    "another split": Break(
        "server1",
        "sed -i 's/split 128/split 64/' /etc/dhcp/dhcpd.conf; systemctl restart isc-dhcp-server",
        {"failover.share"},
    ),
}

KEA = {
    "syntax": Break("server1", "echo nonsense >>/etc/kea/kea-dhcp4.conf", {"kea.syntax", "failover.lint"}),
    "the NIC": Break("server1", CONF.format("s/enp0s3/enp0s9/"), {"kea.nic"}),
    "stopped": Break(
        "server2",
        f"systemctl stop kea-dhcp4-server; {probed('192.168.1.1', 8000)}",
        {"kea-dhcp4-server.active", "dhcp.listens", "failover", "failover.port"},
    ),
    "disabled": Break("server1", "systemctl -q disable kea-dhcp4-server", {"kea-dhcp4-server.enabled"}),
    "another peer": Break(
        "server1", CONF.format("s,http://192.168.1.2,http://192.168.1.9,"), {"failover.mirror", "failover.lint"}
    ),
    "pool": Break("server2", CONF.format("s/192.168.1.200/192.168.1.199/"), {"failover.pool", "failover.lint"}),
    "the port closed": closed(8000),
    "stale lease times": stale(KEA_CONF, 's/"valid-lifetime": .*/"valid-lifetime": 300,/', "kea.running"),
    "stale names": stale(KEA_CONF, 's/"data": "lab.test"/"data": "else.test"/', "kea.running"),
    "stale reservations": stale(
        KEA_CONF,
        's/"authoritative"/"reservations": [{"hw-address": "02:00:00:00:00:99", "hostname": "own"}], &/',
        "kea.running",
    ),
    "no failover by itself": Break(
        "server1",
        CONF.format('s/"auto-failover": true/"auto-failover": false/') + "; systemctl restart kea-dhcp4-server",
        {"failover.share"},  # to the lint a warning
    ),
}

MANUAL = {
    "both serve": Break("server2", "systemctl start isc-dhcp-server", {"standby.off"}),
    "no copies": Break("server1", "systemctl stop lab-leases.service", {"standby.copy"}),
    "no leases": Break("server2", f"mv {COPIED} {COPIED}.kept", {"standby.leases"}, f"mv {COPIED}.kept {COPIED}"),
    "pool": Break("server2", "sed -i s/192.168.1.200/192.168.1.199/ /etc/dhcp/dhcpd.conf", {"failover.lint"}),
}


@pytest.fixture(scope="module")
def kea(home: Home) -> Iterator[Lab]:
    lab = Lab("kea", home=home).add_server().add_server().add_clients(2).failover(engine="kea")
    with lab.up():
        yield lab


@pytest.fixture(scope="module")
def manual(home: Home) -> Iterator[Lab]:
    with Lab("manual", home=home).add_server().add_server().add_client().failover(mode="manual").up() as lab:
        yield lab


@pytest.mark.parametrize("broken", (COMMON | ISC).values(), ids=COMMON | ISC)
def test_what_is_broken_is_seen_and_up_mends_it(lab: Lab, broken: Break) -> None:
    broken_and_mended(lab, broken)


@pytest.mark.parametrize("broken", KEA.values(), ids=KEA)
def test_what_is_broken_of_kea_is_seen_and_up_mends_it(kea: Lab, broken: Break) -> None:
    broken_and_mended(kea, broken)


@pytest.mark.parametrize("broken", MANUAL.values(), ids=MANUAL)
def test_what_is_broken_of_a_cold_standby_is_seen_and_up_mends_it(manual: Lab, broken: Break) -> None:
    broken_and_mended(manual, broken)


@pytest.fixture
def two_clients(home: Home, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab of Kea has them."""
    if request.param == "kea":
        yield request.getfixturevalue("kea")
    else:
        with Lab("two", home=home).add_server().add_server().add_clients(2).up() as lab:
            yield lab


@pytest.mark.parametrize("two_clients", ["isc", "kea"], indirect=True)
def test_two_clients_with_one_address_are_seen(two_clients: Lab) -> None:
    """Each has a lease that is right for itself."""
    lab = two_clients
    address = lab.run("client1", "ip -4 -o address show dev enp0s3 | awk '{print $4}'").stdout.strip()
    assert lab.run("client2", f"{QUIET.format(8)}; ip address add {address} dev enp0s3").ok
    seen = {outcome.check: outcome.observed for outcome in lab.verify().failures}
    assert seen["addresses"] == f"{address.partition('/')[0]}: client1, client2"
    assert lab.run("client2", f"ip address del {address} dev enp0s3; {QUIET.format(0)}").ok
    lab.verify().raise_for_failures()


@pytest.mark.parametrize("refused", ["port", "text"])
def test_leases_that_no_longer_reach_the_standby_are_seen(manual: Lab, refused: str) -> None:
    """Either nothing comes to the second server, or what comes its dhcpd can't read."""
    own = "/usr/local/sbin/dhcpd"
    closed, opened = {
        "port": (CLOSED.format(port=6470).format("I"), CLOSED.format(port=6470).format("D")),
        "text": (
            f"printf '#!/bin/sh\\n[ $2 != -T ] && exec /usr/sbin/dhcpd \"$@\"\\n' >{own}; chmod +x {own}",
            f"rm {own}",
        ),
    }[refused]
    assert manual.run("server2", closed).ok
    manual.run("client1", AGAIN)
    seen = {outcome.check: outcome.observed for outcome in manual.verify().failures}
    assert set(seen) == {"standby.leases"} | ({"firewall"} if refused == "port" else set())
    assert "server2 lacks 192.168.1." in seen["standby.leases"]
    assert manual.run("server2", opened).ok
    manual.run("client1", AGAIN)
    manual.verify().raise_for_failures()


def test_every_check_is_broken_by_some_test(lab: Lab, kea: Lab, manual: Lab) -> None:
    assert not_broken(lab, COMMON, ISC, START, ON_THE_WIRE) == set()
    assert not_broken(kea, COMMON, KEA, START, KEA_START, ON_THE_WIRE) == set()
    assert not_broken(manual, COMMON, ISC, MANUAL, START, ON_THE_WIRE) == set()


def test_a_finding_says_where_why_and_how_to_mend_it(lab: Lab) -> None:
    """In the words of the lint, and no key leaves its machine."""
    assert lab.run("server2", ISC["split on the secondary"].command).ok
    (found,) = (outcome for outcome in lab.verify().failures if outcome.check == "failover.lint")
    what, why, mend = found.observed.splitlines()
    assert re.fullmatch(r"server2:/etc/dhcp/dhcpd.conf:\d+: split is said on the secondary", what)
    assert why.startswith("  why: dhcpd does not start")
    assert mend == "  mend: take split and hba out of the secondary"
    read = lab.run("server1", found.command).stdout
    assert "secret redacted;" in read
    assert lab.run("server1", 'grep -o \'"[^"]*="\' /etc/dhcp/omapi.conf').stdout.strip('\n"') not in read
    lab.up()


def test_nat_that_is_missing_is_seen_by_who_is_behind_it(lab: Lab) -> None:
    gateway = lab.run("client1", "ip route show default | awk '{print $3}'").stdout.strip()
    server = {"192.168.1.1": "server1", "192.168.1.2": "server2"}[gateway]
    assert lab.run(server, "iptables -t nat -F POSTROUTING").ok
    assert {("nat.live", server), ("nat", "client1")} <= {(o.check, o.machine) for o in lab.verify().failures}
    lab.up()


def test_everything_holds_after_a_reboot_of_each_server(lab: Lab) -> None:
    found = lab.verify(reboot=True)
    found.raise_for_failures()
    assert found.rebooted == ("server1", "server2")
    assert {machine.name: machine.boots for machine in lab.status()}["server1"] > 1


def test_a_second_up_changes_nothing(lab: Lab) -> None:
    before = lab.run("server1", "systemctl show -P MainPID isc-dhcp-server named").stdout
    lab.up()
    assert lab.outcome is not None
    assert lab.outcome.unchanged
    assert lab.difference().empty
    assert lab.run("server1", "systemctl show -P MainPID isc-dhcp-server named").stdout == before


def test_plan_shows_what_was_changed_by_hand(lab: Lab) -> None:
    lab.run("server1", "sed -i 's/mclt 60/mclt 61/' /etc/dhcp/dhcpd.conf")
    (file,) = lab.difference().files
    assert (file.machine, file.path) == ("server1", "/etc/dhcp/dhcpd.conf")
    assert "-\tmclt 61;\n+\tmclt 60;" in file.diff
    lab.up()


def test_peers_that_missed_each_other_are_nudged(lab: Lab) -> None:
    """Both start while the failover port is closed: left alone they try again only after 5 s."""
    closed = "iptables -{} INPUT -p tcp --dport 647 -j REJECT --reject-with tcp-reset"
    for server in ("server1", "server2"):
        assert lab.run(server, closed.format("I")).ok
    for server in ("server1", "server2"):
        assert lab.run(server, "systemctl restart isc-dhcp-server").ok
        started = "journalctl -q -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID isc-dhcp-server)"
        assert lab.run(server, f"until {started} | grep -q 'Server starting service'; do sleep 0.02; done").ok
    pid = "systemctl show -P MainPID isc-dhcp-server"
    before = lab.run("server2", pid).stdout
    for server in ("server1", "server2"):
        assert lab.run(server, closed.format("D")).ok
    lab.up()
    assert lab.outcome is not None
    assert ("server2", "failover") in {(change.machine, change.service) for change in lab.outcome.changes}
    assert lab.run("server2", pid).stdout != before, "it was not the nudge that brought them together"
