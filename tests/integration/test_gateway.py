"""The virtual gateway: one address, held by the server that leads out; each check of it can fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from labbuilder.host.store import Home
from labbuilder.host.wait import wait_until
from labbuilder.lab import Lab

pytestmark = pytest.mark.needs_root

CONF = "/etc/keepalived/keepalived.conf"
WORLD = "timeout 2 nc -w 1 203.0.113.10 80 </dev/null"  # it answers with the address that it saw
BRIDGED = {"server1": "172.26.0.11", "server2": "172.26.0.12"}


@pytest.fixture(scope="module")
def routed(home: Home) -> Iterator[Lab]:
    lab = Lab("routed", home=home).add_server().add_server().add_client().gateway(redundancy="vrrp")
    with lab.up():
        yield lab


class Break(NamedTuple):
    """What is broken, the checks that must fail, and what labbuilder does not mend by itself."""

    machine: str
    command: str
    checks: set[str]
    mend: str = ""


BREAKS = {
    "keepalived is stopped": Break("server1", "systemctl stop keepalived", {"keepalived.active", "gateway.master"}),
    "keepalived is off at boot": Break("server2", "systemctl -q disable keepalived", {"keepalived.enabled"}),
    "no forwarding": Break("server1", "sysctl -qw net.ipv4.ip_forward=0", {"gateway.out"}),
    "no NAT": Break("server2", "iptables -t nat -F POSTROUTING", {"gateway.out"}),
    "another virtual router": Break(
        "server2",
        f"sed -i 's/virtual_router_id .*/virtual_router_id 9/' {CONF}; systemctl restart keepalived; sleep 1",
        {"gateway.alike", "gateway.master"},
    ),
    "somebody else's MAC": Break(
        "client1",
        "ip neigh replace 192.168.1.254 lladdr 02:00:00:00:00:66 dev enp0s3 nud permanent",
        {"gateway.arp"},
        "ip neigh del 192.168.1.254 dev enp0s3",
    ),
}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_what_is_broken_is_seen_and_mended(routed: Lab, broken: Break) -> None:
    assert routed.run(broken.machine, broken.command).ok
    failed = {outcome.check for outcome in routed.verify().failures}
    assert broken.checks <= failed
    if broken.mend:
        assert routed.run(broken.machine, broken.mend).ok
    routed.up()


def test_every_check_is_broken(routed: Lab) -> None:
    broken = set().union(*(each.checks for each in BREAKS.values()))
    there = {outcome.check for outcome in routed.verify().outcomes}
    assert {check for check in there if check.startswith(("gateway.", "keepalived."))} == broken & there


def leads_out(lab: Lab, server: str) -> bool:
    return lab.run("client1", WORLD).stdout.strip() == BRIDGED[server]


def test_a_client_leads_a_life_of_its_own_whatever_server_is_cut_off(routed: Lab) -> None:
    """Its lease and its routes stay as they are."""
    before = routed.run("client1", "ip route; cat /etc/resolv.conf").stdout
    assert "default via 192.168.1.254 " in before
    assert leads_out(routed, "server1")
    for cut, mend in ((routed.unplug, routed.plug), (routed.kill, routed.start)):
        cut("server1", *(["bridged"] if cut == routed.unplug else []))
        wait_until("the other server leads out", lambda: leads_out(routed, "server2"), within_s=10.0)
        assert routed.run("client1", "dig +short +time=1 +tries=3 server2.lab.test").stdout == "192.168.1.2\n"
        mend("server1", *(["bridged"] if cut == routed.unplug else []))
        wait_until("the first one does again", lambda: leads_out(routed, "server1"), within_s=10.0)
    routed.verify().raise_for_failures()
    assert routed.run("client1", "ip route; cat /etc/resolv.conf").stdout == before


def test_without_preemption_it_stays_where_it_is(home: Home) -> None:
    lab = Lab("stays", home=home).add_server().add_server().add_client()
    with lab.gateway(redundancy="vrrp", preempt=False).up():
        lab.kill("server1")
        wait_until("the other server leads out", lambda: leads_out(lab, "server2"), within_s=10.0)
        lab.start("server1")
        wait_until("it is well again", lambda: lab.verify().passed, within_s=30.0, every_s=0.5)
        assert leads_out(lab, "server2")
