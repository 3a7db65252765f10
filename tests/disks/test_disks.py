"""Disks boot and are whom their seed says: built here whatever the slots, Debian's cloud image, a user's own."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import cloud_image
import pytest
import rootless
from debian_packages import install
from faulty_http import Web, serving
from qemu import PACKAGES, Qemu, overlay, to_vdi

from labbuilder.errors import TransportError
from labbuilder.host.store import Home, remove_tree
from labbuilder.host.wait import wait_until
from labbuilder.plan.image import image_recipe
from labbuilder.providers.disks import cloud
from labbuilder.providers.disks.seed import MANAGEMENT_NIC, Seed, SeedNic, write_seed
from labbuilder.providers.disks.store import ensure_cloud_disk
from labbuilder.providers.disks.user import user_disk
from labbuilder.providers.images import ImageCache
from labbuilder.spec.models import LabSpec
from labbuilder.ssh.connection import connect
from labbuilder.ssh.endpoint import Endpoint, banner_ready
from labbuilder.ssh.keys import LabKeys, ensure_keys
from labbuilder.ssh.shell import Shell

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]
MACS = ("52:54:00:aa:00:01", "52:54:00:aa:00:02", "52:54:00:aa:00:03")
NAMES = {MACS[0]: "enp0s3", MACS[1]: "enp0s8", MACS[2]: MANAGEMENT_NIC}
BOOT_S = 600.0  # emulated, beside other tests
PREPARE_S = 1800.0
Boot = Callable[..., tuple[Qemu, Endpoint]]


@pytest.fixture(scope="module")
def built_disk() -> Iterator[Path]:
    """Built by who is not root; the cloud image's is built by root."""
    install(*PACKAGES, "uidmap")
    home = Path(tempfile.mkdtemp(prefix="rootless-", dir="/var/tmp"))  # pytest's folders are root's alone
    home.chmod(0o755)
    try:
        yield rootless.build(home)
    finally:
        remove_tree(home)


@pytest.fixture(scope="module")
def cloud_archive() -> Path:
    install(*PACKAGES)
    return cloud_image.build()


@pytest.fixture(scope="module")
def cloud_disk(home: Home, cloud_archive: Path) -> Iterator[Path]:
    """Downloaded from a server that cuts twice, and prepared by its own cloud-init."""
    data = cloud_archive.read_bytes()
    folder, name = "/bookworm/latest", cloud_archive.name
    sums = f"{hashlib.sha512(data).hexdigest()}  {name}\n".encode()
    with serving(Web({f"{folder}/{name}": data, f"{folder}/SHA512SUMS": sums}, cuts=2, cut_after=50_000_000)) as web:
        disk = ensure_cloud_disk(ImageCache(home), image_recipe(LabSpec()), web.url, to_vdi, boot_once)
    yield disk
    remove_tree(disk.parent)  # known by the server's address, so nobody else can use it


def boot_once(disk: Path, cd: Path, console: Path, look: Callable[[], None]) -> None:
    """What a hypervisor does for the preparation, by QEMU."""

    def is_off() -> bool:
        look()
        assert machine.process is not None
        return machine.process.poll() is not None

    with Qemu(console.parent, disk, cd, MACS[:1], [3], disk_format="vdi") as machine:
        wait_until(f"it is prepared; {console}", is_off, within_s=PREPARE_S, every_s=0.5)


