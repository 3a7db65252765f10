"""Incus's answers, tokens and placement: read and chosen. No Incus is asked."""

from __future__ import annotations

import base64
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbuilder.errors import HostError, MachineError, SpecError
from labbuilder.lab import Lab
from labbuilder.providers.incus import host, pruning
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.images import cache_name, image_name
from labbuilder.providers.incus.instances import WORLD, Instances
from labbuilder.providers.incus.networks import network_name
from labbuilder.providers.incus.placement import Member, check_wishes, place
from labbuilder.providers.incus.remotes import Token, check_name, url_of
from labbuilder.providers.incus.words import NotPermittedError, refusal, went_off
from labbuilder.spec.providers import Incus

MEMBERS = tuple(Member(f"h{n}", f"https://10.0.0.{n}:8443", groups=("default",)) for n in (1, 2, 3))
GUIDE = ("server1", "server2", "client1")


@pytest.mark.parametrize(
    ("said", "code", "kind", "brief"),
    [
        ("Certificate is restricted", 403, NotPermittedError, "Incus does not permit it"),
        ("", 403, NotPermittedError, "Incus does not permit it"),
        ("Project not found", 404, HostError, "there is no such Incus project"),
        ("write /x: no space left on device", 400, HostError, "the storage pool of Incus is full"),
        ("Unable to unpack image, run out of disk space", 400, HostError, "the storage pool of Incus is full"),
        (
            'Reached maximum number of instances of type "container" in project "p"',
            400,
            HostError,
            "a limit of the Incus project is reached",
        ),
        ("Cluster member is offline", 500, HostError, "a member of the Incus cluster is offline"),
        ("Missing event connection with target cluster member", 500, HostError, "a member of the Incus cluster"),
        ("Bad name", 400, MachineError, "Incus refused: Bad name"),
    ],
)
def test_a_refusal_says_what_to_do(said: str, code: int, kind: type, brief: str) -> None:
    error = refusal(said, code, "GET /x")
    assert type(error) is kind
    assert error.brief.startswith(brief)
    assert error.resolution
    assert "GET /x" in str(error)


def test_a_crowded_kernel_is_told_by_what_a_container_said_last() -> None:
    said = ["Failed to create control group inotify object: Too many open files", "Exiting PID 1..."]  # as one did
    assert "fs.inotify.max_user_instances" in str(went_off("server1", said))
    assert "labbuilder console server1" in str(went_off("server1", ["Exiting PID 1..."]))


@given(st.integers(0, 2**32 - 1))
def test_the_guides_machines_are_on_three_members_wherever_it_begins(turn: int) -> None:
    placed = place(GUIDE, MEMBERS, {}, taken={}, spread=True, turn=turn)
    assert set(placed.values()) == {"h1", "h2", "h3"}
    assert placed["server1"] == f"h{turn % 3 + 1}"


def test_without_spread_all_are_on_one_member_and_without_a_cluster_on_none() -> None:
    assert len(set(place(GUIDE, MEMBERS, {}, taken={}, spread=False, turn=1).values())) == 1
    assert place(GUIDE, MEMBERS, {}, taken={"server2": "h3"}, spread=False)["client1"] == "h3"
    assert set(place(GUIDE, (), {}, taken={}, spread=True).values()) == {None}
    with pytest.raises(SpecError, match="no cluster"):
        place(GUIDE, (), {"server1": "h1"}, taken={}, spread=True)


def test_wishes_come_first_and_members_that_are_off_are_passed_over() -> None:
    off = (MEMBERS[0], Member("h2", "", online=False, groups=("racks",)), MEMBERS[2])
    assert place(GUIDE, MEMBERS, {"server1": "h2"}, taken={}, spread=True)["server1"] == "h2"
    assert "h2" not in place(GUIDE, off, {}, taken={}, spread=True).values()
    assert place(["x"], MEMBERS, {}, taken={"a": "h1", "b": "h2"}, spread=True) == {"x": "h3"}
    racks = (MEMBERS[0], Member("h9", "", groups=("racks",)))
    assert place(GUIDE, racks, {"client1": "@racks"}, taken={}, spread=True)["client1"] == "h9"
    for wish, why in (
        ("h2", "h2 is offline"),
        ("@racks", "@racks is offline"),
        ("@none", "no member is in a group none"),
        ("h7", "no member is h7"),
    ):
        with pytest.raises(SpecError, match=f"server1 can be placed nowhere: {why}"):
            place(GUIDE, off, {"server1": wish}, taken={}, spread=True)
        with pytest.raises(SpecError, match=why):
            check_wishes({"client1": wish}, off)
    with pytest.raises(SpecError, match="all members are offline"):
        place(GUIDE, off[1:2], {}, taken={}, spread=True)


