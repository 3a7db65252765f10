"""The VirtualBox provider: machines of one lab, defined and driven by VBoxManage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path
from uuid import NAMESPACE_OID, uuid4, uuid5

from labbuilder.errors import LabError, MachineError, TransportError, WaitError
from labbuilder.host.parallel import for_each
from labbuilder.host.store import Home, LabDir, remove_tree
from labbuilder.host.wait import Deadline, wait_until
from labbuilder.plan.model import MachinePlan, NetworkKind, Plan
from labbuilder.providers.base import MachineState, MachineStatus
from labbuilder.providers.virtualbox import hardware, host, machines, media, record
from labbuilder.providers.virtualbox.bridge import NAT, choose_bridge
from labbuilder.providers.virtualbox.images import LAN_BOOT_ROM, SEED, BaseDisks, write_for_boot
from labbuilder.providers.virtualbox.machines import CRASHED, DEAD, OFF, SAVED
from labbuilder.providers.virtualbox.observer import open_registry
from labbuilder.providers.virtualbox.ports import free_port, port_is_free
from labbuilder.providers.virtualbox.record import Record
from labbuilder.providers.virtualbox.registry import UNREADABLE, Machine
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
from labbuilder.spec.providers import Sections, VirtualBox
from labbuilder.ssh.connection import connect
from labbuilder.ssh.endpoint import Endpoint, banner_ready
from labbuilder.ssh.keys import LabKeys, ensure_keys
from labbuilder.ssh.shell import Shell

_STATES = {"paused": MachineState.PAUSED} | dict.fromkeys({UNREADABLE, *DEAD}, MachineState.STOPPED)
_BOOT_S, _SHUTDOWN_S = 300.0, 60.0  # the longest, where the host emulates the processor
_ALIVE_S = 2.0  # a question to VirtualBox takes time from the machine that boots
_BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
_BANNER_S = 20.0  # NAT accepts long before the guest does, and each new try costs a slow guest another sshd
_KEEPER = "base_disk"  # no host name: a machine may be called base-disk


class VirtualBoxProvider:
    """Machines of one lab in VirtualBox.

    Args:
        home: Where base disks are kept.
        lab: The lab's folder; everything of its machines lies in it.
        mark: The lab's mark: written into each machine's extra data.
    """

    kind = "virtualbox"

    def __init__(self, home: Home, lab: LabDir, mark: str) -> None:
        self.lab = lab
        self.mark = mark
        self.vboxmanage = VBoxManage()
        self.registry = open_registry(self.vboxmanage)
        self.images = BaseDisks(home, self.vboxmanage, self.registry)
        self.bases = media.Bases(self.vboxmanage, home.images)
        self._bridges: dict[str, str | None] = {}

    @property
    def _base_folder(self) -> Path:
        return self.lab.path / "virtualbox"

    def preflight(self, plan: Plan) -> None:
        """Raise for what is certain to fail later: VBoxManage too old, no such bridge, no way to the base disk."""
        host.preflight(self.registry)
        self.ensure_networks(plan)
        self.images.preflight(plan)

    def image_name(self, plan: Plan) -> str | None:
        """That of the base disk; a disk of the user's is not kept."""
        return self.images.name(plan)

    def has_image(self, plan: Plan) -> bool:
        """The base disk is there."""
        return self.images.path(plan).is_file()

    def ensure_image(self, plan: Plan) -> None:
        """Make the base disk, unless it is there."""
        self.images.ensure(plan)

    def ensure_networks(self, plan: Plan) -> None:
        """Look whether there is the bridge that the spec asks for: VirtualBox makes an internal network by itself."""
        self._bridge(plan.section(VirtualBox).bridged)

    def _bridge(self, wanted: str) -> str | None:
        if wanted not in self._bridges:
            found = () if wanted == NAT else self.registry.bridged_interfaces()
            self._bridges[wanted] = choose_bridge(wanted, found)
        return self._bridges[wanted]

    def create(self, plan: Plan, machine: MachinePlan) -> None:
        """Define the machine, with a disk of its own and its identity on an ISO."""
        known = self._record(machine.name)
        if known is not None and known.whole and known.uuid in self.registry.names():
            return
        if known is not None:
            self.destroy(machine.name)
        else:
            self._refuse_others(machine.name)
        folder = self.lab.machine(machine.name)
        folder.mkdir(parents=True, exist_ok=True)
        begun = Record(machine.name, str(uuid4()), self._free_port()).save(self.lab)
        try:
            self._define(plan, machine, begun)
            self._attach_disks(plan, machine, begun)
        except LabError:
            self.bases.let_go()
            raise
        begun.save(self.lab, whole=True)

    def _refuse_others(self, machine: str) -> None:
        if self._vm_name(machine) in self._names_of_others:
            raise MachineError(
                brief=f"VirtualBox has a machine named {self._vm_name(machine)} that this lab did not make",
                resolution="give the lab another name (labbuilder up --name), or rename that machine",
            )

    @cached_property
    def _names_of_others(self) -> frozenset[str]:
        """Of machines that this lab did not make; asked once, since a question costs as much as a change."""
        ours = {known.uuid for known in self._records()}
        return frozenset(name for uuid, name in self.registry.names().items() if uuid not in ours)

    def _free_port(self) -> int:
        """One that no machine of the lab has either: those that are off don't listen."""
        taken = {known.port for known in self._records()}
        return next(port for port in iter(free_port, None) if port not in taken)

    def _disk(self, machine: str) -> Path:
        return self._base_folder / "disks" / f"{machine}.vdi"

    def _vm_name(self, machine: str) -> str:
        return f"{self.lab.name}-{machine}"

    def _define(self, plan: Plan, machine: MachinePlan, begun: Record) -> None:
        settings, change = plan.section(VirtualBox), self.vboxmanage.change
        self._register(begun.uuid, machine.name)
        words = hardware.modifyvm_words(
            machine,
            settings,
            network=hardware.internal_network(self.lab.name, self.mark),
            bridge=self._bridge(settings.bridged),
            mark=self.mark,
            console=str(self.console(machine.name)),
        )
        change("modifyvm", begun.uuid, *words, *hardware.forward_words(begun.port))
        rom = str(self.lab.machine(machine.name) / LAN_BOOT_ROM)
        for key, value in hardware.extradata(settings, lan_boot_rom=rom).items():
            change("setextradata", begun.uuid, key, value)

    def _register(self, uuid: str, name: str) -> None:
        vm = self._vm_name(name)
        machines.register(self.vboxmanage, uuid, vm, folder=self._base_folder, group=self.lab.name, mark=self.mark)

    def _attach_disks(self, plan: Plan, machine: MachinePlan, begun: Record) -> None:
        disk, base = self._disk(machine.name), self.images.path(plan)
        if plan.section(VirtualBox).clones == "linked":
            media.linked_clone(self.vboxmanage, self._kept_base(base), disk)
        else:
            self.bases.full_clone(base, disk)
        folder = self.lab.machine(machine.name)
        write_for_boot(folder, machine, ensure_keys(self.lab, [machine.name]), self.mark)
        machines.attach(self.vboxmanage, begun.uuid, {"hdd": disk, "dvddrive": folder / SEED})

    def _kept_base(self, base: Path) -> Path:
        """The lab's own copy of the base disk: a machine that never starts keeps it from going with its last child."""
        kept, keeper = self._disk(_KEEPER), str(uuid5(NAMESPACE_OID, f"{self.mark}/{_KEEPER}"))
        whole = self._base_folder / f"{_KEEPER}.whole"
        if not whole.exists():
            machines.unregister(self.vboxmanage, self.registry.machines().get(keeper))
            self._remove_files(_KEEPER)
            self._register(keeper, _KEEPER)
            self.bases.full_clone(base, kept)
            machines.attach(self.vboxmanage, keeper, {"hdd": kept})
            self.vboxmanage.change("snapshot", keeper, "take", _KEEPER)  # a disk that is in use has no other children
            whole.touch()
        return kept

    def _record(self, name: str) -> Record | None:
        return record.load(self.lab, name)

    def _records(self) -> list[Record]:
        return list(record.records(self.lab))

    def _made(self, name: str) -> Record:
        known = self._record(name)
        if known is None or not known.whole:
            raise MachineError(brief=f"{name} was never made", resolution="labbuilder up makes it")
        return known

    def start(self, name: str) -> None:
        """Power it on without a window; the disk that it was cloned from is needed no more."""
        self.bases.let_go()
        known = self._made(name)
        state = machines.state_before_start(self.registry.machine(known.uuid), name)
        if state not in DEAD:
            return
        host.require_driver()
        if state == CRASHED:
            self.kill(name)
        if not port_is_free(known.port):
            known = known.save(self.lab, port=self._free_port())
            slot = hardware.MANAGEMENT_SLOT
            self.vboxmanage.change("modifyvm", known.uuid, f"--nat-pf{slot}", "delete", hardware.SSH_RULE)
            self.vboxmanage.change("modifyvm", known.uuid, *hardware.forward_words(known.port))
        known.save(self.lab, boots=known.boots + 1, stale_clock=state in SAVED)
        machines.switch_on(self.vboxmanage, known.uuid)

    def wait_ready(self, name: str) -> None:
        """Wait for the banner of the machine's SSH: VirtualBox's NAT accepts a connection long before."""
        known, endpoint = self._made(name), self.endpoint(name)
        alive = Deadline(0.0)

        def answers() -> bool:
            nonlocal alive
            if banner_ready(endpoint, within_s=_BANNER_S):
                return True
            if alive.expired:
                self._raise_if_dead(name, known.uuid)
                alive = Deadline(_ALIVE_S)
            return False

        wait_until(
            f"{name} answers on its management SSH",
            answers,
            within_s=_BOOT_S,
            every_s=0.2,
            resolution=f"labbuilder console {name} shows how far it came",
        )
        if known.stale_clock:
            with closing(connect(endpoint)) as shell:
                self._set_clock(known, shell)

    def _set_clock(self, known: Record, shell: Shell) -> None:
        done = shell.run(f"date -s @{time.time():.1f}")
        if not done.ok:
            brief = f"the clock of {known.machine} can't be set"
            raise MachineError(brief, done.stderr, "labbuilder down, then labbuilder up")
        known.save(self.lab, stale_clock=False)

    def _raise_if_dead(self, name: str, uuid: str) -> bool:
        state = self.registry.machine(uuid).state
        if state in DEAD:
            raise MachineError(
                brief=f"{name} went off while it was waited for",
                details=f"VirtualBox says: {state}\n{self._last_console_lines(name)}".rstrip(),
                resolution=f"labbuilder console {name} shows the rest; labbuilder up starts it again",
            )
        return False

    def _last_console_lines(self, name: str) -> str:
        console = self.console(name)
        return "\n".join(console.read_text(errors="replace").splitlines()[-10:]) if console.exists() else ""

    def stop(self, name: str) -> None:
        """Shut down in order, by its own systemd, then by force."""
        known = self._record(name)
        if known is None or self.registry.machine(known.uuid).state in OFF:
            return
        try:
            self._send_off(name, "poweroff")
            self._wait(known, "off", lambda seen: seen.state in OFF, _SHUTDOWN_S)
        except (TransportError, WaitError):
            self.kill(name)

    def _send_off(self, name: str, word: str) -> str:
        """Tell it to reboot or to power off, and return the boot that it was in."""
        with closing(connect(self.endpoint(name))) as shell:
            boot = shell.run(_BOOT_ID).stdout
            with suppress(TransportError):  # it may be gone before it has answered
                shell.run(f"systemctl --no-block {word}")
            return boot

    def _wait(self, known: Record, what: str, reached: Callable[[Machine], bool], within_s: float) -> None:
        wait_until(
            f"{known.machine} is {what}",
            lambda: reached(self.registry.machine(known.uuid)),
            within_s=within_s,
            every_s=0.2,
        )

    def kill(self, name: str) -> None:
        """Cut its power."""
        known = self._record(name)
        if known is None or self.registry.machine(known.uuid).state in OFF:
            return
        self.vboxmanage.change("controlvm", known.uuid, "poweroff")
        self._wait(known, "off", lambda seen: seen.state in OFF, 60.0)

    def reboot(self, name: str) -> None:
        """Reboot in order, by its own systemd."""
        known = self._made(name)
        if self.registry.machine(known.uuid).state in DEAD:
            raise MachineError(brief=f"{name} is off, so it can't reboot", resolution="labbuilder up")
        before = self._send_off(name, "reboot")
        known = known.save(self.lab, boots=known.boots + 1, stale_clock=True)

        def is_next_boot() -> bool:
            self._raise_if_dead(name, known.uuid)
            try:
                if not banner_ready(self.endpoint(name), within_s=_BANNER_S):
                    return False
                with closing(connect(self.endpoint(name))) as shell:
                    if shell.run(_BOOT_ID).stdout in before:
                        return False
                    self._set_clock(known, shell)
                    return True
            except TransportError:
                return False

        wait_until(f"{name} is in its next boot", is_next_boot, within_s=_BOOT_S, every_s=0.5)

    def pause(self, name: str) -> None:
        """Stop its processors."""
        self._control(name, "pause", unless=MachineState.PAUSED)

    def resume(self, name: str) -> None:
        """Let them go on."""
        self._control(name, "resume", unless=MachineState.RUNNING)

    def _control(self, name: str, word: str, *, unless: MachineState) -> None:
        known = self._made(name)
        state = self.registry.machine(known.uuid).state
        if _STATES.get(state, MachineState.RUNNING) is not unless:
            self.vboxmanage.change("controlvm", known.uuid, word)

    def set_link(self, name: str, network: NetworkKind, *, up: bool) -> None:
        """Plug or unplug the cable."""
        known = self._made(name)
        slot, word = self._slots(name)[network], "on" if up else "off"
        if self.registry.machine(known.uuid).state in DEAD:
            self.vboxmanage.change("modifyvm", known.uuid, f"--cable-connected{slot}", word)
        else:
            self.vboxmanage.change("controlvm", known.uuid, f"setlinkstate{slot}", word)

    def _slots(self, machine: str) -> Mapping[NetworkKind, int]:
        """Which of VirtualBox's adapters each of the machine's cards is."""
        del machine
        return hardware.SLOTS

    def status(self) -> tuple[MachineStatus, ...]:
        """What VirtualBox says of the machines that were defined to the end.

        Running means that SSH answers and the clock is right.
        """
        known = self.known()
        there = self.registry.machines() if known else {}
        return tuple(for_each([(found, there[found.uuid]) for found in known if found.uuid in there], self._status))

    def known(self) -> list[Record]:
        """The machines that were defined to the end."""
        return [found for found in self._records() if found.whole]

    def _status(self, pair: tuple[Record, Machine]) -> MachineStatus:
        known, seen = pair
        state = _STATES.get(seen.state)
        if state is None:
            ready = seen.state == "running" and not known.stale_clock
            answers = ready and banner_ready(self.endpoint(known.machine), within_s=_BANNER_S)
            state = MachineState.RUNNING if answers else MachineState.STARTING
        networks = {slot: network for network, slot in self._slots(known.machine).items()}
        cut = tuple(networks[a.slot] for a in seen.adapters if a.slot in networks and not a.connected)
        return MachineStatus(known.machine, state, None, known.boots, cut)

    def is_awake(self, name: str) -> bool:
        """By VirtualBox's word alone: a connection to its SSH takes time from a machine that is measured."""
        known = self._record(name)
        with suppress(MachineError):  # removed by hand
            return known is not None and self.registry.machine(known.uuid).state not in _STATES
        return False

    def endpoint(self, name: str) -> Endpoint:
        """The forwarded port of NIC 3."""
        known, keys = self._made(name), LabKeys(self.lab.keys)
        return Endpoint(name, keys.host_public(name), keys.identity, port=known.port)

    def console(self, name: str) -> Path:
        """What the serial port said since it was switched on."""
        return self.lab.machine(name) / "console.log"

    def save_snapshot(self, name: str) -> None:
        """A snapshot of each machine, of one that runs with its memory."""
        for known in self.known():
            self.vboxmanage.change("snapshot", known.uuid, "take", name, timeout_s=600.0)

    def restore_snapshot(self, name: str) -> None:
        """Restore it in each; one that ran goes on from its memory when it is started."""
        for known in self.known():
            self.vboxmanage.change("snapshot", known.uuid, "restore", name, timeout_s=600.0)

    def delete_snapshot(self, name: str) -> None:
        """Merge it into what came after it."""
        for known in self.known():
            if name in self.registry.machine(known.uuid).snapshots:
                self.vboxmanage.change("snapshot", known.uuid, "delete", name, timeout_s=1800.0)

    def destroy(self, name: str) -> None:
        """Cut the power, unregister it, remove its disk."""
        known = self._record(name)
        if known is None:
            return
        machines.unregister(self.vboxmanage, self.registry.machines().get(known.uuid))
        self._remove_files(name)
        remove_tree(self.lab.machine(name))

    def _remove_files(self, name: str) -> None:
        disk = self._disk(name)
        media.forget_below(self.vboxmanage, disk, self.lab.machine(name))
        disk.unlink(missing_ok=True)
        remove_tree(self._base_folder / "labbuilder" / self.lab.name / self._vm_name(name))

    def destroy_all(self) -> None:
        """Unregister every machine of the lab and close its media; their files lie in the lab's folder."""
        self.bases.let_go()
        for machine in self._machines():
            machines.unregister(self.vboxmanage, machine)
        self.images.preparation.sweep()
        media.forget_below(self.vboxmanage, self.lab.path)
        for folder in (self._base_folder, self.lab.path / "machines"):
            remove_tree(folder)

    def _machines(self) -> Iterator[Machine]:
        """The machines whose settings lie in the lab's folder: nobody else makes machines there."""
        for machine in self.registry.machines().values():
            if is_below(machine.settings, self.lab.path):
                yield machine

    def residue(self) -> Sequence[str]:
        """Machines, media and folders, as VirtualBox and the disk show them."""
        folders = (self._base_folder, self.lab.path / "machines")
        known = (*media.media(self.vboxmanage), *media.media(self.vboxmanage, "dvds"))
        return [
            *(f"machine {left.uuid}" for left in (*self._machines(), *self.images.preparation.abandoned())),
            *(f"medium {medium.location}" for medium in known if is_below(medium.location, self.lab.path)),
            *(f"folder {folder}" for folder in folders if folder.exists()),
        ]


def is_below(path: Path | None, folder: Path) -> bool:
    """The path is known, and is the folder or lies in it."""
    return path is not None and path.is_relative_to(folder)


def open_provider(home: Home, lab: LabDir, mark: str, settings: Sections) -> VirtualBoxProvider:
    """The provider, bound to one lab."""
    del settings  # the plan brings them
    return VirtualBoxProvider(home, lab, mark)
