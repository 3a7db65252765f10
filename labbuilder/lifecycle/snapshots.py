"""Snapshots of a whole lab: taken while it runs, gone back to, listed, deleted."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from labbuilder.errors import MachineError, SpecError
from labbuilder.host import progress
from labbuilder.host.journal import Record
from labbuilder.host.parallel import for_each
from labbuilder.host.store import write_atomic
from labbuilder.lifecycle import power
from labbuilder.lifecycle.recover import forget_snapshot, go_back
from labbuilder.lifecycle.session import Session
from labbuilder.lifecycle.up import SWITCH_ON, Work
from labbuilder.providers.base import MachineState

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,40}")
_SPEC = "lab.yaml"  # written last: it says that the snapshot is whole


@dataclass(frozen=True)
class Snapshot:
    """A state of all machines of a lab.

    Attributes:
        name: Its name.
        taken_at: Local time.
    """

    name: str
    taken_at: str


def save(session: Session, name: str) -> Snapshot:
    """Keep the state of every machine under ``name``; running machines go on.

    Raises:
        SpecError: The name is not allowed, or taken.
        MachineError: A machine could not be kept; nothing of the snapshot is left. Or a `restore` was cut off.
    """
    if not _NAME.fullmatch(name):
        raise SpecError(
            brief=f"{name!r} can't be a snapshot's name",
            resolution="use lower-case letters, digits, dots, hyphens and underscores, at most 41",
        )
    _refuse_halfway(session)
    folder = _folder(session, name)
    if (folder / _SPEC).exists():
        raise SpecError(
            brief=f"the lab {session.lab.name} has a snapshot {name} already",
            resolution=f"labbuilder snapshot delete {name}, or use another name",
        )
    session.journal.close(_open(session, "snapshot-delete", name=name))  # this name is wanted again
    with session.journal.effect("snapshot", name=name), progress.step("snapshot"):
        forget_snapshot(session, name)  # what was cut off
        folder.mkdir(parents=True)
        try:
            session.provider.save_snapshot(name)
        except BaseException:
            forget_snapshot(session, name)
            raise
        write_atomic(folder / _SPEC, session.lab.spec.read_text(encoding="utf-8"))
    return _snapshot(folder)


def restore(session: Session, name: str) -> None:
    """Bring every machine back to the state that was kept, and on.

    Raises:
        SpecError: There is no such snapshot, or the lab was made from another spec then.
        MachineError: A machine did not come up.
    """
    folder = _known(session, name)
    if (folder / _SPEC).read_text(encoding="utf-8") != session.lab.spec.read_text(encoding="utf-8"):
        raise SpecError(
            brief=f"the lab {session.lab.name} had another spec when the snapshot {name} was taken",
            resolution=f"labbuilder up --reconfigure {folder / _SPEC} goes back to that, without the state",
        )
    go_back(session, name)
    session.journal.close(_open(session, "restore"))  # to another snapshot: this one is meant now
    Work(session).carry_out(SWITCH_ON)
    booting = [machine.name for machine in session.provider.status() if machine.state is not MachineState.RUNNING]
    for_each(booting, lambda machine: power.await_ready(session, machine))


def delete(session: Session, name: str) -> None:
    """Forget the state that was kept.

    Raises:
        SpecError: There is no such snapshot.
        MachineError: A `restore` was cut off.
    """
    _refuse_halfway(session)
    folder = _known(session, name)
    with session.journal.effect("snapshot-delete", name=name), progress.step("delete"):
        (folder / _SPEC).unlink()
        forget_snapshot(session, name)


def snapshots(session: Session) -> tuple[Snapshot, ...]:
    """Return what was kept, oldest first."""
    found = [_snapshot(path.parent) for path in session.lab.snapshots.glob(f"*/{_SPEC}")]
    return tuple(sorted(found, key=lambda snapshot: (snapshot.taken_at, snapshot.name)))


def _open(session: Session, effect: str, **data: str) -> list[Record]:
    """What was begun and has no end: of that effect, and of these data."""
    left = [record for record in session.journal.unfinished() if record.effect == effect]
    return [record for record in left if data.items() <= record.data.items()]


def _refuse_halfway(session: Session) -> None:
    if _open(session, "restore"):
        raise MachineError(
            brief=f"the lab {session.lab.name} is halfway back to a snapshot",
            resolution="labbuilder up goes on to it; labbuilder snapshot restore NAME goes to another",
        )


def _folder(session: Session, name: str) -> Path:
    return session.lab.snapshots / name


def _known(session: Session, name: str) -> Path:
    folder = _folder(session, name)
    if not _NAME.fullmatch(name) or not (folder / _SPEC).exists():
        names = ", ".join(snapshot.name for snapshot in snapshots(session)) or "none"
        raise SpecError(
            brief=f"the lab {session.lab.name} has no snapshot {name}",
            details=f"There are: {names}",
            resolution="labbuilder snapshot save NAME takes one",
        )
    return folder


def _snapshot(folder: Path) -> Snapshot:
    taken = time.localtime((folder / _SPEC).stat().st_mtime)
    return Snapshot(folder.name, time.strftime("%Y-%m-%d %H:%M:%S", taken))
