"""Each check can fail: its one thing is broken in the running lab, and that check sees it."""

from __future__ import annotations

import pytest

from labbuilder.lab import Lab

pytestmark = pytest.mark.needs_root

LEASES = "/var/lib/dhcp/dhclient.enp0s3.leases"

# What is broken: machine, command, and the checks that must fail; others may follow from it.
BREAKS = {
    "internal address": ("server1", "ip addr add 192.168.1.77/24 dev enp0s3", {"address.internal"}),
    "bridged address": ("server1", "ip addr add 172.26.9.9/16 dev enp0s8", {"address.bridged"}),
    "default route": ("server1", "ip route del default", {"route"}),
    "resolv.conf": ("server2", "sed -i s/8.8.4.4/8.8.4.5/ /etc/resolv.conf", {"resolv.conf"}),
    "dhcpd.conf": ("server1", "echo 'nonsense {' >>/etc/dhcp/dhcpd.conf", {"dhcpd.syntax"}),
    "default file": ("server1", "sed -i s/enp0s3/enp0s9/ /etc/default/isc-dhcp-server", {"dhcpd.nic"}),
    "dhcpd stopped": (
        "server2",
        "systemctl stop isc-dhcp-server",
        {"isc-dhcp-server.active", "dhcp.listens", "failover"},
    ),
    "dhcpd disabled": ("server1", "systemctl -q disable isc-dhcp-server", {"isc-dhcp-server.enabled"}),
    "mirror": (
        "server1",
        "sed -i 's/peer address .*/peer address 192.168.1.9;/' /etc/dhcp/dhcpd.conf",
        {"failover.mirror"},
    ),
    "pool": ("server2", "sed -i s/192.168.1.200/192.168.1.199/ /etc/dhcp/dhcpd.conf", {"failover.pool"}),
    "forwarding": ("server1", "sysctl -qw net.ipv4.ip_forward=0", {"forwarding.kernel"}),
    "forwarding kept": ("server1", "sed -i s/=1/=0/ /etc/sysctl.d/90-labbuilder.conf", {"forwarding.kept"}),
    "NAT twice": ("server1", "iptables -t nat -A POSTROUTING -o enp0s8 -j MASQUERADE", {"nat.live"}),
    "NAT kept": ("server1", "sed -i /MASQ/d /etc/iptables/rules.v4", {"nat.kept"}),
    "NAT not at boot": (
        "server1",
        "systemctl -q disable netfilter-persistent",
        {"netfilter-persistent.enabled"},
    ),
    "networking at boot": ("server1", "systemctl -q disable networking", {"networking.enabled"}),
    "named stopped": (
        "server1",
        "systemctl stop named",
        {"named.active", "names.server1"},
    ),
    "named disabled": ("server1", "systemctl -q disable named", {"named.enabled"}),
    "client's address": (
        "client1",
        "ip addr flush dev enp0s3",
        {"lease.address", "lease.live", "lease.gateway", "nat"},
    ),
    "client's route": ("client1", "ip route del default", {"lease.gateway", "nat"}),
    "client's DNS": ("client1", "echo nameserver 8.8.8.8 >/etc/resolv.conf", {"lease.dns"}),
    "client's lease time": ("client1", f"sed -i 's/lease-time .*;/lease-time 5;/' {LEASES}", {"lease.time"}),
    "client's server": ("client1", f"sed -i 's/identifier .*;/identifier 192.168.1.9;/' {LEASES}", {"lease.server"}),
    "client at boot": ("client1", "systemctl -q disable networking", {"networking.enabled"}),
    "the world": ("server1", "iptables -I OUTPUT -d 8.8.8.8 -j DROP", {"names.upstream"}),
}


@pytest.mark.parametrize(("machine", "command", "expected"), BREAKS.values(), ids=BREAKS)
def test_what_is_broken_is_seen_and_up_mends_it(lab: Lab, machine: str, command: str, expected: set[str]) -> None:
    assert lab.verify().passed
    assert lab.run(machine, command).ok
    failed = {outcome.check for outcome in lab.verify().failures}
    assert expected <= failed
    if "DROP" in command:  # a rule that labbuilder neither wrote nor touches
        assert lab.run(machine, command.replace("-I", "-D")).ok
    if machine == "client1" and "systemctl" not in command:  # what dhclient wrote, it writes again
        assert lab.run("client1", "ifdown --force enp0s3; ifup enp0s3").ok
    lab.up()
    assert lab.verify().passed


def test_every_check_is_broken_by_some_test(lab: Lab) -> None:
    broken = {check for _, _, checks in BREAKS.values() for check in checks}
    kinds = {outcome.check for outcome in lab.verify().outcomes}
    assert {k for k in kinds if not k.endswith(".server2")} == broken


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
