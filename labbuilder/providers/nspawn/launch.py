"""One boot of one machine: its namespaces, its root, and systemd-nspawn in place of this process.

systemd-nspawn itself runs as root of a user namespace whose root is nobody on the host. Each boot gets a user namespace
with an owner of its own, since the kernel counts inotify instances by owner: 128 for all machines together would
hold about sixteen of them. Each boot gets a new network namespace, so what survives a reboot was read from the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labbuilder.providers.nspawn import cgroups, linux, seccomp, wires
from labbuilder.providers.nspawn.ids import UID_COUNT, UID_SHIFT

OWNER_BASE = 1_000_000_000  # far from users, subordinate ids and systemd's dynamic users
EXIT_REBOOT = 133
_UNSHARED, _FAILED = b"u", "!"
# what lies in memory; else each could take a part of the host's: more than the machine's own limit
_SIZES = "; ".join(
    f"mount -o remount,nosuid,nodev,mode={mode},size={mib}m tmpfs {place}"
    for place, mode, mib in (("/run", 755, 256), ("/tmp", 1777, 256), ("/dev/shm", 1777, 64))  # noqa: S108
)

# Only who sees a whole /proc and /sys may mount its own. systemd-nspawn 257 leaves none of the host's behind, so the
# lab's stand here until the machine has its own.
_SEEN = {"/proc": "/mnt", "/sys": "/media"}
_UNSEEN = f"umount -l {' '.join(_SEEN.values())}"


def rights_owner(mark: str, machine: str) -> int:
    """The user id that owns the machine's user namespace: nobody's, and no other machine's."""
    digest = hashlib.sha256(f"{mark}/{machine}".encode()).digest()
    return OWNER_BASE + int.from_bytes(digest[:3], "big")


@dataclass
class Boot:
    """A machine that was powered on.

    Attributes:
        folder: upper/, work/, root/ and run/ of the machine, as the supervisor sees it.
        pid: Of systemd-nspawn, in the supervisor's namespace.
        leader: Of the machine's PID 1, known once systemd-nspawn has told it.
        exit_code: Set when it ended.
        cause: Why it could not be started.
    """

    name: str
    index: int
    folder: Path
    nics: list[dict[str, str]]
    cut: set[str] = field(default_factory=set)
    pid: int = 0
    leader: int = 0
    booted: bool = False
    boots: int = 0
    exit_code: int | None = None
    cause: str | None = None
    stopping: bool = False
    notify: socket.socket | None = None
    gate: int = -1
    said: int = -1

    def power_on(self, image: Path, groups: tuple[Path, ...], mark: str) -> None:
        """Start systemd-nspawn; its messages arrive on ``notify``. A machine that can't be started ends."""
        self.leader, self.booted, self.exit_code, self.cause, self.stopping = 0, False, None, None, False
        self.boots += 1
        with self._ended_by_failure():
            cgroups.end(groups, self.name)  # two inits on one disk would spoil it
            self._fresh_sockets()
            self._fork(image, groups, mark)

    @contextlib.contextmanager
    def _ended_by_failure(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.cause = str(error)
            for pid in filter(None, (self.leader, self.pid)):
                _send(pid, signal.SIGKILL)
            raise

    def _fork(self, image: Path, groups: tuple[Path, ...], mark: str) -> None:
        self.said, say = os.pipe()
        mapped, say_mapped = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _become(self, image, groups, mark, say, mapped)
            except BaseException as error:  # noqa: BLE001  nothing may return into the supervisor's loop
                os.write(say, f"{_FAILED}{error}".encode())
            os._exit(9)
        os.close(say)
        try:
            if os.read(self.said, 1) == _UNSHARED:
                for kind in ("uid_map", "gid_map"):
                    Path(f"/proc/{self.pid}/{kind}").write_text(f"0 {UID_SHIFT} {UID_COUNT}\n", encoding="ascii")
                os.write(say_mapped, b"m")
        finally:
            for end in (mapped, say_mapped):
                os.close(end)

    def _fresh_sockets(self) -> None:
        run = self.folder / "run"
        for name in ("ssh.sock", "go", "notify"):
            (run / name).unlink(missing_ok=True)
        os.mkfifo(run / "go")
        self.gate = os.open(run / "go", os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)  # later the machine could be there
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.notify.bind(str(run / "notify"))
        for name in ("go", "notify"):
            os.chown(run / name, UID_SHIFT, UID_SHIFT, follow_symlinks=False)

    def read_notify(self) -> None:
        """Take in what systemd-nspawn said: the leader's PID, then that it has booted.

        A machine that can't be wired ends. It can write here too, so what is no text is passed over.
        """
        assert self.notify is not None  # noqa: S101
        with self._ended_by_failure(), contextlib.suppress(BlockingIOError):
            while True:
                self._note(self.notify.recv(4096).decode(errors="replace"))

    def _note(self, message: str) -> None:
        for line in message.splitlines():
            key, _, value = line.partition("=")
            if key == "X_NSPAWN_LEADER_PID" and not self.leader:
                self.leader = int(value)
                if self.boots > 1:
                    wires.pull(self.index, self.nics)  # the kernel keeps the last boot's up to seconds longer
                wires.plug(self.index, self.nics, self.leader, self.cut)
                os.write(self.gate, b"go\n")  # init starts when its NICs are there
            elif line == "READY=1":
                self.booted = True

    def ended(self, code: int) -> None:
        """Take in that systemd-nspawn ended."""
        self.exit_code, self.pid, self.leader = code, 0, 0
        if self.notify is not None:
            self.notify.close()
        if self.said >= 0:
            self.cause = os.read(self.said, 4096).decode(errors="replace").removeprefix(_FAILED) or self.cause
        for end in (self.gate, self.said):
            if end >= 0:
                os.close(end)
        self.notify, self.gate, self.said = None, -1, -1

    def cut_power(self) -> None:
        """Kill PID 1, and the kernel ends the rest; unplugged first: what lost its power says no FIN."""
        if self.pid:
            self.stopping = True
            if self.leader:
                wires.pull(self.index, self.nics)
            for pid in filter(None, (self.leader, self.pid)):
                _send(pid, signal.SIGKILL)

    def tell_init(self, number: int, *, stopping: bool) -> None:
        """Send systemd one of its signals (systemd(1), "SIGNALS")."""
        if self.leader:
            self.stopping = stopping
            _send(self.leader, number)

    def as_dict(self) -> dict[str, Any]:
        """What the supervisor says of it."""
        return {
            "name": self.name,
            "running": bool(self.pid),
            "booted": self.booted,
            "boots": self.boots,
            "exit_code": self.exit_code,
            "cause": self.cause,
            "cut": sorted(self.cut),
        }


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, number)


