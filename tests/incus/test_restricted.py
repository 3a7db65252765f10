"""A certificate that is restricted to one project: what it builds there, and what it must ask the admin for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from incus_cluster import Cluster
from netns_relay import relayed
from pages import ROOT

from labbuilder.errors import HostError, LabError
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.remotes import find_remote
from labbuilder.providers.incus.trust import add_remote

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

PAGE = ROOT / "docs/incus.md"
_NETWORK = """
for member in h1 h2 h3; do incus network create {name} --target $member tunnel.vx.interface=br0; done
incus network create {name} ipv6.address=none {more} tunnel.vx.protocol=vxlan tunnel.vx.id={vxlan}
"""
_SERVED = "ipv4.address=10.9.8.1/24 ipv4.dhcp=false dns.mode=none"  # the members have no dnsmasq
_FORGET = """
incus query --wait -X DELETE "/1.0/projects/pupils?force=1"
incus network delete pupili
incus network delete pupilb
for own in $(incus config trust list -c nf -f csv | sed -n s/^pupil,//p); do incus config trust remove $own; done
"""


def admin(cluster: Cluster, script: str) -> str:
    """What the admin does on a member; what it says."""
    return cluster.run(cluster.member(1), "sh", "-ec", script).stdout


@pytest.fixture
def pupil(home: Home, tmp_path: Path, incus_cluster: Cluster) -> Iterator[Home]:
    """A home whose certificate is let into the project pupils alone, where one pair of networks may be used."""
    own = Home(tmp_path / "home")
    own.path.mkdir()
    own.images.symlink_to(home.images.resolve())
    (commands,) = re.findall("^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    said = admin(incus_cluster, commands.replace("IFACE", "br0"))
    try:
        with relayed(incus_cluster.keeper, incus_cluster.member(1).address, 8443) as address:
            add_remote(own, "school", address=address, token=said.split()[-1], trusts=lambda _: False)
            yield own
    finally:
        admin(incus_cluster, _FORGET)


def restricted(home: Home, **settings: object) -> Lab:
    lab = Lab("restricted", home=home).add_server().add_server().add_client().set(provider="incus")
    return lab.section("incus", **{"remote": "school", "project": "pupils", **settings})


def test_what_it_may_not_do_is_told_with_what_to_ask_for(pupil: Home, incus_cluster: Cluster) -> None:
    made = {"internal": "pupili", "bridged": "pupilb"}
    admin(incus_cluster, _NETWORK.format(name="served", vxlan=73, more=_SERVED))
    try:
        for settings, told in (
            ({"project": None}, "(?s)can't have one of its own.*may use: pupils.*--project"),
            ({}, r"(?s)may not make networks.*lacks 2: internal and bridged.*incus: networks:"),
            ({"networks": {"internal": "pupili"}}, "lacks 1: bridged"),
            ({"networks": {**made, "bridged": "served"}}, "there is no network served that the project pupils may use"),
            ({"networks": made, "placement": {"server1": "h2"}}, "restricted.cluster.target=allow"),
        ):
            with pytest.raises(HostError, match=told):
                restricted(pupil, **settings).up()
            assert not pupil.lab("restricted").path.exists()
        admin(incus_cluster, "incus project set pupils restricted.networks.access=pupili,pupilb,served")
        with pytest.raises(HostError, match=r"(?s)Incus itself is 10.9.8.1 on the network served.*ipv4.address=none"):
            restricted(pupil, networks={**made, "bridged": "served"}).up()
    finally:
        admin(incus_cluster, "incus network delete served")


def test_it_builds_a_lab_on_the_networks_that_were_made_for_it(pupil: Home, incus_cluster: Cluster) -> None:
    made = {"internal": "pupili", "bridged": "pupilb"}
    lab = restricted(pupil, networks=made)
    try:
        lab.up().verify().raise_for_failures()
        assert {machine.member for machine in lab.status()} <= {"h1", "h2", "h3"}
        with pytest.raises(HostError, match=r"(?s)network pupili is in use.*restricted-client1"):
            restricted(pupil, networks=made).set(name="second").up()
        lab.session().provider.set_link("client1", "internal", up=False)
        assert {m.name: m.cut_links for m in lab.status()}["client1"] == ("internal",)
        lab.session().provider.set_link("client1", "internal", up=True)
        with pytest.raises(LabError, match=r"(?s)allows no snapshots.*restricted.snapshots=allow"):
            lab.save("kept")
    finally:
        lab.down()
    admins = Api(find_remote(pupil, str(incus_cluster.member(1).socket)), "pupils")
    assert admins.get("/1.0/instances") == []
    assert {"/1.0/networks/pupili", "/1.0/networks/pupilb"} <= set(admins.get("/1.0/networks"))


def test_it_chooses_members_where_the_admin_lets_it(pupil: Home, incus_cluster: Cluster) -> None:
    admin(incus_cluster, "incus project set pupils restricted.cluster.target=allow")
    lab = restricted(pupil, networks={"internal": "pupili", "bridged": "pupilb"}, placement={"server1": "h2"})
    try:
        lab.up(verify=False)
        members = {machine.name: machine.member for machine in lab.status()}
        assert members["server1"] == "h2"
        assert len(set(members.values())) == 3
    finally:
        lab.down()
