"""The disk that is built here boots, and is whom its seed says, whatever slots its NICs are in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from qemu import Qemu, need_qemu, overlay, to_vdi

from labbuilder.errors import TransportError
from labbuilder.keys import LabKeys, ensure_keys
from labbuilder.plan.image import image_recipe
from labbuilder.providers.disks.seed import MANAGEMENT_NIC, Seed, SeedNic, write_seed
from labbuilder.providers.disks.store import ensure_disk
from labbuilder.providers.images import ImageCache
from labbuilder.spec.models import LabSpec
from labbuilder.store import Home
from labbuilder.transport import Endpoint, Shell, banner_ready
from labbuilder.wait import wait_until

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]
MACS = ("52:54:00:aa:00:01", "52:54:00:aa:00:02", "52:54:00:aa:00:03")
NAMES = {MACS[0]: "enp0s3", MACS[1]: "enp0s8", MACS[2]: MANAGEMENT_NIC}
BOOT_S = 240.0
Boot = Callable[..., tuple[Qemu, Endpoint]]


@pytest.fixture(scope="module")
def disk(home: Home) -> Path:
    need_qemu()
    return ensure_disk(ImageCache(home), image_recipe(LabSpec()), to_vdi)


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


@pytest.mark.parametrize("slots", [(3, 8, 9), (8, 3, 5)], ids=["piix3", "swapped"])
def test_a_seeded_disk_boots_as_the_machine_of_its_seed(boot: Boot, slots: tuple[int, ...]) -> None:
    machine, endpoint = boot(slots)
    with closing(Shell(endpoint)) as shell:
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


def test_a_machine_that_shows_another_host_key_is_refused(boot: Boot, keys: LabKeys) -> None:
    _, endpoint = boot()
    wrong = Endpoint("server1", keys.host_public("other"), keys.identity, port=endpoint.port)
    with pytest.raises(TransportError, match="can't be reached"):
        Shell(wrong)


def test_a_seeded_machine_boots_again_without_its_seed_disk(boot: Boot) -> None:
    machine, endpoint = boot()
    with closing(Shell(endpoint)) as shell:
        shell.run("sync")
    machine.stop()
    _, again = boot((8, 3, 5), seeded=False)
    with closing(Shell(again)) as shell:
        assert names(shell) == NAMES
        assert shell.run("hostname").stdout.strip() == "server1"
