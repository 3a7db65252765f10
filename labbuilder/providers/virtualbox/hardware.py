"""The hardware of a machine of the plan, in the words of `modifyvm`. Pure."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator

from labbuilder.model.lab import MachinePlan, Network, Plan, stable_mac
from labbuilder.spec.providers import VirtualBox

MANAGEMENT_NET = "10.0.99.0/24"
SSH_RULE = "ssh"
LAN_BOOT_KEY = "VBoxInternal/Devices/pcbios/0/Config/LanBootRom"
NO_LAN_BOOT = bytes(4096)  # no signature, so the BIOS finds no ROM; VirtualBox takes whole pages
_EFI = re.compile(r"(--firmware=)?efi", re.IGNORECASE)
MANAGEMENT_SLOT = 3


def management_mac(mark: str, machine: str) -> str:
    """The MAC of NIC 3, the same whenever this machine is made."""
    return stable_mac(f"{mark}/{machine}/management")


def network_name(lab: str, mark: str, network: Network) -> str:
    """Return the name of a closed network: the lab's own, since VirtualBox's are shared by all of a user's machines."""
    return f"labbuilder-{lab}-{mark}" + (f"-{network.name}" if network.number else "")


def modifyvm_words(plan: Plan, machine: MachinePlan, *, bridge: str | None, mark: str, console: str) -> list[str]:
    """Every word after ``modifyvm UUID``, but the forwarded port, which changes from start to start.

    Args:
        plan: The lab.
        machine: One of its machines.
        bridge: The host interface that the uplink is bridged to; None attaches it to NAT.
        mark: The lab's mark.
        console: The file that the serial port writes.
    """
    settings = plan.section(VirtualBox)
    words = [*board_words(settings), *_console(console)]
    for slot, nic in enumerate(machine.nics, 1):
        network = plan.networks[nic.network]
        words += [*_card(slot, nic.mac), *_wire(slot, network, network_name(plan.lab, mark, network), bridge)]
        if nic.shared:
            words += [f"--nic-promisc{slot}", "allow-all"]
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


def _wire(slot: int, network: Network, name: str, bridge: str | None) -> Iterator[str]:
    if not network.uplink:
        yield from (f"--nic{slot}", "intnet", f"--intnet{slot}", name)
    elif bridge is None:
        yield from (f"--nic{slot}", "nat", f"--nat-net{slot}", str(network.subnet))
    else:
        yield from (f"--nic{slot}", "bridged", f"--bridge-adapter{slot}", bridge)


def forward_words(port: int) -> list[str]:
    """The words that forward a local port to the machine's SSH."""
    return [f"--nat-pf{MANAGEMENT_SLOT}", f"{SSH_RULE},tcp,127.0.0.1,{port},,22"]
