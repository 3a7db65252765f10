"""What VirtualBox knows: machines, their adapters and snapshots, host interfaces. It is only read here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from labbuilder.errors import MachineError
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage, parse_machine_readable

_VM = re.compile(r'^"?(?P<name>.*?)"? \{(?P<uuid>[0-9a-f-]{36})\}$', re.MULTILINE)
_MOST_ADAPTERS = 8
_LIMITED = "The object functionality is limited"
INACCESSIBLE = "<inaccessible>"
UNREADABLE = "inaccessible"  # the state of a machine whose settings can't be read

# What `list --long` says for people to read: it has no other form.
_HEAD = re.compile(
    r"^Name: +(?P<name>.*)\n(?:.+\n)*?UUID: +(?P<uuid>[0-9a-f-]{36})\nConfig file: +(?P<settings>.*)$", re.MULTILINE
)
_STATE = re.compile(r"^State: +(.*) \(since ", re.MULTILINE)
_NIC = re.compile(
    r"^NIC (\d): +MAC: (\w{12}), Attachment: ([\w -]+?)(?: '(.*)'.*)?, Cable connected: (\w+), Trace: ", re.MULTILINE
)
_SNAPSHOT = re.compile(r"^( +)Name: (.*) \(UUID: [0-9a-f-]{36}\)(?: \*)?$", re.MULTILINE)
_ATTACHMENTS = {
    "Bridged Interface": "bridged",
    "Internal Network": "intnet",
    "Host-only Interface": "hostonly",
    "NAT Network": "natnetwork",
}
_HINT = "<inaccessible!>"
_UNATTACHED = (None, "none", "null")
_STATES = {"powered off": "poweroff", "teleporting (incoming)": "teleportingin"}


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

    def machines(self) -> dict[str, Machine]:
        """Every machine by its UUID, ours or not: one question, however many there are."""

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
            return self.machines()[uuid]
        snapshots = [key for key in seen if re.fullmatch(r"SnapshotName(-\d+)*", key)]
        return Machine(
            uuid,
            seen["name"],
            seen["VMState"],
            Path(seen["CfgFile"]),
            tuple(_adapter(seen, n) for n in range(1, _MOST_ADAPTERS + 1) if seen.get(f"nic{n}") not in _UNATTACHED),
            tuple(seen[key] for key in sorted(snapshots, key=len)),
        )

    def machines(self) -> dict[str, Machine]:
        """By `list --long vms`, which says `error:` too when there is one whose settings can't be read."""
        text = self._vboxmanage.ask("list", "--long", "vms", excused_by=_HINT)
        heads = list(_HEAD.finditer(text))
        spans = pairwise([*(head.start() for head in heads), len(text)])
        found = [_machine(head, text[begin:end]) for head, (begin, end) in zip(heads, spans, strict=True)]
        return {machine.uuid: machine for machine in found}

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


def _machine(head: re.Match[str], said: str) -> Machine:
    """One machine of `list --long`; what its user wrote about it comes after all that is looked for here."""
    uuid, name, settings = head["uuid"], head["name"], Path(head["settings"])
    if name == _HINT:
        return Machine(uuid, INACCESSIBLE, UNREADABLE, settings)
    facts = said.partition("\nDescription:\n")[0]
    state = next(iter(_STATE.findall(facts)), "")
    snapshots = _SNAPSHOT.findall(said.rpartition("\n* Snapshots:\n")[2])
    return Machine(
        uuid,
        name,
        _STATES.get(state, state.replace(" ", "")),
        settings,
        tuple(
            Adapter(int(slot), kind, network if kind in ("bridged", "intnet") else "", mac, cable == "on")
            for slot, mac, seen, network, cable in _NIC.findall(facts)
            if (kind := _ATTACHMENTS.get(seen, seen.lower())) != "none"
        ),
        tuple(found for _, found in sorted(snapshots, key=lambda snapshot: len(snapshot[0]))),
    )


def _adapter(seen: dict[str, str], slot: int) -> Adapter:
    kind = seen[f"nic{slot}"].lower()
    network = seen.get({"intnet": "intnet", "bridged": "bridgeadapter"}.get(kind, "-") + str(slot), "")
    return Adapter(slot, kind, network, seen[f"macaddress{slot}"], seen.get(f"cableconnected{slot}") == "on")
