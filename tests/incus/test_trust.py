"""The same API over HTTPS: a token, a pinned certificate, and what Incus refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from incus_cluster import Cluster
from netns_relay import relayed

from labbuilder.errors import HostError, SpecError
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.remotes import find_remote, forget_remote, keep_remote, remotes
from labbuilder.providers.incus.trust import add_remote

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]


@pytest.fixture(scope="module")
def address(incus_cluster: Cluster) -> Iterator[str]:
    """The HTTPS port of the first member, as this host reaches it."""
    with relayed(incus_cluster.keeper, incus_cluster.member(1).address, 8443) as found:
        yield found


@pytest.fixture
def stranger(home: Home, tmp_path: Path) -> Home:
    """A home that no server knows."""
    own = Home(tmp_path / "home")
    own.path.mkdir()
    own.images.symlink_to(home.images.resolve())
    return own


def token(cluster: Cluster, name: str, *options: str) -> str:
    return cluster.run(cluster.member(1), "incus", "config", "trust", "add", name, *options).stdout.split()[-1]


def no_word(fingerprint: str) -> bool:
    raise AssertionError(f"asked about {fingerprint}: a token says it")


def test_a_lab_is_built_over_https_with_a_token(stranger: Home, incus_cluster: Cluster, address: str) -> None:
    text = token(incus_cluster, "over-https")
    found = add_remote(stranger, "far", address=address, token=text, trusts=no_word)
    assert found["fingerprint"] == json.loads(base64.b64decode(text))["fingerprint"]
    assert (stranger.path / "incus/client.key").stat().st_mode & 0o077 == 0
    lab = Lab("far", home=stranger).add_server().add_client().set(provider="incus").section("incus", remote="far")
    try:
        lab.up().verify().raise_for_failures()
        assert {machine.member for machine in lab.status()} <= {"h1", "h2", "h3"}
    finally:
        lab.down()


def test_a_token_of_another_server_is_refused(stranger: Home, incus_cluster: Cluster, address: str) -> None:
    values = json.loads(base64.b64decode(token(incus_cluster, "other")))
    forged = base64.b64encode(json.dumps(values | {"fingerprint": "0" * 64}).encode()).decode()
    with pytest.raises(SpecError, match="is not the server that made the token"):
        add_remote(stranger, "forged", address=address, token=forged, trusts=no_word)
    with pytest.raises(SpecError, match="no trust token"):
        add_remote(stranger, "forged", address=address, token="hello", trusts=no_word)
    assert remotes(stranger) == ()


def test_a_certificate_is_pinned_on_first_use_with_the_users_word(
    stranger: Home, incus_cluster: Cluster, address: str
) -> None:
    with pytest.raises(SpecError, match="was not trusted"):
        add_remote(stranger, "first", address=address, token=None, trusts=lambda _: False)
    with pytest.raises(HostError, match="does not know us"):
        add_remote(stranger, "first", address=address, token=None, trusts=lambda _: True)
    assert remotes(stranger) == ()
    certificate = (stranger.path / "incus/client.crt").read_text(encoding="ascii")
    incus_cluster.run(incus_cluster.member(1), "incus", "config", "trust", "add-certificate", "-", stdin=certificate)
    add_remote(stranger, "first", address=address, token=None, trusts=lambda _: True)
    assert Api(find_remote(stranger, "first")).get("/1.0")["auth"] == "trusted"


def test_another_certificate_than_the_pinned_one_is_refused(
    stranger: Home, incus_cluster: Cluster, address: str
) -> None:
    add_remote(stranger, "pinned", address=address, token=token(incus_cluster, "pinned"), trusts=no_word)
    own = (stranger.path / "incus/client.crt").read_text(encoding="ascii")
    known = find_remote(stranger, "pinned")
    keep_remote(stranger, type(known)(known.name, known.url, None, own, known.identity))
    with pytest.raises(HostError, match=r"(?s)can't be reached.*CERTIFICATE_VERIFY_FAILED"):
        Api(find_remote(stranger, "pinned")).get("/1.0")
    forget_remote(stranger, "pinned")
    with pytest.raises(SpecError, match="no Incus server named pinned"):
        find_remote(stranger, "pinned")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"project": "nowhere"}, "there is no Incus project nowhere"),
        ({"pool": "nowhere"}, "there is no storage pool nowhere"),
        ({"remote": "/nowhere/unix.socket"}, "can't be reached at /nowhere/unix.socket"),
    ],
)
def test_what_is_not_there_is_told_before_anything_is_made(
    stranger: Home, incus_remote: str, settings: dict[str, str], told: str
) -> None:
    lab = Lab("early", home=stranger).add_server().set(provider="incus")
    with pytest.raises(HostError, match=told):
        lab.section("incus", **{"remote": incus_remote, **settings}).up()
    assert not stranger.lab("early").path.exists()


def test_a_limit_of_the_project_and_a_full_pool_are_told_in_words(
    stranger: Home, incus_remote: str, incus_cluster: Cluster
) -> None:
    admin = Api(find_remote(stranger, incus_remote))
    limits = {"features.images": "false", "limits.instances": "1"}
    admin.change("POST", "/1.0/projects", {"name": "small", "config": limits})
    lab = (
        Lab("small", home=stranger)
        .add_server()
        .set(provider="incus")
        .section("incus", remote=incus_remote, project="small")
    )
    try:
        with pytest.raises(HostError, match="a limit of the Incus project is reached"):
            lab.up()
    finally:
        lab.down()
        admin.remove("/1.0/projects/small")
    for member in incus_cluster.members:
        incus_cluster.run(member, "mkdir", "-p", "/tmp/tiny")
        incus_cluster.run(member, "mount", "-t", "tmpfs", "-o", "size=50m", "tiny", "/tmp/tiny")
        admin.change("POST", "/1.0/storage-pools", _tiny({"source": "/tmp/tiny"}), target=member.name)
    admin.change("POST", "/1.0/storage-pools", _tiny({}))
    lab.section("incus", project=None, pool="tiny")
    try:
        with pytest.raises(HostError, match="the storage pool of Incus is full"):
            lab.up()
    finally:
        lab.down()
        admin.remove("/1.0/storage-pools/tiny")


def _tiny(config: dict[str, str]) -> dict[str, object]:
    return {"name": "tiny", "driver": "dir", "config": config}
