"""VirtualBox's words: read, and chosen. No VirtualBox is asked."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbuilder.errors import HostError, LabError, MachineError
from labbuilder.host.run import Result
from labbuilder.lab import Lab
from labbuilder.providers.virtualbox import host, vboxmanage
from labbuilder.providers.virtualbox.bridge import choose_bridge
from labbuilder.providers.virtualbox.hardware import LAN_BOOT_KEY, extradata, modifyvm_words
from labbuilder.providers.virtualbox.registry import HostInterface
from labbuilder.providers.virtualbox.vboxmanage import parse_machine_readable
from labbuilder.spec.providers import VirtualBox

ETH0 = HostInterface("eth0", up=True, wireless=False, address="10.1.2.3")
WLAN0 = HostInterface("wlan0", up=True, wireless=True, address="10.9.9.9")
DOWN = HostInterface("eth1", up=False, wireless=False, address="0.0.0.0")


def test_quoted_and_plain_values_are_read_and_values_over_several_lines() -> None:
    text = 'name="a b"\nmemory=512\ndescription="one\ntwo=2\nthree"\nForwarding(0)="ssh,tcp,127.0.0.1,1,,22"\n'
    seen = parse_machine_readable(text)
    assert seen["name"] == "a b"
    assert seen["memory"] == "512"
    assert seen["description"] == "one\ntwo=2\nthree"
    assert seen["Forwarding(0)"].startswith("ssh,")
    assert "two" not in seen


@given(st.dictionaries(st.from_regex(r"[A-Za-z][A-Za-z0-9()]{0,12}", fullmatch=True), st.text()))
def test_what_virtualbox_escapes_is_read_back(values: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"')

    text = "".join(f'{key}="{quoted(value)}"\n' for key, value in values.items())
    assert parse_machine_readable(text) == values


def words_of(machine: str, **settings: Any) -> list[str]:
    plan = Lab("w").add_server().add_client().set(provider="virtualbox", virtualbox=settings).plan()
    return modifyvm_words(plan, plan.machine(machine), bridge="eth0", mark="1", console="/c")


def value(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def test_nic_1_is_internal_nic_2_bridged_and_nic_3_for_management() -> None:
    server = words_of("server1")
    assert [value(server, f"--nic{n}") for n in (1, 2, 3)] == ["intnet", "bridged", "nat"]
    assert value(server, "--intnet1") == "labbuilder-w-1"
    assert value(server, "--bridge-adapter2") == "eth0"
    client = words_of("client1")
    assert "--nic2" not in client
    assert value(client, "--nic3") == "nat"
    assert len({value(server, f"--mac-address{n}") for n in (1, 2, 3)}) == 3


def test_the_users_own_words_come_last_so_they_win() -> None:
    words = words_of("server1", memory_mib=320, modifyvm=["--memory", "400"])
    assert words[-2:] == ["--memory", "400"]
    assert value(words, "--memory") == "320"


def test_arm_hosts_have_no_piix3(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--chipset" in words_of("server1")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert "--chipset" not in words_of("server1")


def test_only_a_bios_is_told_of_a_lan_boot_rom(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(**settings: Any) -> dict[str, str]:
        return extradata(VirtualBox(**settings), lan_boot_rom="/rom")

    assert told() == {LAN_BOOT_KEY: "/rom"}
    assert told(extradata={LAN_BOOT_KEY: "/mine", "a": "b"}) == {LAN_BOOT_KEY: "/mine", "a": "b"}
    assert told(modifyvm=["--firmware", "efi64"]) == {}
    assert told(modifyvm=["--firmware=EFI"]) == {}
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert told() == {}


def test_the_bridge_is_the_named_one_or_the_one_with_the_default_route(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (ETH0, WLAN0, DOWN)
    assert choose_bridge("wlan0", found) == "wlan0"
    assert choose_bridge("nat", ()) is None
    monkeypatch.setattr("labbuilder.providers.virtualbox.bridge.default_route_address", lambda: WLAN0.address)
    assert choose_bridge("auto", found) == "wlan0"
    for wanted, told in (("eth9", "no such interface"), ("eth1", "eth1 is down")):
        with pytest.raises(HostError, match=told):
            choose_bridge(wanted, found)
    monkeypatch.setattr("labbuilder.providers.virtualbox.bridge.default_route_address", lambda: None)
    with pytest.raises(HostError, match="default route"):
        choose_bridge("auto", found)


@pytest.mark.parametrize(
    ("said", "kind", "told"),
    [
        ("VBoxManage: error: ... VBOX_E_OBJECT_NOT_FOUND (0x80bb0001)", MachineError, "does not know it"),
        ("VBoxManage: error: The machine 'x' is already locked for a session", MachineError, "another program holds"),
        (
            "VBoxManage: error: Storage controller named 's' already exists\n VBOX_E_OBJECT_IN_USE",
            MachineError,
            "one of that name",
        ),
        ("VBoxManage: error: ... (VERR_DISK_FULL)", HostError, "no room"),
        (
            "VBoxManage: error: VT-x is being used by another hypervisor (VERR_VMX_IN_VMX_ROOT_MODE)",
            HostError,
            "another hypervisor",
        ),
        ("VBoxManage: error: VT-x is not available (VERR_VMX_NO_VMX)", HostError, "offers no virtualization"),
        ("VBoxManage: error: Failed to create the VirtualBox object!", MachineError, "VBoxSVC"),
        ("VBoxManage: error: something new", MachineError, "something new"),
    ],
)
def test_what_virtualbox_says_is_told_in_our_words_with_its_own_beside(
    said: str, kind: type[LabError], told: str
) -> None:
    error = vboxmanage._told(Result(("VBoxManage", "x"), 1, "WARNING: /dev/vboxdrv does not exist\n", said))
    assert type(error) is kind
    assert told in error.brief
    assert error.resolution
    assert said.splitlines()[0] in (error.details or "")


@pytest.mark.parametrize(
    ("version", "kernel", "modules", "advice"),
    [
        ((7, 2, 10), "6.12.1", "kvm_intel 400 3 - Live 0x0", None),
        ((7, 1, 0), "6.12.1", "kvm_intel 400 0 - Live 0x0", "kvm.enable_virt_at_load=0"),
        ((7, 1, 0), "6.1.0", "kvm_amd 400 0 - Live 0x0", None),
        ((7, 1, 0), "6.1.0", "kvm_amd 400 2 - Live 0x0", "end KVM's machines"),
        ((7, 1, 0), "6.12.1", "ext4 400 2 - Live 0x0", None),
    ],
)
def test_the_doctor_knows_who_holds_vt_x(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    version: tuple[int, ...],
    kernel: str,
    modules: str,
    advice: str | None,
) -> None:
    (tmp_path / "modules").write_text(modules + "\n")
    monkeypatch.setattr(host, "LOADED", tmp_path / "modules")
    monkeypatch.setattr(platform, "release", lambda: kernel)
    found = host._holder_of_vtx(version)
    assert found.ok is (advice is None)
    assert advice is None or advice in found.resolution
