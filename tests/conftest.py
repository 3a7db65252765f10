"""Homes, labs and a VirtualBox that tests share."""

from __future__ import annotations

import json
import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import userland
import vagrantland
from fake.world import world as world  # noqa: PLC0414  a fixture
from filelock import FileLock
from hypothesis import HealthCheck, settings
from incus_cluster import Cluster
from virtual_trial import Trial

from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage

# an example that takes long is the busy host's fault
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# A shell's background jobs and nohup ignore it, and so would every command that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What takes long begins first, so that the workers of `make test` end together.
FIRST = (
    "drill/test_measured",
    "drill/test_modes",
    "docs",
    "disks",
    "contract",
    "vagrant",
    "incus",
    "virtualbox",
    "integration",
)
TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order in which the workers of `make test` take files."""
    places = [f"{TESTS}/{name}" for name in FIRST]
    items.sort(key=lambda item: next((n for n, place in enumerate(places) if str(item.path).startswith(place)), 99))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file is one worker's, and so is Incus: a host's 128 inotify instances are enough for one cluster.

    Each mode is drilled in a lab of its own, so the longest file of drills is shared by two: a half for each engine.
    """
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415  only where there are workers

    class OneCluster(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            incus = nodeid.startswith(("tests/incus/", "tests/docs/test_incus_pages")) or nodeid.endswith("[incus]")
            if nodeid.startswith("tests/drill/test_modes"):
                return f"modes of {'kea' if 'kea' in nodeid else 'isc'}"
            return "incus" if incus else str(super()._split_scope(nodeid))

    return OneCluster(config, log)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home of this test run, with the images of the user's own: they are kept by the hash of their recipe."""
    own = Home(tmp_path_factory.mktemp("home"))
    shared = Home.default().images
    shared.mkdir(parents=True, exist_ok=True)
    own.images.symlink_to(shared)
    os.environ["LABBUILDER_HOME"] = str(own.path)
    return own


@pytest.fixture(scope="session")
def lab(home: Home) -> Iterator[Lab]:
    """The guide's lab, up and proven. A test that breaks it mends it."""
    guide = Lab("guide", home=home).add_server().add_server().add_client().up()
    yield guide
    guide.down()


@pytest.fixture(scope="module")
def drilled(home: Home) -> Iterator[Lab]:
    """A lab of one module's own: its tests hold the lab's lock, kill who works on it, and break it."""
    lab = Lab("drilled", home=home).add_server().add_server().add_client()
    with lab.up():
        yield lab


@pytest.fixture
def lost_labs_turn() -> FileLock:
    """For who makes a lost lab and for who says `down --all`, which removes the lost labs of the whole host."""
    userland.cache().mkdir(parents=True, exist_ok=True)
    return FileLock(userland.cache() / "lost-labs.lock")


@pytest.fixture(scope="session")
def incus_cluster() -> Iterator[Cluster]:
    """A real Incus cluster of three members; LABBUILDER_TEST_INCUS names the folder of one that stays."""
    named = os.environ.get("LABBUILDER_TEST_INCUS")
    if named:
        yield Cluster(Path(named))
        return
    cluster = Cluster(Path(f"/var/tmp/labbuilder-{secrets.token_hex(4)}"))  # UNIX sockets want a short path
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()


@pytest.fixture(scope="session")
def incus_remote(incus_cluster: Cluster) -> str:
    """The cluster, as `--remote` names it: the UNIX socket of its first member."""
    return str(incus_cluster.member(1).socket)


@pytest.fixture(scope="session")
def virtualbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A real VirtualBox with an empty registry; the spec's `virtualbox:` with which it is used.

    LABBUILDER_TEST_VIRTUALBOX, JSON, says how the host's own is used, where its machines really start; said nothing,
    it is the userland of tests/support, where nothing boots, so an empty disk will do.
    """
    named = os.environ.get("LABBUILDER_TEST_VIRTUALBOX")
    if named:
        yield json.loads(named)
        return
    folder, socket = tmp_path_factory.mktemp("virtualbox"), f"labbuilder-{secrets.token_hex(4)}"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", f"{userland.build()}:{os.environ['PATH']}")
        patched.setenv("VBOX_USER_HOME", str(folder / "registry"))
        patched.setenv("VBOX_IPC_SOCKETID", socket)
        disk, vboxmanage = folder / "base.vdi", VBoxManage()
        vboxmanage.change("createmedium", "disk", "--filename", disk, "--size", "8")
        vboxmanage.change("closemedium", "disk", disk)
        yield {"bridged": "nat", "image": str(disk)}
        userland.end_services(socket)


@pytest.fixture
def vboxmanage(virtualbox: dict[str, Any]) -> VBoxManage:
    del virtualbox
    return VBoxManage()


@pytest.fixture
def trial(virtualbox: dict[str, Any], tmp_path: Path) -> Iterator[Trial]:
    found = Trial(Home(tmp_path / "a home with ümläuts"), virtualbox)
    yield found
    found.provider.destroy_all()
    assert list(found.provider.residue()) == []


@pytest.fixture
def users(vboxmanage: VBoxManage, tmp_path: Path) -> Iterator[str]:
    """A machine of the user's own, with a disk and an ISO, that nobody may touch."""
    name = "users-own"
    vboxmanage.change("createvm", "--name", name, "--basefolder", tmp_path / "users", "--register")
    vboxmanage.change("storagectl", name, "--name", "s", "--add", "sata")
    disk = tmp_path / "users/own.vdi"
    vboxmanage.change("createmedium", "disk", "--filename", disk, "--size", "4")
    place = ("--storagectl", "s", "--port", "0", "--type", "hdd")
    vboxmanage.change("storageattach", name, *place, "--medium", disk)

    def seen() -> list[str]:
        return [line for line in vboxmanage.ask("showvminfo", name).splitlines() if "since" not in line]

    before = seen()
    yield name
    assert seen() == before
    assert disk.is_file()
    vboxmanage.change("unregistervm", name)
    vboxmanage.change("closemedium", "disk", disk)


@pytest.fixture(scope="session")
def vagrant(virtualbox: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A real Vagrant with no box, on the VirtualBox of the tests; the spec's `virtualbox:` with which it is used."""
    vagrantland.install()
    folder = tmp_path_factory.mktemp("vagrant")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", vagrantland.on_path(vagrantland.shim(folder / "bin")))
        patched.setenv("VAGRANT_HOME", str(folder / "home"))
        VBoxManage().change("setproperty", "machinefolder", folder / "machines")
        yield virtualbox
        VBoxManage().change("setproperty", "machinefolder", "default")
