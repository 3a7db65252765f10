"""The only caller of VBoxManage: one at a time against one registry, its errors as ours."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock

from labbuilder.errors import CommandError, HostError, LabError, MachineError, ProviderUnavailableError, WaitError
from labbuilder.host.run import Result, run
from labbuilder.host.wait import wait_until

_ANY_STATUS = range(-64, 256)  # below 0: ended by a signal
BUSY_LIMIT_S = 20.0  # the GUI lets go of a machine a few seconds after its window is closed
_REGISTRY_VARIABLES = ("VBOX_USER_HOME", "VBOX_IPC_SOCKETID", "VBOX_INSTALL_PATH", "VBOX_MSI_INSTALL_PATH")
_TURNED_AWAY = "Failed to create the VirtualBox object"  # VBoxSVC was ending, as it does when idle: nothing was done
_BUSY = re.compile(r"already locked|being (un)?locked|while it is locked")
_PROGRESS = re.compile(r"^(0%\.\.\.|\.\.\.|10%|\d+%).*$|^Progress state: .*$|^Oracle .*$|^$")


@dataclass(frozen=True)
class Meaning:
    """How a failure of VirtualBox is told.

    Attributes:
        seen: What its words hold.
        kind: Which of our errors it is.
        brief: What happened.
        resolution: What to do.
    """

    seen: re.Pattern[str]
    kind: type[LabError]
    brief: str
    resolution: str


def meaning(seen: str, kind: type[LabError], brief: str, resolution: str) -> Meaning:
    """What words of this pattern mean."""
    return Meaning(re.compile(seen), kind, brief, resolution)


_MEANINGS = (
    meaning(
        "VERR_DISK_FULL|No space left",
        HostError,
        "VirtualBox has no room for a disk",
        "make room, or set LABBUILDER_HOME to a folder with more; labbuilder up goes on from here",
    ),
    meaning(
        "already exists|VERR_ALREADY_EXISTS",
        MachineError,
        "VirtualBox has one of that name already",
        "labbuilder down removes what labbuilder made; --name gives the lab another name",
    ),
    meaning(
        "already locked|while it is locked|VBOX_E_OBJECT_IN_USE",
        MachineError,
        "another program holds the machine",
        "close its window or settings in VirtualBox's GUI, then run the command again",
    ),
    meaning(
        r"kernel driver not (installed|accessible)|VERR_VM_DRIVER|rc=-1908|\(-1912\)",
        HostError,
        "VirtualBox's kernel module is not there, so no machine can start",
        "sudo modprobe vboxdrv, or install virtualbox-dkms and the headers of the running kernel",
    ),
    meaning(
        "VERR_(VMX|SVM)_IN_(USE|VMX_ROOT_MODE)|VERR_SVM_IN_USE",
        HostError,
        "another hypervisor holds the processor's virtualization",
        "end KVM's machines, or: sudo modprobe -r kvm_intel kvm_amd",
    ),
    meaning(
        "VERR_(VMX|SVM)_(NO|DISABLED|MSR)|VERR_NEM_NOT_AVAILABLE|VERR_VMX_MSR_ALL_VMX_DISABLED",
        HostError,
        "the processor offers no virtualization to VirtualBox",
        "switch VT-x or AMD-V on in the firmware; labbuilder up --provider nspawn needs none",
    ),
    meaning(
        "NS_ERROR_ABORT|NS_ERROR_CALL_FAILED|Failed to create the VirtualBox object|server (has )?died|RPC_S_|"
        "NS_ERROR_NOT_INITIALIZED|NS_ERROR_FACTORY_NOT_REGISTERED|VBoxXPCOM.so!",  # the last: VBoxManage itself crashed
        MachineError,
        "VirtualBox's service (VBoxSVC) went away in the middle",
        "run the command again: it goes on from where it was",
    ),
    meaning(
        "VBOX_E_OBJECT_NOT_FOUND|Could not find a registered machine",
        MachineError,
        "VirtualBox does not know it any more",
        "labbuilder up makes it again",
    ),
)


class VBoxManage:
    """VBoxManage against the registry that the environment names.

    Raises (every call):
        ProviderUnavailableError: VBoxManage is not installed.
        HostError, MachineError: What VirtualBox said, in our words; its own are in the details.
    """

    def __init__(self) -> None:
        self._env = {name: os.environ[name] for name in _REGISTRY_VARIABLES if name in os.environ}
        registry = self._env.get("VBOX_USER_HOME") or str(Path.home() / ".config/VirtualBox")
        folder = platformdirs.user_cache_path("labbuilder", ensure_exists=True)
        self._lock = FileLock(folder / f"virtualbox-{hashlib.sha256(registry.encode()).hexdigest()[:12]}.lock")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else calls VBoxManage while the block runs: for programs that call it themselves."""
        with self._lock:
            yield

    def ask(self, *argv: str | Path, excused_by: str | None = None) -> str:
        """Run a command that changes nothing; its output.

        Args:
            argv: The command's words.
            excused_by: Where this stands in the output, `error:` lines tell about it and are no failure.
        """
        return self._run(argv, timeout_s=60.0, excused_by=excused_by).stdout

    def change(self, *argv: str | Path, timeout_s: float = 120.0) -> str:
        """Run a command that changes something; waits for who holds the machine for a moment."""

        def unless_held() -> Result | None:
            try:
                return self._run(argv, timeout_s=timeout_s)
            except MachineError as error:
                if _BUSY.search(error.details or ""):
                    return None
                raise

        try:
            done = wait_until("VirtualBox lets go of the machine", unless_held, within_s=BUSY_LIMIT_S, every_s=0.2)
        except WaitError:
            done = self._run(argv, timeout_s=timeout_s)  # who holds it is told in VirtualBox's own words
        assert done is not None  # noqa: S101  wait_until ends on a true answer
        return done.stdout

    def _run(self, argv: tuple[str | Path, ...], *, timeout_s: float, excused_by: str | None = None) -> Result:
        if shutil.which("VBoxManage") is None:
            raise ProviderUnavailableError(
                brief="VBoxManage is not installed",
                resolution="install VirtualBox (Debian: contrib of sid, or virtualbox.org), or use --provider nspawn",
            )
        with self._lock:
            done = run("VBoxManage", "-q", *argv, ok=_ANY_STATUS, env=self._env, timeout_s=timeout_s)
            if _TURNED_AWAY in done.stderr:
                done = run("VBoxManage", "-q", *argv, ok=_ANY_STATUS, env=self._env, timeout_s=timeout_s)
        errors = [line for line in done.stderr.splitlines() if "error:" in line]
        if done.ok and (not errors or (excused_by is not None and excused_by in done.stdout)):
            return done
        raise _told(done)


