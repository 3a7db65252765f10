"""NIC 2 on a bridge of the members, as with a real LAN behind it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from incus_cluster import Cluster

from labbuilder.errors import HostError
from labbuilder.host.run import run
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.remotes import find_remote

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

# A LAN that joins the members and a router, beside the members' own: VXLAN 26 over the wire between them.
_WIRE = "ip link add lan26 up type vxlan id 26 group 239.26.0.1 dev br0 dstport 4826"
_UPLINK = f"{_WIRE}; ip link add uplan up type bridge forward_delay 0; ip link set lan26 master uplan"
_ROUTER = f"{_WIRE}; ip addr add 172.26.0.1/16 dev lan26"
_WITNESS = """
import socket
with socket.create_server(("172.26.0.1", 8000)) as listening:
    print("up", flush=True)
    print(listening.accept()[1][0])
"""


def in_lan(cluster: Cluster, script: str) -> str:
    """Run shell where the LAN's router is."""
    return run(*router(cluster), "sh", "-ec", script).stdout


def router(cluster: Cluster) -> tuple[str, ...]:
    return ("nsenter", "-t", str(cluster.keeper), "-n", "--")


@pytest.fixture
def lan(incus_cluster: Cluster) -> Iterator[None]:
    """A bridge on every member, and a router behind them."""
    in_lan(incus_cluster, _ROUTER)
    for member in incus_cluster.members:
        incus_cluster.run(member, "sh", "-ec", _UPLINK)
    yield
    in_lan(incus_cluster, "ip link del lan26")
    for member in incus_cluster.members:
        incus_cluster.run(member, "sh", "-c", "ip link del uplan; ip link del lan26")


def bridged(home: Home, remote: str, bridge: str) -> Lab:
    lab = Lab("uplink", home=home).add_server().add_server().add_client()
    return lab.set(provider="incus", incus={"remote": remote, "bridged": bridge})


@pytest.mark.usefixtures("lan")
def test_the_servers_nic_2_is_on_the_members_bridge_and_clients_reach_the_lan(
    home: Home, incus_remote: str, incus_cluster: Cluster
) -> None:
    lab = bridged(home, incus_remote, "uplan")
    try:
        lab.up(verify=False)  # behind this LAN there are no resolvers
        status = {machine.name: machine for machine in lab.status()}
        assert set(status) == {"server1", "server2", "client1"}  # no simulated world
        assert status["server1"].member != status["server2"].member
        for name in ("server1", "server2"):
            member = next(m for m in incus_cluster.members if m.name == status[name].member)
            wire = lab.run(name, "cat /sys/class/net/enp0s8/iflink").stdout.strip()
            ends = incus_cluster.run(member, "ip", "-o", "link", "show", "master", "uplan").stdout
            assert [line for line in ends.splitlines() if line.startswith(f"{wire}: ")], ends
        assert lab.run("server1", "ping -c 1 -W 5 172.26.0.12").ok  # from member to member
        words = [*router(incus_cluster), sys.executable, "-c", _WITNESS]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as witness:
            assert witness.stdout is not None
            assert witness.stdout.readline() == "up\n"
            assert lab.run("client1", "nc -w 5 172.26.0.1 8000 </dev/null").ok
            assert witness.stdout.readline() in {
                "172.26.0.11\n",
                "172.26.0.12\n",
            }  # by NAT of the server it leased from
        lab.session().provider.set_link("server1", "bridged", up=False)
        assert lab.status()[1].cut_links == ("bridged",)
        assert not lab.run("server1", "ping -c 1 -W 1 172.26.0.1").ok
        lab.session().provider.set_link("server1", "bridged", up=True)
        assert lab.run("server1", "ping -c 1 -W 10 172.26.0.1").ok
    finally:
        lab.down()


@pytest.mark.usefixtures("lan")
def test_a_bridge_that_a_member_lacks_is_told_before_anything_is_made(
    home: Home, incus_remote: str, incus_cluster: Cluster
) -> None:
    api = Api(find_remote(home, incus_remote))
    before = api.get("/1.0/projects"), api.get("/1.0/networks")
    incus_cluster.run(incus_cluster.member(3), "ip", "link", "del", "uplan")
    for bridge, told in (
        ("uplan", "there is no bridge uplan on h3"),
        ("nowhere", "there is no bridge nowhere on h1, h2, h3"),
        ("lo", "there is no bridge lo on h1, h2, h3"),  # it is there, and no bridge
    ):
        with pytest.raises(HostError, match=told):
            bridged(home, incus_remote, bridge).up()
        assert not home.lab("uplink").path.exists()
        after = api.get("/1.0/projects"), api.get("/1.0/networks")
        assert [p for p in after[1] if "uplan" not in p] == [p for p in before[1] if "uplan" not in p]
        assert after[0] == before[0]
