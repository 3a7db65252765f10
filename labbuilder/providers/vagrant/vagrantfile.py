"""The Vagrantfile of a lab. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labbuilder.host.render import render
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.providers.disks.seed import MANAGEMENT_NIC
from labbuilder.providers.virtualbox import hardware
from labbuilder.providers.virtualbox.bridge import NAT
from labbuilder.providers.virtualbox.images import LAN_BOOT_ROM, SEED
from labbuilder.providers.virtualbox.machines import CONTROLLER, MARK_KEY
from labbuilder.spec.providers import VirtualBox

OLDEST = (2, 3, 2)  # the first that knows VirtualBox 7.0
FIRST_PORT = 2201
_WORDS_A_LINE = 96


@dataclass(frozen=True)
class Box:
    """What the machines are imported from.

    Attributes:
        name: As Vagrant knows it: "labbuilder/bookworm-0123456789ab", "debian/bookworm64".
        own: Packed by labbuilder; another is the user's.
        file: Where our own lies, as the Vagrantfile's folder sees it.
        sha256: Of that file.
    """

    name: str
    own: bool = True
    version: str | None = None
    url: str | None = None
    file: str | None = None
    sha256: str | None = None


def slots(networks: Iterable[str], *, own_box: bool) -> dict[str, int]:
    """Which of VirtualBox's adapters is on each network. Boxes of others ask for an address on the first alone."""
    return {network: slot for slot, network in enumerate(networks, 1 if own_box else 2)}


def vagrantfile(plan: Plan, box: Box, *, mark: str, bridge: str | None, standalone: bool = False) -> str:
    """The text for the whole lab.

    Args:
        plan: The lab.
        box: What its machines are imported from.
        mark: The lab's mark.
        bridge: The host interface that servers are bridged to; None for NAT, "auto" leaves it to who runs Vagrant.
        standalone: Vagrant alone provisions the machines; else labbuilder does, which also says how far `up` goes.
    """
    settings = plan.section(VirtualBox)
    server, *_ = plan.servers
    cards = slots(plan.networks, own_box=box.own)
    management = hardware.MANAGEMENT_SLOT if box.own else 1
    return render(
        "Vagrantfile",
        lab=plan.lab,
        mark=mark,
        user="root" if box.own else "vagrant",
        oldest=".".join(map(str, OLDEST)),
        machines=[_machine(m, mark) | {"port": FIRST_PORT + i} for i, m in enumerate(plan.machines)],
        slots=sorted([*cards.items(), ("management", management)], key=lambda pair: pair[1]),
        networks=[
            {
                "name": network.name,
                "nic": server.nic(network.name).name,
                "uplink": network.uplink,
                "subnet": str(network.subnet),
                "constant": network.name.upper().replace("-", "_"),
                "intnet": hardware.network_name(plan.lab, mark, network),
            }
            for network in plan.networks.values()
        ],
        management_nic=MANAGEMENT_NIC,
        bridge=None if bridge == NAT else bridge,
        hardware=_lines(hardware.board_words(settings)),
        box=box,
        own_box=box.own,
        controller=CONTROLLER,
        seed=SEED,
        lan_boot=(hardware.LAN_BOOT_KEY, LAN_BOOT_ROM) if box.own and hardware.is_bios(settings) else None,
        linked=settings.clones == "linked",
        management_net=hardware.MANAGEMENT_NET,
        modifyvm=settings.modifyvm,
        extradata=[*settings.extradata.items(), (MARK_KEY, mark)],
        standalone=standalone,
        stops=not standalone,
    )


def _machine(machine: MachinePlan, mark: str) -> dict[str, object]:
    macs = [(nic.network, _mac(nic.mac)) for nic in machine.nics]
    macs.append(("management", _mac(hardware.management_mac(mark, machine.name))))
    return {"name": machine.name, "macs": macs}


def _mac(address: str) -> str:
    return address.replace(":", "").upper()


def _lines(words: list[str]) -> list[list[str]]:
    """The words, an option never parted from its values, in lines that can be read."""
    lines: list[list[str]] = [[]]
    for index, word in enumerate(words):
        option = words[index:]
        if word.startswith("--") and sum(len(w) + 4 for w in (*lines[-1], *option[:2])) > _WORDS_A_LINE:
            lines.append([])
        lines[-1].append(word)
    return lines