@pytest.fixture(scope="module")
def users_disk(cloud_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with cloud-init that nobody has prepared."""
    folder = tmp_path_factory.mktemp("users")
    cloud.unpack(cloud_archive, folder / "disk.raw")
    to_vdi(folder / "disk.raw", folder / "own.vdi")
    return user_disk(folder / "own.vdi")[0]


@pytest.fixture
def disk(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(getattr(request, "param", "built_disk"))
    return found


@pytest.fixture
def keys(home: Home) -> LabKeys:
    lab = home.lab("disks")
    lab.path.mkdir(parents=True, exist_ok=True)
    return ensure_keys(lab, ["server1", "other"])


@pytest.fixture
def boot(tmp_path: Path, disk: Path, keys: LabKeys) -> Iterator[Boot]:
    private, public = keys.host_private("server1"), keys.host_public("server1")
    nics = tuple(SeedNic(NAMES[mac], mac) for mac in MACS[:2])
    seed = Seed("server1", keys.authorized, private, public, nics, MACS[2])
    write_seed(seed, tmp_path / "seed.iso")
    own = overlay(disk, tmp_path / "disk.qcow2")

    with ExitStack() as running:

        def start(slots: Sequence[int] = (3, 8, 9), *, seeded: bool = True) -> tuple[Qemu, Endpoint]:
            cd = tmp_path / "seed.iso" if seeded else None
            machine = running.enter_context(Qemu(tmp_path, own, cd, MACS, slots))
            endpoint = Endpoint("server1", public, keys.identity, port=machine.port)
            wait_until(f"SSH answers; {machine.console}", lambda: banner_ready(endpoint), within_s=BOOT_S, every_s=0.5)
            return machine, endpoint

        yield start


def names(shell: Shell) -> dict[str, str]:
    script = "for n in /sys/class/net/*; do echo $(cat $n/address) ${n##*/}; done"
    pairs = (line.split() for line in shell.run(script).stdout.splitlines())
    return {mac: name for mac, name in pairs if name != "lo"}


def is_server1(machine: Qemu, endpoint: Endpoint) -> None:
    """It is whom its seed says, and there is nothing else about it."""
    with closing(connect(endpoint)) as shell:
        assert names(shell) == NAMES
        assert shell.run("hostname").stdout.strip() == "server1"
        assert shell.run("ip route show default").stdout == ""
        assert shell.run("cat /etc/resolv.conf").stdout == ""
        assert "10.0.99.15/24" in shell.run(f"ip -4 -o addr show dev {MANAGEMENT_NIC}").stdout
        assert shell.run("ip -4 -o addr show dev enp0s3; ip -4 -o addr show dev enp0s8").stdout == ""
        listening = shell.run("ss -Hltn 'sport = :22'").stdout
        assert f"%{MANAGEMENT_NIC}:22" in listening
        assert len(listening.splitlines()) == 1
        assert shell.run("stat -c %a%U /etc/ssh/lab_host_ed25519").stdout.strip() == "600root"
        assert shell.run("systemctl --failed --no-legend").stdout == ""
    assert "labbuilder: this machine is server1" in machine.console.read_text(errors="replace")


@pytest.mark.parametrize("disk", ["cloud_disk"], indirect=True)
def test_debians_prepared_disk_boots_as_the_machine_of_its_seed(boot: Boot) -> None:
    is_server1(*boot())


def test_a_built_disk_does_so_in_any_slots_shows_its_host_key_and_needs_its_seed_once(
    boot: Boot, keys: LabKeys
) -> None:
    machine, endpoint = boot((8, 3, 5))
    is_server1(machine, endpoint)
    wrong = Endpoint("server1", keys.host_public("other"), keys.identity, port=endpoint.port)
    with pytest.raises(TransportError, match="can't be reached"):
        connect(wrong)
    with closing(connect(endpoint)) as shell:
        shell.run("sync")
    machine.stop()
    is_server1(*boot((3, 8, 9), seeded=False))


@pytest.mark.parametrize("disk", ["users_disk"], indirect=True)
def test_a_users_own_disk_with_cloud_init_is_whom_its_seed_says(boot: Boot) -> None:
    _, endpoint = boot()
    with closing(connect(endpoint)) as shell:
        assert names(shell) == NAMES
        assert shell.run("hostname").stdout.strip() == "server1"
        assert shell.run("ip route show default").stdout == ""
        assert "10.0.99.15/24" in shell.run(f"ip -4 -o addr show dev {MANAGEMENT_NIC}").stdout
        assert shell.run("ip -4 -o addr show dev enp0s3; ip -4 -o addr show dev enp0s8").stdout == ""
