"""The nspawn provider: what the command's own process does; the supervisor does the rest."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from labbuilder.errors import CommandError, MachineError, WaitError
from labbuilder.host.parallel import for_each
from labbuilder.host.run import run, start_daemon
from labbuilder.host.store import Home, LabDir, remove_tree
from labbuilder.host.wait import wait_until
from labbuilder.model.lab import MachinePlan, Plan, stable_mac
from labbuilder.providers.base import MachineState, MachineStatus
from labbuilder.providers.images import ImageCache
from labbuilder.providers.nspawn import cgroups, control, folders, host, supervisors, wires
from labbuilder.providers.nspawn.image import ensure_tree
from labbuilder.providers.nspawn.supervisors import Supervisor
from labbuilder.spec.providers import Sections
from labbuilder.ssh.endpoint import Endpoint, banner_ready
from labbuilder.ssh.keys import LabKeys, ensure_keys

_BOOT_S, _SHUTDOWN_S = 60.0, 30.0  # the longest
_GOING = (MachineState.STARTING, MachineState.RUNNING)


class NspawnProvider:
    """Machines of one lab in systemd-nspawn.

    Args:
        home: Where images are kept.
        lab: The lab's folder.
        mark: The lab's mark, eight hexadecimal digits: in the names of its control groups and the
            command line of its supervisor, and by nothing else is anything destroyed.
    """

    kind = "nspawn"

    def __init__(self, home: Home, lab: LabDir, mark: str) -> None:
        self.home = home
        self.lab = lab
        self.mark = mark
        self.images = ImageCache(home)

    @property
    def _socket(self) -> Path:
        return self.lab.path / control.SOCKET_NAME

    @property
    def _groups(self) -> tuple[Path, ...]:
        return cgroups.lab_groups(self.mark)

    def _ask(self, **request: Any) -> dict[str, Any]:
        try:
            return self._answer(request)
        except control.SupervisorGoneError as error:
            raise MachineError(
                brief=f"the lab {self.lab.name} is not running",
                details=f"No supervisor answers at {error}",
                resolution="labbuilder up starts it again; labbuilder down removes it",
            ) from error

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return control.ask(self._socket, request)
        except control.SupervisorGoneError:
            listening = [one.pid for one in self._supervisors() if one.first and one.mark == self.mark]
            if not listening:
                raise
            os.kill(listening[0], control.LISTEN_AGAIN)  # somebody has removed its socket
            wait_until("the supervisor listens again", self._socket.exists, within_s=5.0, every_s=0.01)
            return control.ask(self._socket, request)

    def _supervisors(self) -> tuple[Supervisor, ...]:
        """Those that bear the lab's mark or work in its folder, read from the host."""
        return tuple(o for o in supervisors.all_supervisors() if o.mark == self.mark or o.is_of(self.lab.path))

    def preflight(self, plan: Plan) -> None:
        """Raise HostError for what is certain to fail later."""
        del plan
        host.preflight()

    def image_name(self, plan: Plan) -> str:
        """The hash of its recipe."""
        return plan.image.digest

    def has_image(self, plan: Plan) -> bool:
        """The root tree is cached."""
        return self.images.path(plan.image.digest).exists()

    def ensure_image(self, plan: Plan) -> None:
        """Build the root tree that all machines share, unless it is there."""
        ensure_tree(self.images, plan.image)

    def ensure_networks(self, plan: Plan) -> None:
        """Start the supervisor unless it lives, and the lab's networks in it."""
        world, witness = plan.upstream, plan.upstream.witness
        assert witness is not None  # noqa: S101  the plan of a simulated world has one
        if not self._is_supervised():
            self._start_supervisor(plan)
        self._ask(
            do="networks",
            bridges=[wires.bridge_name(network.number) for network in plan.networks.values()],
            world={
                "bridge": wires.bridge_name(plan.uplink.number),
                "mac": stable_mac(f"{self.mark}/world"),  # machines remember it, so the next one has it too
                "gateway": f"{world.gateway}/{world.network.prefixlen}",
                "resolvers": [str(address) for address in world.resolvers],
                "witness": str(witness.address),
                "witness_port": witness.port,
                "witness_name": world.name,
            },
        )

    def _is_supervised(self) -> bool:
        """A supervisor of the lab's own answers.

        Raises:
            MachineError: Another lab's does: its identity was lost.
        """
        try:
            self._answer({"do": "status"})
        except control.SupervisorGoneError:
            return False
        pid = control.supervisor_pid(self._socket)
        other = pid and supervisors.supervisor(pid)
        if other and other.mark != self.mark:
            raise MachineError(
                brief=f"in {self.lab.path} runs a lab that is not known any more",
                details=f"process {other.pid}, mark {other.mark}",
                resolution=f"labbuilder down --lab {self.lab.name} removes it",
            )
        return True

    def _start_supervisor(self, plan: Plan) -> None:
        self._end_all()  # what a killed supervisor left
        self._machines.mkdir(exist_ok=True)
        self._machines.chmod(0o711)  # a machine's mapped root passes through
        image = self.images.path(plan.image.digest) / "root"
        argv: list[str | Path] = [sys.executable, "-m", "labbuilder.providers.nspawn.supervisor"]
        argv += [self.mark, self.lab.path, image, str(os.getpid())]
        if Path("/run/systemd/system").is_dir():  # systemd is PID 1: it must delegate the group to us
            unit = f"--unit=labbuilder-{self.mark}"
            argv = ["systemd-run", "--scope", "--quiet", "--collect", unit, "-p", "Delegate=yes", *argv]
        start_daemon(argv, log=self.lab.path / "supervisor.log")

    @property
    def _machines(self) -> Path:
        return self.lab.path / "machines"

    def create(self, plan: Plan, machine: MachinePlan) -> None:
        """Make the machine's writable layer and give it its identity."""
        cards = [
            {
                "name": nic.name,
                "network": nic.network,
                "mac": nic.mac,
                "bridge": wires.bridge_name(plan.networks[nic.network].number),
            }
            for nic in machine.nics
        ]
        if machine.name in folders.names(self.lab):
            folders.restore_hardware(self.lab, machine.name, cards)
            return
        if cgroups.lives(self._groups, machine.name):
            self.kill(machine.name)  # its folder was removed while it ran
        seed = self._identity(machine)
        folders.make(self.lab, machine.name, cards, seed)

    def restore(self, plan: Plan, machine: MachinePlan, changed: Sequence[str] = ()) -> Sequence[str]:
        """Put back what a machine that runs lacks of its image, its keys and its names."""
        leader = cgroups.leader(self._groups, machine.name)
        if leader is None:
            raise MachineError(
                brief=f"{machine.name} has no init any more", resolution=f"labbuilder kill {machine.name}"
            )
        image = self.images.path(plan.image.digest) / "root"
        argv = (sys.executable, "-m", "labbuilder.providers.nspawn.restore", str(leader), image)
        try:
            done = run(*argv, stdin=json.dumps([self._identity(machine), changed]), timeout_s=_BOOT_S)
        except CommandError as error:
            raise MachineError(
                brief=f"what {machine.name} lacks could not be put back from outside", details=error.details
            ) from error
        return [line for line in done.stdout.splitlines() if line]

    def _identity(self, machine: MachinePlan) -> dict[str, tuple[str, int]]:
        keys = ensure_keys(self.lab, [machine.name])
        return folders.identity(machine.name, keys.host_private(machine.name), keys.authorized)

    def start(self, name: str) -> None:
        """Power the machine on."""
        if name not in folders.names(self.lab):
            raise MachineError(brief=f"{name} was never made", resolution="labbuilder up makes it")
        nics = folders.hardware(self.lab, name)
        if nics is None:
            raise MachineError(brief=f"nothing tells which cards {name} has", resolution="labbuilder up mends it")
        self._ask(do="boot", name=name, nics=nics)

    def wait_ready(self, name: str) -> None:
        """Wait for the banner of the machine's SSH."""
        endpoint = self.endpoint(name)
        wait_until(
            f"{name} answers on its management SSH",
            lambda: banner_ready(endpoint) or self._raise_if_dead(name),
            within_s=_BOOT_S,
            every_s=0.01,
            resolution=f"labbuilder console {name} shows how far it came",
        )

    def _raise_if_dead(self, name: str) -> bool:
        if cgroups.lives(self._groups, name):  # asked a hundred times a second: the kernel tells it cheaper
            return False
        if not self._runs(seen := self._seen().get(name), name):
            raise MachineError(
                brief=f"{name} went off while it was waited for",
                details=self._last_console_lines(name, seen),
                resolution=f"labbuilder console {name} shows the rest; labbuilder up starts it again",
            )
        return False

    def _last_console_lines(self, name: str, seen: dict[str, Any] | None) -> str:
        text = self.console(name).read_text(errors="replace") if self.console(name).exists() else ""
        code, cause = ("none", None) if seen is None else (seen["exit_code"], seen["cause"])
        return "\n".join([*([f"Cause: {cause}"] if cause else []), f"Exit status: {code}", *text.splitlines()[-10:]])

    def _seen(self) -> dict[str, dict[str, Any]]:
        try:
            answer = self._answer({"do": "status"})
        except control.SupervisorGoneError:
            return {}
        return {machine["name"]: machine for machine in answer["machines"]}

    def _runs(self, seen: dict[str, Any] | None, name: str) -> bool:
        """The supervisor says so, or the kernel: a process of it lives."""
        return bool(seen and seen["running"]) or cgroups.lives(self._groups, name)

    def _wait(self, name: str, what: str, reached: Callable[[dict[str, Any]], bool], within_s: float) -> None:
        def probe() -> bool:
            machines: list[dict[str, Any]] = self._ask(do="status")["machines"]
            return reached(next(machine for machine in machines if machine["name"] == name))

        wait_until(f"{name} is {what}", probe, within_s=within_s, every_s=0.01)

    def _wait_off(self, name: str, within_s: float) -> None:
        self._wait(name, "off", lambda seen: not self._runs(seen, name), within_s)

    def stop(self, name: str) -> None:
        """Shut down in order, then by force."""
        seen = self._seen().get(name)
        if not seen or not seen["running"]:
            self.kill(name)  # nobody is left who could tell it
            return
        cgroups.thaw(self._groups, name)
        self._ask(do="signal", name=name, what="poweroff")
        try:
            self._wait_off(name, _SHUTDOWN_S)
        except WaitError:
            self.kill(name)

    def kill(self, name: str) -> None:
        """Cut the power: SIGKILL to the machine's PID 1, and to what lives on without it."""
        seen = self._seen().get(name)
        if seen and seen["running"]:
            self._ask(do="signal", name=name, what="kill")
            self._wait_off(name, 10.0)
        cgroups.end(self._groups, name)

    def reboot(self, name: str) -> None:
        """Reboot in order, into a new network namespace."""
        before = self._seen().get(name)
        if before is None or not before["running"]:  # what lives without its systemd-nspawn can't reboot either
            raise MachineError(brief=f"{name} is off, so it can't reboot", resolution="labbuilder up")
        self._ask(do="signal", name=name, what="reboot")
        self._wait(name, "in its next boot", lambda seen: seen["boots"] > before["boots"], _BOOT_S)
        self.wait_ready(name)

    def pause(self, name: str) -> None:
        """Freeze the machine's control group; a process in the middle of a system call stops a moment later."""
        self._ask(do="freeze", name=name, frozen=True)
        wait_until(f"{name} stands still", lambda: cgroups.is_frozen(self.mark, name), within_s=10.0, every_s=0.005)

    def resume(self, name: str) -> None:
        """Thaw it."""
        self._ask(do="freeze", name=name, frozen=False)

    def set_link(self, name: str, network: str, *, up: bool) -> None:
        """Take the bridge's end of the wire up or down."""
        self._ask(do="link", name=name, network=network, up=up)

    def status(self) -> tuple[MachineStatus, ...]:
        """The machines whose disks are there, and what the supervisor says of them."""
        seen = self._seen()
        return tuple(self._status(name, seen.get(name)) for name in folders.names(self.lab))

    def _status(self, name: str, seen: dict[str, Any] | None) -> MachineStatus:
        if not self._runs(seen, name):
            return MachineStatus(name, MachineState.STOPPED)
        state = MachineState.STARTING if seen and not seen["booted"] else MachineState.RUNNING
        if cgroups.is_frozen(self.mark, name):
            state = MachineState.PAUSED
        pid = min(cgroups.pids(self._groups, name), default=None)
        return MachineStatus(name, state, pid, *((seen["boots"], tuple(seen["cut"])) if seen else ()))

    def is_awake(self, name: str) -> bool:
        """By the supervisor and the control group."""
        return self._runs(self._seen().get(name), name) and not cgroups.is_frozen(self.mark, name)

    def endpoint(self, name: str) -> Endpoint:
        """The UNIX socket in the machine's folder."""
        keys = LabKeys(self.lab.keys)
        return Endpoint(
            machine=name,
            host_key=keys.host_public(name),
            identity=keys.identity,
            unix_socket=self.lab.machine(name) / "run/ssh.sock",
        )

    def console(self, name: str) -> Path:
        """Appended to at each boot."""
        return self.lab.machine(name) / "console.log"

    def save_snapshot(self, name: str) -> None:
        """Copy what the machines wrote while all of them stand still: as after a power cut of all at once."""
        running = [machine.name for machine in self.status() if machine.state in _GOING]
        try:
            for_each(running, self.pause)
            for_each(folders.names(self.lab), lambda machine: folders.save(self.lab, machine, name))
        finally:
            for_each(running, self.resume)

    def restore_snapshot(self, name: str) -> None:
        """Put the copies in place of what the machines wrote since."""
        for_each(folders.names(self.lab), lambda machine: folders.restore(self.lab, machine, name))

    def delete_snapshot(self, name: str) -> None:
        """Remove the copies."""
        remove_tree(self.lab.snapshots / name)

    def destroy(self, name: str) -> None:
        """Cut the power and remove the disk."""
        self.kill(name)
        if self._seen().get(name):
            self._ask(do="forget", name=name)
        for group in self._groups:
            cgroups.remove(cgroups.machine_group(group, name))
        remove_tree(self.lab.machine(name))

    def destroy_all(self) -> None:
        """Kill the supervisor: the kernel ends all that lives in its namespaces."""
        self._end_all()
        remove_tree(self._machines)
        self._socket.unlink(missing_ok=True)

    def _end_all(self) -> None:
        marks = {self.mark}

        def none_left() -> bool:
            found = self._supervisors()  # one that was only just started forks between the look and the kill
            for one in found:
                marks.add(one.mark)
                cgroups.thaw(cgroups.lab_groups(one.mark))
                supervisors.end(one.pid)
            return not found

        wait_until("no supervisor of the lab is left", none_left, within_s=30.0, every_s=0.01)
        for mark in marks:
            cgroups.end(cgroups.lab_groups(mark))
            cgroups.remove_lab(mark)

    def residue(self) -> Sequence[str]:
        """Processes, control groups, mounts and folders, as the host shows them."""
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        return [
            *(f"process {one.pid}" for one in self._supervisors()),
            *(f"control group {group}" for group in self._groups if group.exists()),
            *(f"mount {line.split()[4]}" for line in mounts if f" {self.lab.path}/" in line),
            *([f"folder {self._machines}"] if self._machines.exists() else []),
        ]


def open_provider(home: Home, lab: LabDir, mark: str, settings: Sections) -> NspawnProvider:
    """The provider, bound to one lab."""
    del settings  # it has none
    return NspawnProvider(home, lab, mark)
