"""Kea's load balancing: the pool in two parts hands out no address twice; one pool for both does."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from labbuilder.failover import operator as failover
from labbuilder.host.store import Home
from labbuilder.lab import Lab

pytestmark = [pytest.mark.needs_root, pytest.mark.measures]

CLIENTS = 40
CONF = "/etc/kea/kea-dhcp4.conf"
UNIT = "kea-dhcp4-server"


@pytest.fixture(scope="module")
def kea(home: Home) -> Iterator[Lab]:
    with Lab("twice", home=home).add_server().add_server().add_client().failover(engine="kea").up() as lab:
        yield lab


def leases(lab: Lab) -> list[str]:
    """The addresses that so many real clients get, all of which ask at the same time; no lease was given before."""
    for server in ("server1", "server2"):
        assert lab.run(server, f"systemctl stop {UNIT}; rm -f /var/lib/kea/kea-leases4.csv*").ok
    for server in ("server1", "server2"):
        assert lab.run(server, f"systemctl start {UNIT}").ok
    failover.await_well(lab.session())
    numbers = f"$(seq {CLIENTS})"
    said = lab.run(
        "client1",
        f"for n in {numbers}; do ip link add m$n link enp0s3 address 02:00:00:00:03:$(printf %02x $n) "
        f"type macvlan mode bridge; ip link set m$n up; done; "
        f"for n in {numbers}; do udhcpc -i m$n -f -q -n -t 10 -T 1 -s /bin/true 2>&1 & done; wait; "
        f"for n in {numbers}; do ip link del m$n; done",
    ).stdout
    given = re.findall(r"lease of ([0-9.]+) obtained", said)
    assert len(given) == CLIENTS
    return given


def one_pool(lab: Lab, server: str) -> None:
    text = lab.run(server, f"cat {CONF}").stdout
    assert "HA_server1" in text
    pool = '"pools": [{ "pool": "192.168.1.100 - 192.168.1.200" }]'
    whole = re.sub(r'"pools": \[.*?\]', pool, text, flags=re.DOTALL)
    lab.session().shell(server).put(whole.encode(), CONF)


def test_concurrent_clients_never_share_an_address_but_with_one_pool_for_both_servers(kea: Lab) -> None:
    for _ in range(3):
        given = leases(kea)
        assert len(set(given)) == CLIENTS
    for server in ("server1", "server2"):
        one_pool(kea, server)
    rounds = (leases(kea) for _ in range(8))  # one in three was seen without
    assert any(len(set(given)) < CLIENTS for given in rounds), "the trap is gone: is the pool still to be split?"
