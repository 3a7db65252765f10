"""The guide's lab, spread over the members of a real Incus cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from incus_cluster import Cluster

from labbuilder.drill import carry_out
from labbuilder.errors import HostError, LabError, SpecError
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.model.fault import Call, Fault, Measure, Well
from labbuilder.providers.base import MachineState
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.remotes import find_remote

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]


def guide(home: Home, remote: str, name: str) -> Lab:
    return Lab(name, home=home).add_server().add_server().add_client().set(provider="incus", incus={"remote": remote})


@pytest.fixture(scope="module")
def spread(home: Home, incus_remote: str) -> Iterator[Lab]:
    """The guide's lab, up and proven over three members. A test that breaks it mends it.

    The primary is not on the first member, which is the one that is asked.
    """
    lab = guide(home, incus_remote, "spread").section("incus", placement={"server1": "h2"}).up()
    yield lab
    lab.down()


@pytest.fixture
def api(home: Home, incus_remote: str) -> Api:
    return Api(find_remote(home, incus_remote))


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "labbuilder", *words], capture_output=True, text=True, check=False)


def member_of(lab: Lab, machine: str) -> str:
    return next(m.member for m in lab.status() if m.name == machine)


def test_every_machine_is_on_a_member_of_its_own_and_the_status_says_which(spread: Lab) -> None:
    members = [machine.member for machine in spread.status()]
    assert sorted(members) == ["h1", "h2", "h3"]
    headline, *shown = command("status", "--lab", "spread").stdout.splitlines()
    assert headline == "spread: incus, load-balancing on isc"
    assert shown[0].split()[:3] == ["machine", "state", "member"]
    assert [line.split()[2] for line in shown[1:]] == members


def test_a_second_up_changes_nothing(spread: Lab) -> None:
    spread.up()
    assert spread.outcome is not None
    assert spread.outcome.unchanged


def test_incus_serves_nothing_on_the_labs_networks(spread: Lab, incus_cluster: Cluster) -> None:
    for member in incus_cluster.members:
        assert incus_cluster.run(member, "sh", "-c", "pgrep -x dnsmasq || echo none").stdout == "none\n"
    nics = spread.run("server1", "ls /sys/class/net").stdout.split()
    assert sorted(nics) == ["enp0s3", "enp0s8", "lo"]


def test_openssh_reaches_a_machine_through_the_api(spread: Lab) -> None:
    said = command("ssh", "client1", "--lab", "spread", "--", "hostname; exit 7")
    assert (said.stdout, said.returncode) == ("client1\n", 7), said.stderr


def test_a_snapshot_of_the_whole_lab_is_gone_back_to_and_proven(spread: Lab) -> None:
    spread.run("server1", "echo before >/root/note; sync")
    spread.save("kept")
    spread.run("server1", "echo after >/root/note; systemctl disable named")
    spread.restore("kept")
    assert spread.run("server1", "cat /root/note").stdout == "before\n"
    spread.forget("kept")


def test_the_primarys_member_dies_and_the_clients_are_served_by_the_other(spread: Lab, incus_cluster: Cluster) -> None:
    spread.close()  # its connection to the primary dies with the member
    primary = incus_cluster.member(int(member_of(spread, "server1")[1:]))

    with spread.locked_session() as session:

        def die() -> None:
            session.drop("server1")
            incus_cluster.kill(primary)

        def come_back() -> None:
            incus_cluster.revive(primary)
            session.provider.start("server1")
            session.provider.wait_ready("server1")

        step = Call(die, come_back, away="server1")
        dies = Fault(
            "member", "the primary's member dies", ("server1",), (step,), (Well(),), meanwhile=(Measure(10.0),)
        )
        result = carry_out(session, dies)
    assert result.outage is not None
    assert 0 < result.outage < 60
    spread.verify().raise_for_failures()


def test_a_machine_whose_member_is_dead_is_lost_and_up_says_so(spread: Lab, incus_cluster: Cluster) -> None:
    name = next(m.name for m in spread.status() if m.member == "h3")
    spread.close()
    incus_cluster.kill(incus_cluster.member(3))
    try:
        found = {machine.name: machine for machine in spread.status()}
        assert (found[name].state, found[name].member) == (MachineState.LOST, "h3")
        with pytest.raises(HostError, match=r"member.* is offline"):
            spread.up()
        with pytest.raises(LabError, match=r"things of the lab spread are still there"):
            spread.down()
    finally:
        incus_cluster.revive(incus_cluster.member(3))
    spread.up().verify().raise_for_failures()


def test_down_leaves_nothing_on_the_server(home: Home, incus_remote: str, api: Api) -> None:
    before = everything(api)
    lab = guide(home, incus_remote, "gone").up(verify=False)
    assert len({machine.member for machine in lab.status()}) == 3
    assert everything(api) != before
    lab.down()
    assert everything(api) == before


def everything(api: Api) -> str:
    kinds = ("projects", "networks", "instances?all-projects=true", "storage-pools/default/volumes?all-projects=true")
    found = {kind: api.get(f"/1.0/{kind}", project="") if "?" in kind else api.get(f"/1.0/{kind}") for kind in kinds}
    return json.dumps({kind: [p for p in paths if "/image/" not in p] for kind, paths in found.items()})


def test_machines_go_where_the_spec_says(home: Home, incus_remote: str, api: Api, incus_cluster: Cluster) -> None:
    api.change("POST", "/1.0/cluster/groups", {"name": "racks", "members": []})
    lab, before = guide(home, incus_remote, "placed"), everything(api)
    for wish, why in (
        ("h9", "no member is h9"),
        ("@cellar", "no member is in a group cellar"),
        ("@racks", "no member is in a group racks"),  # it is there, and empty
    ):
        with pytest.raises(SpecError, match=f"server1 can be placed nowhere: {why}"):
            lab.section("incus", placement={"server1": wish}).up()
        assert not home.lab("placed").path.exists()
        assert everything(api) == before
    try:
        for name in ("h2", "h3"):
            incus_cluster.run(incus_cluster.member(1), "incus", "cluster", "group", "add", name, "racks")
        lab.section("incus", placement={"server1": "@racks", "server2": "@racks", "client1": "h2"}).up(verify=False)
        assert {member_of(lab, name) for name in ("server1", "server2")} == {"h2", "h3"}
        assert member_of(lab, "client1") == "h2"
    finally:
        lab.down()
        for name in ("h2", "h3"):
            incus_cluster.run(incus_cluster.member(1), "incus", "cluster", "group", "remove", name, "racks")
        api.remove("/1.0/cluster/groups/racks")


@pytest.mark.parametrize("settings", [{"machine": "vm"}, {"machines": {"client1": "vm"}}])
def test_virtual_machines_are_refused_with_the_members_that_cant_before_anything_is_made(
    home: Home, incus_remote: str, api: Api, settings: dict[str, object]
) -> None:
    before = everything(api)
    with pytest.raises(
        HostError, match=r"(?s)h1, h2, h3 can't run virtual machines.*h1: it has lxc alone. KVM support"
    ):
        guide(home, incus_remote, "vms").section("incus", **settings).up()
    assert not home.lab("vms").path.exists()
    assert everything(api) == before


def test_labs_of_the_same_addresses_live_side_by_side_in_a_project_of_the_users(
    home: Home, incus_remote: str, api: Api, tmp_path: object
) -> None:
    api.change("POST", "/1.0/projects", {"name": "class", "config": {"features.images": "false"}})
    try:
        words = (
            "--provider",
            "incus",
            "--remote",
            incus_remote,
            "--project",
            "class",
            "--name",
            "pupil",
            "--count",
            "2",
        )
        said = command("up", *words, "--json")
        told = json.loads(said.stdout)
        assert [(lab["lab"], lab.get("error")) for lab in told["labs"]] == [("pupil-1", None), ("pupil-2", None)]
        assert len(api.get("/1.0/instances", project="class")) == 8
        for lab in ("pupil-1", "pupil-2"):
            assert command("down", "--lab", lab).returncode == 0
        assert api.get("/1.0/instances", project="class") == []
    finally:
        api.remove("/1.0/projects/class")
