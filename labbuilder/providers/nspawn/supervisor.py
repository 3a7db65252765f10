"""The lab's own process. It is PID 1 of the lab's PID, mount and network namespaces: its death is the lab's.

The provider runs it as a module with MARK LAB_FOLDER IMAGE_ROOT STARTER (its own PID). It forks; the child enters the
namespaces, listens on LAB_FOLDER/control.sock and from then on outlives the command that started it. Until then it ends
with that command: one that came up late would take the lab's socket away from the next. It works in the lab's folder,
by which it is known, and ends when that is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from labbuilder.errors import LabError
from labbuilder.providers.nspawn import cgroups, launch, linux, upstream, wires
from labbuilder.providers.nspawn.control import LISTEN_AGAIN, SOCKET_NAME
from labbuilder.providers.nspawn.ids import UID_SHIFT

_LOOK_S = 1.0  # between two looks whether the lab's folder is there
SIGRTMIN_POWEROFF = signal.SIGRTMIN + 4
SIGRTMIN_REBOOT = signal.SIGRTMIN + 5


@contextlib.contextmanager
def _outlived() -> Iterator[None]:
    """What fails in here is told in the lab's log, and the lab lives on."""
    try:
        yield
    except Exception:  # noqa: BLE001  all machines would end with this process
        traceback.print_exc()


class Supervisor:
    """One loop, one thread: requests, messages of systemd-nspawn and ended children, as they come."""

    def __init__(self, mark: str, groups: tuple[Path, ...], view: Path) -> None:
        self.mark = mark
        self.groups = groups
        self.view = view
        self.machines: dict[str, launch.Boot] = {}
        self.world = 0
        self.selector = selectors.DefaultSelector()
        self.listener: socket.socket | None = None
        self.indices = 0

    def listen(self) -> None:
        """Listen in the lab's folder; again, where someone has removed the socket."""
        if self.listener is not None:
            self.selector.unregister(self.listener)
            self.listener.close()
        Path(SOCKET_NAME).unlink(missing_ok=True)
        listener = self.listener = socket.socket(socket.AF_UNIX)
        listener.bind(SOCKET_NAME)
        os.chmod(SOCKET_NAME, 0o600)
        listener.listen(64)
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ, lambda: self.accept(listener))

    def serve(self) -> None:
        """Never returns: the supervisor ends by being killed, or with the lab's folder."""
        wake, wake_writer = socket.socketpair()
        for end in (wake, wake_writer):
            end.setblocking(False)
        signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(LISTEN_AGAIN, lambda *_: self.listen())
        self.selector.register(wake, selectors.EVENT_READ, lambda: self.reap(wake))
        while Path().stat().st_nlink:
            for key, _ in self.selector.select(_LOOK_S):
                with _outlived():
                    key.data()
        self.end()

    def end(self) -> NoReturn:
        """End everything of the lab, which has lost its folder, and leave no control group."""
        with _outlived():
            if self.world:
                os.kill(self.world, signal.SIGKILL)
                os.waitpid(self.world, 0)
            cgroups.end(self.groups)
            cgroups.leave(self.groups)
        os._exit(0)

    def accept(self, listener: socket.socket) -> None:
        """Read one request, carry it out, answer."""
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(2.0)
            line = connection.makefile("rb").readline()
            if line:  # else someone only looked who listens here
                connection.sendall(json.dumps(self.carry_out(line)).encode() + b"\n")

    def carry_out(self, line: bytes) -> dict[str, Any]:
        """Do what a request asks; a failure is an answer too."""
        deeds: dict[str, Callable[..., dict[str, Any]]] = {
            "networks": self.networks,
            "boot": self.boot,
            "signal": self.signal,
            "freeze": self.freeze,
            "link": self.link,
            "forget": self.forget,
            "status": self.status,
        }
        try:
            request = json.loads(line)
            return deeds[request.pop("do")](**request)
        except LabError as error:
            return {"error": error.brief, "details": error.details}
        except Exception as error:  # noqa: BLE001  the lab must outlive a wrong request
            return {"error": f"{type(error).__name__}: {error}", "details": None}

    def networks(self, bridges: list[str], world: dict[str, Any]) -> dict[str, Any]:
        """Bring up the bridges, and the world behind them unless it lives."""
        wires.make_bridges(bridges)
        if not self.world:
            self.world = upstream.start(world)
        return self.status()

    def boot(self, name: str, nics: list[dict[str, str]]) -> dict[str, Any]:
        """Power a machine on; a machine that runs is left alone."""
        machine = self.machines.get(name)
        if machine is None:
            self.indices += 1
            machine = launch.Boot(name, self.indices, self.view / "machines" / name, nics)
            self.machines[name] = machine
        if not machine.pid:
            machine.nics = nics
            self._power_on(machine)
        return self.status()

    def _power_on(self, machine: launch.Boot) -> None:
        machine.power_on(self.view / "image", self.groups, self.mark)
        assert machine.notify is not None  # noqa: S101
        self.selector.register(machine.notify, selectors.EVENT_READ, machine.read_notify)

    def signal(self, name: str, what: str) -> dict[str, Any]:
        """Cut a machine's power, or tell its init to power off or reboot."""
        machine = self._machine(name)
        if what == "kill":
            machine.cut_power()
            cgroups.thaw(self.groups, name)
        else:
            number = {"poweroff": SIGRTMIN_POWEROFF, "reboot": SIGRTMIN_REBOOT}[what]
            machine.tell_init(number, stopping=what == "poweroff")
        return self.status()

    def freeze(self, name: str, *, frozen: bool) -> dict[str, Any]:
        """Pause or resume a machine."""
        cgroups.freeze(self.groups, self._machine(name).name, frozen=frozen)
        return {}

    def link(self, name: str, network: str, *, up: bool) -> dict[str, Any]:
        """Plug or unplug a machine's cable; it stays so over reboots."""
        machine = self._machine(name)
        (machine.cut.discard if up else machine.cut.add)(network)
        if machine.leader:
            nic = next(nic for nic in machine.nics if nic["network"] == network)
            wires.set_link(machine.index, nic, up=up)
        return {}

    def forget(self, name: str) -> dict[str, Any]:
        """Drop a machine that is off."""
        machine = self.machines.get(name)
        if machine is not None and machine.pid:
            raise LabError(brief=f"{name} still runs")
        self.machines.pop(name, None)
        return {}

    def status(self) -> dict[str, Any]:
        """All machines that were ever powered on."""
        return {"machines": [m.as_dict() for m in self.machines.values()], "world": bool(self.world)}

    def _machine(self, name: str) -> launch.Boot:
        if name not in self.machines:
            raise LabError(brief=f"{name} is not powered on")
        return self.machines[name]

    def reap(self, wake: socket.socket) -> None:
        """Take in ended children; a machine that rebooted is powered on again."""
        wake.recv(4096)
        for pid, code in launch.wait_any():
            if pid == self.world:
                self.world = 0
                print(f"the simulated upstream ended with {code}", file=sys.stderr, flush=True)
            for machine in self.machines.values():
                if machine.pid == pid:
                    with _outlived():
                        self._take_in(machine, code)

    def _take_in(self, machine: launch.Boot, code: int) -> None:
        assert machine.notify is not None  # noqa: S101
        with contextlib.suppress(KeyError):  # its start failed before it was listened to
            self.selector.unregister(machine.notify)
        machine.ended(code)
        cgroups.end(self.groups, machine.name)  # what killed systemd-nspawn has not killed its machine
        if code == launch.EXIT_REBOOT and not machine.stopping:
            self._power_on(machine)


