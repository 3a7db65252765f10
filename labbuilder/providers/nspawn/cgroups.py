"""The control groups of a lab: one for each machine, so that none shares the host's.

On a v1 or hybrid host a lab has a group in each of some hierarchies; on a v2 host one, below the scope that systemd
delegated to the supervisor, or below the root where there is no systemd. A machine's root is given what its systemd
needs to make groups below its own, and nothing that freezes or limits it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labbuilder.errors import MachineError, WaitError
from labbuilder.host.wait import wait_until

ROOT = Path("/sys/fs/cgroup")
LAB = "labbuilder-"
_DEEP = 3  # numbers of a process of a machine: to us, to the lab, to the machine
_MACHINE = "machine."  # else one named "supervisor" is in the leaf of ours, or "tasks" on v1's file
_V1_HIERARCHIES = ("systemd", "freezer", "unified", "memory", "pids")
_V1_DELEGATED = ("systemd", "unified")  # what stands still in v1's freezer can't even be killed
LIMITS = {"memory": 1024**3, "pids": 1024}  # of a machine, in bytes and processes; an idle one has 15 MiB and 20
_LIMIT_FILES = {"memory.limit_in_bytes": "memory", "memory.max": "memory", "pids.max": "pids"}
_DELEGATED_FILES = ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "tasks")  # cgroups(7), "Delegation"


def is_v2() -> bool:
    """The host has the unified hierarchy alone."""
    return (ROOT / "cgroup.controllers").exists()


def _own_group() -> str:
    """The v2 group of this process: the delegated scope, where systemd made one."""
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        if line.startswith("0::"):
            return line.removeprefix("0::").strip("/")
    return ""


def _hierarchies() -> tuple[Path, ...]:
    """Where groups of labs are made, unless systemd makes them."""
    if is_v2():
        return (ROOT,)
    return tuple(ROOT / name for name in _V1_HIERARCHIES if (ROOT / name / "cgroup.procs").exists())


def lab_groups(mark: str) -> tuple[Path, ...]:
    """Where the lab's groups are or would be, found by its mark."""
    scopes = tuple(ROOT.glob(f"system.slice/{LAB}{mark}.scope")) if is_v2() else ()
    return scopes or tuple(hierarchy / f"{LAB}{mark}" for hierarchy in _hierarchies())


def marks() -> frozenset[str]:
    """The marks of all labs that have a group on this host."""
    scopes = ROOT.glob(f"system.slice/{LAB}*.scope") if is_v2() else ()
    plain = (group for hierarchy in _hierarchies() for group in hierarchy.glob(f"{LAB}*"))
    return frozenset(group.name.removeprefix(LAB).removesuffix(".scope") for group in (*scopes, *plain))


