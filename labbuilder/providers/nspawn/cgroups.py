"""The control groups of a lab: one for each machine, so that none shares the host's.

On a v1 or hybrid host a lab has a group in each of three hierarchies; on a v2 host one, below the scope that
systemd delegated to the supervisor, or below the root where there is no systemd.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from labbuilder.errors import MachineError, WaitError
from labbuilder.host.wait import wait_until

ROOT = Path("/sys/fs/cgroup")
_MACHINE = "machine."  # else one named "supervisor" is in the leaf of ours, or "tasks" on v1's file
_V1_HIERARCHIES = ("systemd", "freezer", "unified")


def is_v2() -> bool:
    """The host has the unified hierarchy alone."""
    return (ROOT / "cgroup.controllers").exists()


def _own_group() -> str:
    """The v2 group of this process: the delegated scope, where systemd made one."""
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        if line.startswith("0::"):
            return line.removeprefix("0::").strip("/")
    return ""


def lab_groups(mark: str) -> tuple[Path, ...]:
    """Where the lab's groups are or would be, found by its mark."""
    name = f"labbuilder-{mark}"
    if not is_v2():
        return tuple(ROOT / h / name for h in _V1_HIERARCHIES if (ROOT / h / "cgroup.procs").exists())
    scopes = tuple(ROOT.glob(f"system.slice/{name}.scope"))
    return scopes or (ROOT / name,)


def enter(mark: str) -> tuple[Path, ...]:
    """Make the lab's groups and move this process into a leaf of its own; return the groups."""
    groups = lab_groups(mark)
    if is_v2() and f"labbuilder-{mark}.scope" in _own_group():
        groups = (ROOT / _own_group(),)
    for group in groups:
        leaf = group / "supervisor"
        leaf.mkdir(parents=True, exist_ok=True)
        (leaf / "cgroup.procs").write_text("0", encoding="ascii")
    return groups


def machine_group(group: Path, machine: str) -> Path:
    """The machine's own below one of the lab's."""
    return group / f"{_MACHINE}{machine}"


def join(groups: tuple[Path, ...], machine: str, owner: int) -> None:
    """Move this process into the machine's groups and hand them to the machine's root."""
    for group in groups:
        own = machine_group(group, machine)
        own.mkdir(exist_ok=True)
        (own / "cgroup.procs").write_text("0", encoding="ascii")
        os.chown(own, owner, owner)
        for entry in own.iterdir():
            if entry.is_file():
                os.chown(entry, owner, owner)


@dataclass(frozen=True)
class _Freezer:
    """The files of a machine's freezer: what is asked for, and what is so."""

    asked: Path
    words: dict[bool, str]
    seen: Path
    frozen: str


def _freezer(groups: tuple[Path, ...], machine: str) -> _Freezer:
    """V1's freezer, else v2's own."""
    for group in (machine_group(group, machine) for group in groups):
        if (group / "freezer.state").exists():
            state = group / "freezer.state"
            return _Freezer(state, {True: "FROZEN", False: "THAWED"}, state, "FROZEN")
        if (group / "cgroup.freeze").exists():
            return _Freezer(group / "cgroup.freeze", {True: "1", False: "0"}, group / "cgroup.events", "frozen 1")
    raise MachineError(brief=f"{machine} can't be paused: it has no freezer control group")


def freeze(groups: tuple[Path, ...], machine: str, *, frozen: bool) -> None:
    """Ask the kernel to stop or continue every process of the machine; `is_frozen` tells when it has."""
    freezer = _freezer(groups, machine)
    freezer.asked.write_text(freezer.words[frozen], encoding="ascii")


def is_frozen(mark: str, machine: str) -> bool:
    """Every process of the machine stands still now."""
    try:
        freezer = _freezer(lab_groups(mark), machine)
        return freezer.frozen in freezer.seen.read_text(encoding="ascii").splitlines()
    except (MachineError, OSError):
        return False


def thaw(mark: str, machine: str = "*") -> None:
    """Let the machine go on, or all of the lab: what stands still in v1's freezer can't even be killed."""
    for group in lab_groups(mark):
        for found in group.glob(f"{_MACHINE}{machine}/"):
            with contextlib.suppress(MachineError, OSError):
                freeze((group,), found.name.removeprefix(_MACHINE), frozen=False)


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


def host_pids(mark: str, machine: str) -> tuple[int, ...]:
    """The host's process numbers of everything that runs in the machine."""
    group = machine_group(lab_groups(mark)[0], machine)
    found = []
    for folder, _, _ in os.walk(group):  # unlike a glob, it passes over a group that is just removed
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in Path(folder, "cgroup.procs").read_text(encoding="ascii").split()]
    return tuple(found)
