"""The nspawn provider: what the command's own process does; the supervisor does the rest."""

from __future__ import annotations

import json
import os
import secrets
import select
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from labbuilder.errors import MachineError, WaitError
from labbuilder.host.parallel import for_each
from labbuilder.host.run import run, start_daemon
from labbuilder.host.store import Home, LabDir, remove_tree, write_atomic
from labbuilder.host.wait import wait_until
from labbuilder.model.lab import MachinePlan, Plan, stable_mac
from labbuilder.providers.base import MachineState, MachineStatus
from labbuilder.providers.images import ImageCache
from labbuilder.providers.nspawn import cgroups, control, host, wires
from labbuilder.providers.nspawn.ids import UID_SHIFT
from labbuilder.providers.nspawn.image import ensure_tree
from labbuilder.spec.providers import Sections
from labbuilder.ssh.endpoint import Endpoint, banner_ready
from labbuilder.ssh.keys import LabKeys, ensure_keys

_HARDWARE = "nics.json"
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
        return self.lab.path / "control.sock"

    def _ask(self, **request: Any) -> dict[str, Any]:
        try:
            return control.ask(self._socket, request)
        except control.SupervisorGoneError as error:
            raise MachineError(
                brief=f"the lab {self.lab.name} is not running",
                details=f"No supervisor answers at {error}",
                resolution="labbuilder up starts it again; labbuilder down removes it",
            ) from error

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
        if control.supervisor_pid(self._socket) is None:
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

    def _start_supervisor(self, plan: Plan) -> None:
        cgroups.remove_lab(self.mark)  # what a killed supervisor left
        (self.lab.path / "machines").mkdir(exist_ok=True)
        image = self.images.path(plan.image.digest) / "root"
        argv: list[str | Path] = [sys.executable, "-m", "labbuilder.providers.nspawn.supervisor"]
        argv += [self.mark, self.lab.path, image, str(os.getpid())]
        if Path("/run/systemd/system").is_dir():  # systemd is PID 1: it must delegate the group to us
            unit = f"--unit=labbuilder-{self.mark}"
            argv = ["systemd-run", "--scope", "--quiet", "--collect", unit, "-p", "Delegate=yes", *argv]
        start_daemon(argv, log=self.lab.path / "supervisor.log")

    def create(self, plan: Plan, machine: MachinePlan) -> None:
        """Make the machine's writable layer and give it its identity."""
        folder = self.lab.machine(machine.name)
        if (folder / _HARDWARE).exists():
            return
        remove_tree(folder)
        for name in ("upper", "work", "root", "run"):
            (folder / name).mkdir(parents=True)
        keys = ensure_keys(self.lab, [machine.name])
        # fmt: off
        seed: dict[str, tuple[str, int]] = {
            "etc/hostname": (f"{machine.name}\n", 0o644),
            "etc/machine-id": (f"{secrets.token_hex(16)}\n", 0o444),
            "etc/ssh/lab_host_ed25519": (keys.host_private(machine.name), 0o600),
            "etc/ssh/lab_authorized_keys": (keys.authorized, 0o644),
        }
        # fmt: on
        for path, (text, mode) in seed.items():
            target = folder / "upper" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            target.chmod(mode)
        for root, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(Path(root) / name, UID_SHIFT, UID_SHIFT)
        os.chown(folder, UID_SHIFT, UID_SHIFT)
        nics = [
            {
                "name": nic.name,
                "network": nic.network,
                "mac": nic.mac,
                "bridge": wires.bridge_name(plan.networks[nic.network].number),
            }
            for nic in machine.nics
        ]
        write_atomic(folder / _HARDWARE, json.dumps(nics))  # last: it says that the rest is whole

    def start(self, name: str) -> None:
        """Power the machine on."""
        hardware = self.lab.machine(name) / _HARDWARE
        if not hardware.exists():
            raise MachineError(brief=f"{name} was never made", resolution="labbuilder up makes it")
        self._ask(do="boot", name=name, nics=json.loads(hardware.read_text(encoding="utf-8")))

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
        seen = self._seen().get(name)
        if seen is None or not seen["running"]:
            raise MachineError(
                brief=f"{name} went off while it was waited for",
                details=self._last_console_lines(name, seen),
                resolution=f"labbuilder console {name} shows the rest; labbuilder up starts it again",
            )
        return False

    def _last_console_lines(self, name: str, seen: dict[str, Any] | None) -> str:
        text = self.console(name).read_text(errors="replace") if self.console(name).exists() else ""
        code = "none" if seen is None else seen["exit_code"]
        return "\n".join([f"Exit status: {code}", *text.splitlines()[-10:]])

    def _seen(self) -> dict[str, dict[str, Any]]:
        try:
            answer = control.ask(self._socket, {"do": "status"})
        except control.SupervisorGoneError:
            return {}
        return {machine["name"]: machine for machine in answer["machines"]}

    def _wait(self, name: str, what: str, reached: Callable[[dict[str, Any]], bool], within_s: float) -> None:
        def probe() -> bool:
            machines: list[dict[str, Any]] = self._ask(do="status")["machines"]
            return reached(next(machine for machine in machines if machine["name"] == name))

        wait_until(f"{name} is {what}", probe, within_s=within_s, every_s=0.01)

    def stop(self, name: str) -> None:
        """Shut down in order, then by force."""
        if not self._seen().get(name, {}).get("running"):
            return
        cgroups.thaw(self.mark, name)
        self._ask(do="signal", name=name, what="poweroff")
        try:
            self._wait(name, "off", lambda seen: not seen["running"], _SHUTDOWN_S)
        except WaitError:
            self.kill(name)

    def kill(self, name: str) -> None:
        """Cut the power: SIGKILL to the machine's PID 1."""
        if not self._seen().get(name, {}).get("running"):
            return
        self._ask(do="signal", name=name, what="kill")
        cgroups.thaw(self.mark, name)
        self._wait(name, "off", lambda seen: not seen["running"], within_s=10.0)

    def reboot(self, name: str) -> None:
        """Reboot in order, into a new network namespace."""
        before = self._seen().get(name)
        if before is None or not before["running"]:
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
        return tuple(self._status(name, seen.get(name)) for name in self._machine_names())

    def _machine_names(self) -> list[str]:
        return sorted(path.parent.name for path in (self.lab.path / "machines").glob(f"*/{_HARDWARE}"))

    def _status(self, name: str, seen: dict[str, Any] | None) -> MachineStatus:
        if seen is None or not seen["running"]:
            return MachineStatus(name, MachineState.STOPPED)
        state = MachineState.RUNNING if seen["booted"] else MachineState.STARTING
        if cgroups.is_frozen(self.mark, name):
            state = MachineState.PAUSED
        pids = cgroups.host_pids(self.mark, name)
        return MachineStatus(name, state, min(pids, default=None), seen["boots"], tuple(seen["cut"]))

    def is_awake(self, name: str) -> bool:
        """By the supervisor and the control group."""
        return bool(self._seen().get(name, {}).get("running")) and not cgroups.is_frozen(self.mark, name)

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
            for_each(self._machine_names(), lambda machine: self._copy(machine, name, save=True))
        finally:
            for_each(running, self.resume)

    def restore_snapshot(self, name: str) -> None:
        """Put the copies in place of what the machines wrote since."""
        for_each(self._machine_names(), lambda machine: self._copy(machine, name, save=False))

    def _copy(self, machine: str, snapshot: str, *, save: bool) -> None:
        kept, layer = self.lab.snapshots / snapshot / machine, self.lab.machine(machine) / "upper"
        source, target = (layer, kept) if save else (kept, layer)
        part = target.with_name(f".{target.name}.part")
        remove_tree(part)
        part.parent.mkdir(parents=True, exist_ok=True)
        run("cp", "-a", "--reflink=auto", source, part, timeout_s=600.0)
        remove_tree(target)
        part.rename(target)

    def delete_snapshot(self, name: str) -> None:
        """Remove the copies."""
        remove_tree(self.lab.snapshots / name)

    def destroy(self, name: str) -> None:
        """Cut the power and remove the disk."""
        if self._seen().get(name):
            self.kill(name)
            self._ask(do="forget", name=name)
        for group in cgroups.lab_groups(self.mark):
            cgroups.remove(cgroups.machine_group(group, name))
        remove_tree(self.lab.machine(name))

    def destroy_all(self) -> None:
        """Kill the supervisor: the kernel ends all that lives in its namespaces."""
        cgroups.thaw(self.mark)
        wait_until("no supervisor of the lab is left", self._kill_supervisors, within_s=30.0, every_s=0.01)
        cgroups.remove_lab(self.mark)
        shutil.rmtree(self.lab.path / "machines", ignore_errors=True)
        self._socket.unlink(missing_ok=True)

    def _kill_supervisors(self) -> bool:
        """True when there was none: one that was only just started forks between the look and the kill."""
        found = self._supervisors()
        for pid in found:
            kill_and_wait(pid)
        return not found

    def _supervisors(self) -> tuple[int, ...]:
        """PIDs of processes that bear the lab's mark, read from the host."""
        module, mark = b"labbuilder.providers.nspawn.supervisor", self.mark.encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().split(b"\0")
            except OSError:
                continue  # it ended meanwhile
            if module in words and mark in words:
                found.append(int(entry.parent.name))
        return tuple(found)

    def residue(self) -> Sequence[str]:
        """Processes, control groups, mounts and folders, as the host shows them."""
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        machines = self.lab.path / "machines"
        return [
            *(f"process {pid}" for pid in self._supervisors()),
            *(f"control group {group}" for group in cgroups.lab_groups(self.mark) if group.exists()),
            *(f"mount {line.split()[4]}" for line in mounts if f" {self.lab.path}/" in line),
            *([f"folder {machines}"] if machines.exists() else []),
        ]


def kill_and_wait(pid: int) -> None:
    """SIGKILL one process of ours and wait until the kernel has ended it and all in its namespace."""
    try:
        handle = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    try:
        select.select([handle], [], [], 10.0)
    finally:
        os.close(handle)


def open_provider(home: Home, lab: LabDir, mark: str, settings: Sections) -> NspawnProvider:
    """The provider, bound to one lab."""
    del settings  # it has none
    return NspawnProvider(home, lab, mark)