def test_what_is_said_of_an_unknown_machine_is_an_error_of_the_spec() -> None:
    for key, value in (("placement", "h1"), ("machines", "vm")):
        with pytest.raises(SpecError, match=rf"{key}.*server9 is no machine of the lab"):
            Lab("x").add_server().section("incus", **{key: {"server9": value}}).plan()


def test_nic_2_is_on_one_network() -> None:
    lab = Lab("x").add_server().section("incus", bridged="br0", networks={"internal": "a", "bridged": "b"})
    with pytest.raises(SpecError, match=r"incus.networks.bridged: NIC 2 is connected to br0 already"):
        lab.plan()


def test_a_token_is_read_and_addresses_as_people_write_them() -> None:
    text = base64.b64encode(json.dumps({"fingerprint": "ab", "addresses": ["10.0.0.1:8443"], "secret": "s"}).encode())
    assert Token.parse(f" {text.decode()}\n").addresses == ("10.0.0.1:8443",)
    for wrong in ("", "hello", base64.b64encode(b"[]").decode(), base64.b64encode(b"{}").decode()):
        with pytest.raises(SpecError, match="no trust token"):
            Token.parse(wrong)
    assert url_of("incus1") == "https://incus1:8443"
    assert url_of("[fe80::1]:9") == "https://[fe80::1]:9"
    assert url_of("https://incus1:443") == "https://incus1:443"
    for name in ("local", "/x", "a b"):
        with pytest.raises(SpecError, match="can't be a server's name"):
            check_name(name)


def test_names_fit_the_kernel_and_change_with_what_they_name() -> None:
    plan = Lab("x").add_server().plan()
    names = {network_name("c0117ac7", number) for number in range(10)}
    assert len(names) == 10
    assert all(len(name) <= 15 for name in names)
    other = Lab("x").add_server().set(suite="trixie").plan()
    assert image_name(plan.image) != image_name(other.image)
    assert cache_name(plan.image) != cache_name(other.image)


class _Old:
    """A server that answers as Incus 6.0 does, or does not know us."""

    def __init__(self, auth: str) -> None:
        self.remote = type("Remote", (), {"shown": "old"})()
        self._auth = auth

    def get(self, path: str, **query: str) -> Any:
        return {"auth": self._auth, "api_extensions": [], "environment": {"server_version": "6.0.4"}}

    def find(self, path: str, **query: str) -> Any:
        return {"driver": "dir"}


@pytest.mark.parametrize(("auth", "told"), [("trusted", "Incus 6.0.4 lacks cables"), ("untrusted", "says: untrusted")])
def test_an_old_server_and_one_that_does_not_know_us_are_told_before(auth: str, told: str) -> None:
    with pytest.raises(HostError, match=told) as caught:
        host.preflight(cast("Api", _Old(auth)), Incus())
    assert caught.value.resolution


class _Cluster:
    """A server with one image of ours, and one instance on a member that is offline: of it Incus tells no config."""

    def get(self, path: str, **query: str) -> Any:
        return [{"name": "x", "config": None, "location": "h3"}]


def test_images_stay_while_a_member_is_offline_whose_instances_may_use_them() -> None:
    with pytest.raises(HostError, match=r"h3 use can't be seen: offline"):
        pruning.used(cast("Api", _Cluster()))


class _Able:
    """A server of one host that runs virtual machines too."""

    def get(self, path: str, **query: str) -> Any:
        return {"environment": {"server_name": "alone", "driver": "lxc | qemu"}}


def test_virtual_machines_are_refused_where_they_could_run_too() -> None:
    host.require_machines(cast("Api", _Able()), Incus(), ())
    host.require_machines(cast("Api", _Able()), Incus(machines={"server1": "container"}), ())
    with pytest.raises(HostError, match="makes no virtual machines on Incus yet"):
        host.require_machines(cast("Api", _Able()), Incus(machines={"server1": "vm"}), ())


def test_what_is_on_a_member_that_is_offline_is_known_by_the_names_of_the_plan() -> None:
    """Of those Incus tells no more; a lab `a` has no part in what a lab `a-b` has there."""

    class Offline:
        def find(self, path: str, **query: str) -> list[dict[str, Any]]:
            return [
                {"name": name, "config": None, "status": "Error"} for name in ("a-server1", "a-b-server1", "a--world")
            ]

    instances = Instances(cast("Api", Offline()), "a", "mark", lambda: (WORLD, "server1"))
    assert sorted(instances.all()) == ["-world", "server1"]