def enter(mark: str) -> tuple[Path, ...]:
    """Make the lab's groups and move this process into a leaf of its own; return the groups."""
    groups = lab_groups(mark)
    if is_v2() and f"{LAB}{mark}.scope" in _own_group():
        groups = (ROOT / _own_group(),)
    for group in groups:
        leaf = group / "supervisor"
        leaf.mkdir(parents=True, exist_ok=True)
        (leaf / "cgroup.procs").write_text("0", encoding="ascii")
        for controller in LIMITS if is_v2() else ():
            with contextlib.suppress(OSError):  # the host keeps it for itself; `doctor` says so
                (group / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")
    return groups


def unlimited() -> tuple[str, ...]:
    """What of a machine this host lets nobody limit."""
    if is_v2():
        systemd = Path("/run/systemd/system").is_dir()  # then it delegates what there is
        there = (ROOT / ("cgroup.controllers" if systemd else "cgroup.subtree_control")).read_text(encoding="ascii")
        return tuple(name for name in LIMITS if name not in there.split())
    return tuple(name for name in LIMITS if not (ROOT / name / "cgroup.procs").exists())


def leave(groups: tuple[Path, ...]) -> None:
    """Move this process back to the roots and remove the groups; what still holds one back is left."""
    for group in groups:
        with contextlib.suppress(OSError, WaitError):
            hierarchy = next(root for root in _hierarchies() if group.is_relative_to(root))
            (hierarchy / "cgroup.procs").write_text("0", encoding="ascii")
            remove(group, within_s=1.0)


def machine_group(group: Path, machine: str) -> Path:
    """The machine's own below one of the lab's."""
    return group / f"{_MACHINE}{machine}"


def join(groups: tuple[Path, ...], machine: str, owner: int) -> None:
    """Move this process into the machine's groups and hand them to the machine's root, as far as its systemd needs."""
    for group in groups:
        own = machine_group(group, machine)
        own.mkdir(exist_ok=True)
        for file, what in _LIMIT_FILES.items():
            if (own / file).exists():
                (own / file).write_text(str(LIMITS[what]), encoding="ascii")
        (own / "cgroup.procs").write_text("0", encoding="ascii")
        if is_v2() or group.parent.name in _V1_DELEGATED:
            os.chown(own, owner, owner)
            for name in _DELEGATED_FILES:
                with contextlib.suppress(FileNotFoundError):  # each version has its own
                    os.chown(own / name, owner, owner)


@dataclass(frozen=True)
class _Freezer:
    """The files of a freezer: what is asked for, and what is so."""

    asked: Path
    words: dict[bool, str]
    seen: Path
    frozen: str


def _freezer(group: Path) -> _Freezer | None:
    """V1's freezer, else v2's own."""
    if (group / "freezer.state").exists():
        state = group / "freezer.state"
        return _Freezer(state, {True: "FROZEN", False: "THAWED"}, state, "FROZEN")
    if (group / "cgroup.freeze").exists():
        return _Freezer(group / "cgroup.freeze", {True: "1", False: "0"}, group / "cgroup.events", "frozen 1")
    return None


def _machines_freezer(groups: tuple[Path, ...], machine: str) -> _Freezer:
    for group in groups:
        freezer = _freezer(machine_group(group, machine))
        if freezer is not None:
            return freezer
    raise MachineError(brief=f"{machine} can't be paused: it has no freezer control group")


def freeze(groups: tuple[Path, ...], machine: str, *, frozen: bool) -> None:
    """Ask the kernel to stop or continue every process of the machine; `is_frozen` tells when it has."""
    freezer = _machines_freezer(groups, machine)
    freezer.asked.write_text(freezer.words[frozen], encoding="ascii")


def is_frozen(mark: str, machine: str) -> bool:
    """Every process of the machine stands still now."""
    try:
        freezer = _machines_freezer(lab_groups(mark), machine)
        return freezer.frozen in freezer.seen.read_text(encoding="ascii").splitlines()
    except (MachineError, OSError):
        return False


def thaw(groups: tuple[Path, ...], machine: str = "*") -> None:
    """Let the machine go on, or all of the lab, and every group that it froze itself."""
    for group in groups:
        for own in group.glob(f"{_MACHINE}{machine}/"):
            for folder, _, _ in os.walk(own):
                freezer = _freezer(Path(folder))
                if freezer is not None:
                    with contextlib.suppress(OSError):
                        freezer.asked.write_text(freezer.words[False], encoding="ascii")


def pids(groups: tuple[Path, ...], machine: str = "*") -> frozenset[int]:
    """The processes that live in the machine, or in all of the lab's: as their numbers are to who asks."""
    return frozenset(pid for group in groups for own in group.glob(f"{_MACHINE}{machine}/") for pid in _pids(own))


def lives(groups: tuple[Path, ...], machine: str) -> bool:
    """Any process of the machine lives."""
    return any(True for group in groups for _ in _pids(machine_group(group, machine)))


def _pids(group: Path) -> Iterator[int]:
    for folder, _, _ in os.walk(group):  # unlike a glob, it passes over a group that is just removed
        with contextlib.suppress(OSError):
            found = Path(folder, "cgroup.procs").read_text(encoding="ascii").split()
            yield from (int(pid) for pid in found if pid != "0")  # 0: in no namespace of who asks


def leader(groups: tuple[Path, ...], machine: str) -> int | None:
    """The machine's init: the first of a PID namespace two below ours; the lab's own lies between."""
    for pid in pids(groups, machine):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
            numbers = next(line.split()[1:] for line in lines if line.startswith("NSpid:"))
            if numbers[0] == str(pid) and len(numbers) == _DEEP and numbers[-1] == "1":
                return pid
    return None


def end(groups: tuple[Path, ...], machine: str = "*", *, within_s: float = 10.0) -> None:
    """Kill every process of the machine, or of all the lab's, and return when none is left.

    Raises:
        WaitError: One lives on.
    """

    def none_left() -> bool:
        found = pids(groups, machine)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)
        if found:
            thaw(groups, machine)  # after the signal, so that it does nothing more
        return not found

    wait_until("its processes have ended", none_left, within_s=within_s, every_s=0.005)


def _remove_once(group: Path) -> bool:
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            continue
        except OSError:
            return False  # a process that is just ending is still counted
    return True


def remove(group: Path, *, within_s: float = 5.0) -> None:
    """Remove a group and all below it once its processes have ended; one already gone is success.

    Raises:
        WaitError: A process still lives in it; `residue` will name the group.
    """
    wait_until(f"{group} has no process", lambda: _remove_once(group), within_s=within_s, every_s=0.005)


def remove_lab(mark: str) -> None:
    """Remove all groups of the lab that can be removed."""
    for group in lab_groups(mark):
        try:
            remove(group)
        except WaitError:
            continue
