"""Whatever is broken in machines, one `up` mends it; what it can't, `remake` does. One lab, many breaks at once."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from labbuilder.errors import MachineError
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.lifecycle.up import Outcome
from labbuilder.providers.nspawn.provider import NspawnProvider

pytestmark = pytest.mark.needs_root

# Each in a word, and in lines of root's shell; those of one machine are made in this order, then one `up` mends all.
BROKEN: Mapping[str, Mapping[str, str]] = {
    "server1": {
        "a unit that is masked": "systemctl mask --now named",
        "firewalls": "iptables -P INPUT DROP; iptables -P FORWARD DROP; iptables -t raw -A PREROUTING -p icmp -j DROP",
        "a stray rule of NAT": "iptables -t nat -A POSTROUTING -o enp0s8 -j SNAT --to 192.0.2.1",
        "no default route": "ip route del default",
        "a folder where a file should be": "rm /etc/bind/db.lab; mkdir /etc/bind/db.lab; touch /etc/bind/db.lab/note",
        "a file where a folder should be": "rm -r /etc/iptables; echo note >/etc/iptables",
        "another name": "hostname other; echo other >/etc/hostname",
        "leases that were removed": "rm /var/lib/dhcp/dhcpd.leases",
        "a program that is gone": "rm /usr/sbin/named /usr/bin/dig",
    },
    "server2": {
        "a daemon that is stopped": "systemctl stop isc-dhcp-server",
        "a drop-in of somebody else's": "mkdir /etc/systemd/system/isc-dhcp-server.service.d; printf '[Unit]\\n"
        "ConditionPathExists=/no\\n' >/etc/systemd/system/isc-dhcp-server.service.d/x.conf; systemctl daemon-reload",
        "a sysctl that counts at boot": "echo net.ipv4.ip_forward = 0 >/etc/sysctl.d/99-mine.conf",
        "all of BIND's folder": "rm -r /etc/bind",
        "keys that open it": "rm /etc/ssh/lab_*",
    },
    "client1": {
        "a dhclient that is stopped, and a second one": "pkill -STOP dhclient; dhclient -v 2>/dev/null",
        "a resolver of its own": "rm /etc/resolv.conf; mkdir /etc/resolv.conf",
        "a route to nowhere": "ip route replace default via 192.168.1.77 dev enp0s3",
        "the lease, and where it is noted": "rm -r /var/lib/dhcp",
        "the folder of ifupdown": "rm -r /etc/network",
    },
}


@pytest.fixture(scope="module")
def lab(drilled: Lab) -> Lab:
    return drilled


def mended(lab: Lab, **ways: bool) -> Outcome:
    outcome = lab.up(**ways).outcome
    assert outcome is not None
    assert lab.verify().passed
    return outcome


def test_one_up_mends_all_that_was_broken(lab: Lab) -> None:
    for machine, breaks in BROKEN.items():
        assert lab.run(machine, "systemctl show -P MainPID named; cat /proc/sys/net/ipv4/ip_forward").ok
        for name, script in breaks.items():
            assert lab.run(machine, script).ok, name
    lab.close()
    before = lab.run("server1", "wc -l </proc/net/dev").stdout
    outcome = mended(lab)
    assert {"server1", "server2"} <= {*outcome.mended}
    assert lab.run("server1", "hostname; cat /etc/hostname").stdout.split() == ["server1", "server1"]
    assert (
        lab.run("server1", "cat /etc/iptables.before-labbuilder; ls /etc/bind/db.lab.before-labbuilder").stdout
        == "note\nnote\n"
    )
    assert lab.run("server1", "wc -l </proc/net/dev").stdout == before
    assert lab.run("server2", "cat /etc/sysctl.d/99-mine.conf").stdout == "# labbuilder: net.ipv4.ip_forward = 0\n"
    assert lab.run("client1", "pgrep -c dhclient; ip -4 -o addr show dev enp0s3 | wc -l").stdout.split() == ["1", "1"]
    assert mended(lab).unchanged


def test_what_serves_is_not_stopped_for_a_configuration_that_it_can_not_take(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing that puts back what is missing, named goes on with what it has read."""
    monkeypatch.setattr(NspawnProvider, "restore", lambda *_: ())
    assert lab.run("server1", "mv /etc/bind /etc/bind.mine").ok
    with pytest.raises(MachineError, match=r"server1: DNS server \(BIND\) failed") as told:
        lab.up()
    assert "labbuilder remake" in str(told.value.resolution)
    assert lab.run("server1", "dig +short @192.168.1.1 lab.test SOA").stdout
    assert lab.run("server1", "rm -r /etc/bind; mv /etc/bind.mine /etc/bind").ok
    mended(lab)


def test_all_of_etc_is_put_back_from_outside(lab: Lab) -> None:
    assert lab.run("server2", "rm -rf /etc").ok
    lab.close()
    assert "server2" in mended(lab).mended


def test_a_machine_whose_folder_was_removed_is_made_anew(lab: Lab, home: Home) -> None:
    shutil.rmtree(home.lab(lab.name).machine("client1"))
    lab.close()
    assert mended(lab).started == ("client1",)


def test_what_can_not_be_mended_is_made_anew_where_it_is_asked_for(lab: Lab) -> None:
    assert lab.run("client1", "echo 'send vendor-class-identifier \"x\";' >>/etc/dhcp/dhclient.conf; touch /kept").ok
    lab.remake("client1")
    assert lab.verify().passed
    assert not lab.run("client1", "test -e /kept").ok


def test_a_client_that_rebooted_is_served_when_the_command_returns(lab: Lab) -> None:
    lab.reboot("client1")
    assert lab.run("client1", "ip -4 -o addr show dev enp0s3 dynamic; ip route show default").stdout.count("\n") == 2


def test_the_lab_keys_are_made_again_and_brought_in(lab: Lab, home: Home) -> None:
    shutil.rmtree(home.lab(lab.name).keys)
    lab.close()
    assert len(mended(lab).mended) == 3
    assert Path(home.lab(lab.name).keys / "user").stat().st_mode & 0o777 == 0o600