def _own_view(image: Path) -> Path:
    """Hide the host's /run/systemd and bind the lab's folders where a machine's root can reach them.

    The lab may lie in a folder that only the host's root may enter.
    """
    sources = {"machines": os.open("machines", os.O_PATH), "image": os.open(image, os.O_PATH)}
    linux.mount("none", "/", "none", linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("proc", "/proc", "proc")
    hidden = Path("/run/systemd") if Path("/run/systemd").is_dir() else Path("/run")
    linux.mount("tmpfs", str(hidden), "tmpfs", 0, f"mode=755,uid={UID_SHIFT},gid={UID_SHIFT}")
    locks, view = Path("/run/systemd/nspawn"), Path("/run/systemd/labbuilder")
    locks.mkdir(parents=True)
    os.chown(locks, UID_SHIFT, UID_SHIFT)
    for name, fd in sources.items():
        (view / name).mkdir(parents=True)
        linux.mount(f"/proc/self/fd/{fd}", str(view / name), "none", linux.MS_BIND | linux.MS_REC)
        os.close(fd)
    return view


def main(mark: str, lab: Path, image: Path, starter: int) -> None:
    """Enter the namespaces, listen, tell the parent, serve."""
    os.umask(0o022)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != starter:  # it was killed before this was said
        sys.exit(4)
    groups = cgroups.enter(mark)
    os.chdir(lab)
    linux.unshare(linux.CLONE_NEWPID | linux.CLONE_NEWNS | linux.CLONE_NEWNET)
    listening, say_listening = os.pipe()
    if os.fork():
        os.close(say_listening)
        sys.exit(0 if os.read(listening, 1) else 4)
    os.close(listening)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = select.poll()
    parent.register(say_listening, 0)
    if parent.poll(0):  # nobody reads: it was killed before this was said
        sys.exit(4)
    view = _own_view(image)
    supervisor = Supervisor(mark, groups, view)
    supervisor.listen()
    linux.prctl(linux.PR_SET_PDEATHSIG, 0)
    os.write(say_listening, b"l")
    supervisor.serve()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
