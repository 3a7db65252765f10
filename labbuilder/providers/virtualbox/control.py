"""Machines of a lab that VirtualBox has, whoever made them: what they are told, and what they do now."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path
from typing import Protocol

from labbuilder.errors import MachineError, TransportError, WaitError
from labbuilder.host.parallel import for_each
from labbuilder.host.store import LabDir
from labbuilder.host.wait import Deadline, wait_until
from labbuilder.providers.base import MachineState, MachineStatus
from labbuilder.providers.virtualbox.machines import DEAD, OFF
from labbuilder.providers.virtualbox.record import Record
from labbuilder.providers.virtualbox.registry import UNREADABLE, Machine, Registry
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
from labbuilder.ssh.connection import connect
from labbuilder.ssh.endpoint import Endpoint, banner_ready
from labbuilder.ssh.keys import LabKeys
from labbuilder.ssh.shell import Shell

_STATES = {"paused": MachineState.PAUSED} | dict.fromkeys({UNREADABLE, *DEAD}, MachineState.STOPPED)
_BOOT_S, _SHUTDOWN_S = 300.0, 60.0  # the longest, where the host emulates the processor
_ALIVE_S = 2.0  # a question to VirtualBox takes time from the machine that boots
_BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
_BANNER_S = 20.0  # NAT accepts long before the guest does, and each new try costs a slow guest another sshd


class Roster(Protocol):
    """The machines of one lab: by what VirtualBox knows each, and how its cards are wired."""

    def record(self, name: str) -> Record | None:
        """Return what is known of a machine; None when it was never begun."""

    def records(self) -> list[Record]:
        """Return all that were begun, sorted by name."""

    def port(self, known: Record) -> int:
        """Return the local port that is forwarded to its SSH."""

    def slots(self, known: Record) -> Mapping[str, int]:
        """Return which of VirtualBox's adapters each of the machine's cards is."""


class Control:
    """The switches, cables and states of a lab's machines.

    Args:
        lab: The lab's folder.
        vboxmanage: It tells them.
        registry: It sees them.
        roster: Which they are.
    """

    def __init__(self, lab: LabDir, vboxmanage: VBoxManage, registry: Registry, roster: Roster) -> None:
        self._lab = lab
        self._vboxmanage = vboxmanage
        self._registry = registry
        self._roster = roster

    def refuse_others(self, vm: str) -> None:
        """Raise MachineError when VirtualBox has a machine of that name that this lab did not make."""
        if vm in self._names_of_others:
            raise MachineError(
                brief=f"VirtualBox has a machine named {vm} that this lab did not make",
                resolution="give the lab another name (labbuilder up --name), or rename that machine",
            )

    @cached_property
    def _names_of_others(self) -> frozenset[str]:
        """Asked once, since a question costs as much as a change."""
        ours = {known.uuid for known in self._roster.records()}
        return frozenset(name for uuid, name in self._registry.names().items() if uuid not in ours)

    def made(self, name: str) -> Record:
        """Return what is known of a machine that was defined to the end.

        Raises:
            MachineError: It was not.
        """
        known = self._roster.record(name)
        if known is None or not known.whole:
            raise MachineError(brief=f"{name} was never made", resolution="labbuilder up makes it")
        return known

    def wait_ready(self, name: str) -> None:
        """Wait for the banner of the machine's SSH: VirtualBox's NAT accepts a connection long before."""
        known, endpoint = self.made(name), self.endpoint(name)
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
        known.save(self._lab, stale_clock=False)

    def _raise_if_dead(self, name: str, uuid: str) -> bool:
        state = self._registry.machine(uuid).state
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
        known = self._roster.record(name)
        if known is None or self._registry.machine(known.uuid).state in OFF:
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
            lambda: reached(self._registry.machine(known.uuid)),
            within_s=within_s,
            every_s=0.2,
        )

    def kill(self, name: str) -> None:
        """Cut its power."""
        known = self._roster.record(name)
        if known is None or self._registry.machine(known.uuid).state in OFF:
            return
        self._vboxmanage.change("controlvm", known.uuid, "poweroff")
        self._wait(known, "off", lambda seen: seen.state in OFF, 60.0)

    def reboot(self, name: str) -> None:
        """Reboot in order, by its own systemd."""
        known = self.made(name)
        if self._registry.machine(known.uuid).state in DEAD:
            raise MachineError(brief=f"{name} is off, so it can't reboot", resolution="labbuilder up")
        before = self._send_off(name, "reboot")
        known = known.save(self._lab, boots=known.boots + 1, stale_clock=True)

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
        known = self.made(name)
        state = self._registry.machine(known.uuid).state
        if _STATES.get(state, MachineState.RUNNING) is not unless:
            self._vboxmanage.change("controlvm", known.uuid, word)

    def set_link(self, name: str, network: str, *, up: bool) -> None:
        """Plug or unplug the cable."""
        known = self.made(name)
        slot, word = self._roster.slots(known).get(network), "on" if up else "off"
        if slot is None:
            raise MachineError(
                brief=f"it is not known which card of {name} is on the {network} network: an older labbuilder made it",
                resolution=f"labbuilder down --lab {self._lab.name}, then labbuilder up",
            )
        if self._registry.machine(known.uuid).state in DEAD:
            self._vboxmanage.change("modifyvm", known.uuid, f"--cable-connected{slot}", word)
        else:
            self._vboxmanage.change("controlvm", known.uuid, f"setlinkstate{slot}", word)

    def status(self) -> tuple[MachineStatus, ...]:
        """What VirtualBox says of the machines that were defined to the end.

        Running means that SSH answers and the clock is right.
        """
        known = self.known()
        there = self._registry.machines() if known else {}
        return tuple(for_each([(found, there[found.uuid]) for found in known if found.uuid in there], self._status))

    def known(self) -> list[Record]:
        """Return the machines that were defined to the end."""
        return [found for found in self._roster.records() if found.whole]

    def _status(self, pair: tuple[Record, Machine]) -> MachineStatus:
        known, seen = pair
        state = _STATES.get(seen.state)
        if state is None:
            ready = seen.state == "running" and not known.stale_clock
            answers = ready and banner_ready(self.endpoint(known.machine), within_s=_BANNER_S)
            state = MachineState.RUNNING if answers else MachineState.STARTING
        networks = {slot: network for network, slot in self._roster.slots(known).items()}
        cut = tuple(networks[a.slot] for a in seen.adapters if a.slot in networks and not a.connected)
        return MachineStatus(known.machine, state, None, known.boots, cut)

    def is_awake(self, name: str) -> bool:
        """By VirtualBox's word alone: a connection to its SSH takes time from a machine that is measured."""
        known = self._roster.record(name)
        with suppress(MachineError):  # removed by hand
            return known is not None and self._registry.machine(known.uuid).state not in _STATES
        return False

    def endpoint(self, name: str) -> Endpoint:
        """Return where its SSH is forwarded to."""
        known, keys = self.made(name), LabKeys(self._lab.keys)
        return Endpoint(name, keys.host_public(name), keys.identity, port=self._roster.port(known))

    def console(self, name: str) -> Path:
        """What the serial port said since it was switched on."""
        return self._lab.machine(name) / "console.log"
