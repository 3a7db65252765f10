"""What VirtualBox knows: machines, their adapters and snapshots, host interfaces. It is only read here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from labbuilder.errors import MachineError
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage, parse_machine_readable

_VM = re.compile(r'^"?(?P<name>.*?)"? \{(?P<uuid>[0-9a-f-]{36})\}$', re.MULTILINE)
_MOST_ADAPTERS = 8
_LIMITED = "The object functionality is limited"
INACCESSIBLE = "<inaccessible>"


@dataclass(frozen=True)
class Adapter:
    """A network card of a machine.

    Attributes:
        slot: NIC 1 is 1.
        attachment: "intnet", "bridged", "nat", ...
        network: The internal network's name, or the host interface that is bridged; empty for NAT.
        mac: Twelve upper-case hexadecimal digits.
        connected: The cable is plugged in.
    """

    slot: int
    attachment: str
    network: str
    mac: str
    connected: bool


@dataclass(frozen=True)
class Machine:
    """A machine as VirtualBox has it.

    Attributes:
        state: VirtualBox's own word: poweroff, running, paused, saved, aborted, gurumeditation, inaccessible, ...
        settings: Its .vbox file.
        snapshots: Their names, oldest first.
    """

    uuid: str
    name: str
    state: str
    settings: Path | None = None
    adapters: tuple[Adapter, ...] = ()
    snapshots: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostInterface:
    """An interface of the host that can be bridged to."""

    name: str
    up: bool
    wireless: bool
    address: str


class Registry(Protocol):
    """What both observers answer, and answer alike."""

    def version(self) -> str:
        """VirtualBox's version, "7.2.22"."""

    def names(self) -> dict[str, str]:
        """Every machine's name by its UUID, ours or not."""

    def machine(self, uuid: str) -> Machine:
        """One machine.

        Raises:
            MachineError: There is none of that UUID.
        """

    def bridged_interfaces(self) -> tuple[HostInterface, ...]:
        """The host's interfaces that can be bridged to."""


class VBoxManageRegistry:
    """The registry as VBoxManage tells it."""

    def __init__(self, vboxmanage: VBoxManage) -> None:
        self._vboxmanage = vboxmanage

    def version(self) -> str:
        """The last line: the wrapper script puts warnings before it."""
        return re.split(r"[r_]", self._vboxmanage.ask("--version").split()[-1])[0]

    def names(self) -> dict[str, str]:
        """By `list vms`."""
        return {found["uuid"]: found["name"] for found in _VM.finditer(self._vboxmanage.ask("list", "vms"))}

    def machine(self, uuid: str) -> Machine:
        """By `showvminfo --machinereadable`, which says nothing of a machine whose settings can't be read."""
        try:
            seen = parse_machine_readable(self._vboxmanage.ask("showvminfo", uuid, "--machinereadable"))
        except MachineError as error:
            if _LIMITED not in error.brief:
                raise
            return Machine(uuid, INACCESSIBLE, "inaccessible", self._settings_of_inaccessible(uuid))
        snapshots = [key for key in seen if re.fullmatch(r"SnapshotName(-\d+)*", key)]
        return Machine(
            uuid,
            seen["name"],
            seen["VMState"],
            Path(seen["CfgFile"]),
            tuple(_adapter(seen, n) for n in range(1, _MOST_ADAPTERS + 1) if seen.get(f"nic{n}", "none") != "none"),
            tuple(seen[key] for key in sorted(snapshots, key=len)),
        )

    def _settings_of_inaccessible(self, uuid: str) -> Path | None:
        """The one command that tells it says `error:` for each such machine too."""
        text = self._vboxmanage.ask("list", "vms", "--long", whatever_it_says=True)
        found = re.search(rf"^UUID:\s+{uuid}\nConfig file:\s+(.*)$", text, re.MULTILINE)
        return Path(found[1]) if found else None

    def bridged_interfaces(self) -> tuple[HostInterface, ...]:
        """By `list bridgedifs`."""
        text = self._vboxmanage.ask("list", "bridgedifs")
        blocks = [dict(re.findall(r"^(\w+):\s+(.*)$", block, re.MULTILINE)) for block in text.split("\n\n")]
        return tuple(
            HostInterface(
                block["Name"], block.get("Status") == "Up", block.get("Wireless") == "Yes", block["IPAddress"]
            )
            for block in blocks
            if "Name" in block
        )


def _adapter(seen: dict[str, str], slot: int) -> Adapter:
    kind = seen[f"nic{slot}"]
    network = seen.get({"intnet": "intnet", "bridged": "bridgeadapter"}.get(kind, "-") + str(slot), "")
    return Adapter(slot, kind, network, seen[f"macaddress{slot}"], seen.get(f"cableconnected{slot}") == "on")
