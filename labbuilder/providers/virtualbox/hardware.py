"""The hardware of a machine of the plan, in the words of `modifyvm`. Pure."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator

from labbuilder.plan.model import MachinePlan, NetworkKind, Nic, stable_mac
from labbuilder.spec.providers import VirtualBox

MANAGEMENT_NET = "10.0.99.0/24"
SSH_RULE = "ssh"
LAN_BOOT_KEY = "VBoxInternal/Devices/pcbios/0/Config/LanBootRom"
NO_LAN_BOOT = bytes(4096)  # no signature, so the BIOS finds no ROM; VirtualBox takes whole pages
_EFI = re.compile(r"(--firmware=)?efi", re.IGNORECASE)
SLOTS: dict[NetworkKind, int] = {"internal": 1, "bridged": 2}
MANAGEMENT_SLOT = 3


def management_mac(mark: str, machine: str) -> str:
    """The MAC of NIC 3, the same whenever this machine is made."""
    return stable_mac(f"{mark}/{machine}/management")


def internal_network(lab: str, mark: str) -> str:
    """The internal network's name: the lab's own, since VirtualBox's are shared by all of a user's machines."""
    return f"labbuilder-{lab}-{mark}"


def modifyvm_words(
    machine: MachinePlan, settings: VirtualBox, *, network: str, bridge: str | None, mark: str, console: str
) -> list[str]:
    """Every word after ``modifyvm UUID``, but the forwarded port, which changes from start to start.

    Args:
        machine: The machine of the plan.
        settings: What the spec says of VirtualBox.
        network: The internal network's name.
        bridge: The host interface that NIC 2 is bridged to; None attaches it to NAT.
        mark: The lab's mark.
        console: The file that the serial port writes.
    """
    words = [*board_words(settings), *_console(console)]
    for nic in machine.nics:
        words += [*_card(SLOTS[nic.network], nic.mac), *_wire(nic, network, bridge)]
    if machine.role == "client":  # the clients of a drill live behind its card, each with a MAC of its own
        words += [f"--nic-promisc{SLOTS['internal']}", "allow-all"]
    slot = MANAGEMENT_SLOT
    words += [*_card(slot, management_mac(mark, machine.name)), f"--nic{slot}", "nat"]
    return [*words, f"--nat-net{slot}", MANAGEMENT_NET, *settings.modifyvm]


def preparing_words(settings: VirtualBox, *, console: str) -> list[str]:
    """The words for the machine in which a cloud image is prepared: one NIC, to the world."""
    return [*board_words(settings), *_console(console), "--nic1", "nat", "--nic-type1", "virtio", *settings.modifyvm]


def board_words(settings: VirtualBox) -> list[str]:
    """The words for all that is the same in every machine of a lab."""
    # fmt: off
    words = [
        "--memory", str(settings.memory_mib), "--cpus", str(settings.cpus), "--rtc-use-utc", "on",
        "--graphicscontroller", "vmsvga", "--vram", "16", "--audio-enabled", "off", "--usb-ohci", "off",
        "--boot1", "disk", "--boot2", "none", "--boot3", "none", "--boot4", "none",
        "--uart1", "0x3F8", "4",
    ]
    # fmt: on
    if _is_x86():
        words += ["--chipset", "piix3", "--ioapic", "on", "--pae", "off"]
    return words


def is_bios(settings: VirtualBox) -> bool:
    """The machines have a PC's BIOS: what is set for it keeps a machine with another firmware from starting."""
    return _is_x86() and not any(_EFI.match(word) for word in settings.modifyvm)


def extradata(settings: VirtualBox, *, lan_boot_rom: str) -> dict[str, str]:
    """Keys and values for ``setextradata``.

    The ROM has nothing in it: a machine that went on from a saved state hangs in VirtualBox's own iPXE when it reboots
    (VirtualBox's issues 199 and 717), and no machine of a lab boots from its network.

    Args:
        settings: What the spec says of VirtualBox.
        lan_boot_rom: The file of `NO_LAN_BOOT`.
    """
    return ({LAN_BOOT_KEY: lan_boot_rom} if is_bios(settings) else {}) | settings.extradata


def _is_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


def _console(file: str) -> list[str]:
    return ["--uart-mode1", "file", file]


def _card(slot: int, mac: str) -> list[str]:
    return [f"--nic-type{slot}", "virtio", f"--mac-address{slot}", mac.replace(":", "").upper()]


def _wire(nic: Nic, network: str, bridge: str | None) -> Iterator[str]:
    slot = SLOTS[nic.network]
    if nic.network == "internal":
        yield from (f"--nic{slot}", "intnet", f"--intnet{slot}", network)
    elif bridge is None:
        assert nic.address is not None  # noqa: S101  a server's, always static
        yield from (f"--nic{slot}", "nat", f"--nat-net{slot}", str(nic.address.network))
    else:
        yield from (f"--nic{slot}", "bridged", f"--bridge-adapter{slot}", bridge)


def forward_words(port: int) -> list[str]:
    """The words that forward a local port to the machine's SSH."""
    return [f"--nat-pf{MANAGEMENT_SLOT}", f"{SSH_RULE},tcp,127.0.0.1,{port},,22"]
