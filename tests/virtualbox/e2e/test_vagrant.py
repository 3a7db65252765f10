"""One machine really boots by `vagrant up`, and is configured over NIC 3. It runs in the testbed: `make vbox-e2e`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.providers.base import MachineState

BOOT_S = 900  # box, import, boot and provisioning in the emulation


def vagrant_does(folder: Path, *words: str, within_s: float = 180) -> str:
    done = subprocess.run(
        ["vagrant", *words], cwd=folder, text=True, capture_output=True, check=False, timeout=within_s
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_labbuilder_brings_a_machine_up_through_vagrant(vagrant: dict[str, Any], home: Home) -> None:
    """The first one: no second machine is beside it, and takes its time."""
    lab = Lab("byvagrant", home=home).add_server().set(provider="vagrant", virtualbox=vagrant)
    try:
        lab.up(verify=False)
        assert [(m.name, m.state) for m in lab.status()] == [("server1", MachineState.RUNNING)]
        assert lab.run("server1", "systemctl is-active isc-dhcp-server").stdout == "active\n"
        assert "server1                   running" in vagrant_does(home.lab("byvagrant").path, "status")
    finally:
        lab.down()
    assert not home.lab("byvagrant").path.exists()


@pytest.fixture(scope="module")
def handed_out(vagrant: dict[str, Any], home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that a teacher hands out, and its server up by plain Vagrant."""
    folder = tmp_path_factory.mktemp("class") / "lab"
    lab = Lab("class", home=home).add_server().add_client().set(virtualbox=vagrant)
    lab.hand_out(folder)
    try:
        vagrant_does(folder, "up", "server1", within_s=BOOT_S)
        yield folder
    finally:
        vagrant_does(folder, "destroy", "-f", within_s=600)


def test_the_machine_is_configured_to_its_last_service(handed_out: Path) -> None:
    script = (
        "hostname; systemctl is-active isc-dhcp-server named; cat /proc/sys/net/ipv4/ip_forward; "
        "iptables -t nat -S POSTROUTING | tail -1; ip -4 -o addr show enp0s3 | awk '{print $4}'"
    )
    assert vagrant_does(handed_out, "ssh", "server1", "-c", script).split("\n")[:6] == [
        "server1",
        "active",
        "active",
        "1",
        "-A POSTROUTING -o enp0s8 -j MASQUERADE",
        "192.168.1.1/24",
    ]


def test_vagrant_came_in_by_the_third_card(handed_out: Path) -> None:
    seen = vagrant_does(handed_out, "ssh", "server1", "-c", "ls /sys/class/net; echo $SSH_CONNECTION; ip route").split()
    assert seen[:4] == ["enp0s3", "enp0s8", "enp0s9", "lo"]
    assert seen[6].startswith("10.0.99.")
    assert "default via 172.26.0.1 dev enp0s8" in " ".join(seen)
    assert "default via 10.0.99.2" not in " ".join(seen)


def test_provisioning_again_changes_nothing(handed_out: Path) -> None:
    said = vagrant_does(handed_out, "provision", "server1", within_s=300)
    assert "dhcp: unchanged" in said
    assert "@labbuilder" not in said