def _become(boot: Boot, image: Path, groups: tuple[Path, ...], mark: str, say: int, mapped: int) -> None:
    """Turn this child into systemd-nspawn; never returns."""
    os.chdir("/")
    cgroups.join(groups, boot.name, UID_SHIFT)
    seccomp.refuse_vsock()
    linux.prctl(linux.PR_SET_SECUREBITS, linux.SECBIT_NO_SETUID_FIXUP)  # keep the right to unshare
    owner = rights_owner(mark, boot.name)
    os.setresuid(owner, owner, owner)
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
    os.write(say, _UNSHARED)
    if not os.read(mapped, 1):
        os._exit(9)
    os.setresgid(0, 0, 0)
    os.setgroups([])
    os.setresuid(0, 0, 0)
    folder = boot.folder
    layers = f"userxattr,lowerdir={image},upperdir={folder}/upper,workdir={folder}/work"
    linux.mount("overlay", f"{folder}/root", "overlay", 0, layers)
    for source, place in _SEEN.items():
        linux.mount(source, f"{folder}/root{place}", "none", linux.MS_BIND | linux.MS_REC)
    console = os.open(folder / "console.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    null = os.open("/dev/null", os.O_RDONLY)
    for fd, number in ((null, 0), (console, 1), (console, 2)):
        os.dup2(fd, number)
    # fmt: off
    os.execvpe("systemd-nspawn", [
        "systemd-nspawn", "--quiet", f"--machine={boot.name}", f"--directory={folder}/root",
        "--register=no", "--keep-unit", "--private-network", "--kill-signal=SIGRTMIN+3", "--notify-ready=yes",
        "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=read-only",
        "--rlimit=NPROC=65536", "--rlimit=SIGPENDING=65536",  # else it asks the host's PID 1, which it may not
        f"--bind={folder}/run:/run/lab",
        "/bin/sh", "-c", f"{_SIZES}; {_UNSEEN} && read -r go </run/lab/go && exec /sbin/init",
    ], {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",  # ip_forward belongs to the machine's own namespace
        "NOTIFY_SOCKET": f"{folder}/run/notify",
    })
    # fmt: on


def wait_any() -> list[tuple[int, int]]:
    """Reap every child that has ended: its PID and its exit code, 128 + number for a signal.

    One that somebody has stopped goes on: no machine can end or reboot while its systemd-nspawn stands still.
    """
    ended = []
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                break
            if os.WIFSTOPPED(status):
                _send(pid, signal.SIGCONT)
                continue
            code = os.waitstatus_to_exitcode(status)
            ended.append((pid, code if code >= 0 else 128 - code))
    return ended