def _told(done: Result) -> LabError:
    """VirtualBox's failure in our words."""
    # stdout has the wrapper's warnings
    return in_our_words(done.argv, done.code, done.stderr if "error:" in done.stderr else done.stdout)


def in_our_words(argv: tuple[str, ...], code: int, output: str) -> LabError:
    """What VBoxManage said, to us or to a program that called it."""
    said = [line for line in output.splitlines() if not _PROGRESS.match(line)]
    text = "\n".join(said)
    shown = CommandError.from_output(argv, code, text)
    for known in _MEANINGS:
        if known.seen.search(text):
            return known.kind(brief=known.brief, details=shown.details, resolution=known.resolution)
    first = next((line.partition("error: ")[2] for line in said if "error: " in line), "VBoxManage failed")
    return MachineError(brief=f"VirtualBox: {first}", details=shown.details, resolution="labbuilder doctor may say why")


_PAIR = re.compile(
    r'^(?P<quote>"?)(?P<key>[^"=\n]+)(?P=quote)=(?:"(?P<text>(?:[^"\\]|\\.)*)"|(?P<plain>[^"\n]*))$', re.MULTILINE
)


def parse_machine_readable(text: str) -> dict[str, str]:
    """The pairs of ``--machinereadable`` output; quoted values may hold line breaks."""
    return dict(_pairs(text))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for found in _PAIR.finditer(text):
        plain = found["plain"]
        yield found["key"], re.sub(r"\\(.)", r"\1", found["text"]) if plain is None else plain
