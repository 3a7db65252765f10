"""What a killed command left: one table says how each effect that has no end is undone or gone on with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from labbuilder.host import progress
from labbuilder.host.journal import Record
from labbuilder.host.parallel import for_each
from labbuilder.host.store import remove_tree
from labbuilder.lifecycle.session import Session

Records = Sequence[Record]


@dataclass(frozen=True)
class Recovery:
    """How one effect is undone, or gone on with.

    Attributes:
        do: Given the lab and the effect's open records, oldest first; it may be called again.
        running: It is done in machines that run; else before any of them is switched on.
    """

    do: Callable[[Session, Records], object]
    running: bool = False


def go_back(session: Session, snapshot: str) -> None:
    """Switch every machine off and bring its disk to the state that was kept."""
    with session.journal.effect("restore", name=snapshot), progress.step("restore"):
        for_each((machine.name for machine in session.plan.machines), session.provider.kill)
        session.provider.restore_snapshot(snapshot)


def forget_snapshot(session: Session, snapshot: str) -> None:
    """Remove what there is of a snapshot, be it whole or not."""
    session.provider.delete_snapshot(snapshot)
    remove_tree(session.lab.snapshots / snapshot)


def _go_back_to_the_last(session: Session, records: Records) -> None:
    """Who went to another snapshot meant that one."""
    go_back(session, records[-1].data["name"])


def _forget_snapshots(session: Session, records: Records) -> None:
    for record in records:
        forget_snapshot(session, record.data["name"])


def _remove_machines(session: Session, records: Records) -> None:
    for record in records:
        if record.machine is not None:
            session.provider.destroy(record.machine)


def _nothing(session: Session, records: Records) -> None:
    del session, records


SEEN = Recovery(_nothing)  # the phases of `up` look at what is there, and go on from that

RECOVERIES: Mapping[str, Recovery] = {
    "remove": Recovery(_remove_machines),  # gone on with: half a disk is no machine's
    "snapshot": Recovery(_forget_snapshots),  # undone: one that is not whole is none
    "snapshot-delete": Recovery(_forget_snapshots),  # gone on with
    "restore": Recovery(_go_back_to_the_last),  # gone on with: some disks are the old ones, some the new ones
    **dict.fromkeys(("lab", "spec", "image", "networks", "create", "start", "provision", "mend"), SEEN),
    **dict.fromkeys(("stop", "kill", "pause", "resume", "reboot", "plug", "unplug"), SEEN),
    **dict.fromkeys(("takeover", "giveback", "partner-down"), SEEN),  # the operator alone knows who shall serve
}


def recover(session: Session, recoveries: Mapping[str, Recovery], *, running: bool) -> None:
    """Undo or go on with what was begun and has no end, as the table says.

    Args:
        session: The lab.
        recoveries: Effect to what is done about it.
        running: Do what needs machines that run; else what must be done before any is switched on.

    Raises:
        MachineError: It could not be done; it stays open.
    """
    left: dict[str, list[Record]] = {}
    for record in session.journal.unfinished():
        left.setdefault(record.effect, []).append(record)
    for effect, records in left.items():
        recovery = recoveries.get(effect, SEEN)
        if recovery is not SEEN and recovery.running is running:
            recovery.do(session, records)
            session.journal.close(records)


def close_rest(session: Session) -> None:
    """Say of all that is still open that it is not any more: what it was about has been looked at."""
    session.journal.close(session.journal.unfinished())
