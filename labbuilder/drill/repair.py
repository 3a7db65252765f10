"""The repair of what a drill broke: journalled before it is broken, done whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labbuilder.drill.faults import faults
from labbuilder.drill.hands import Hands
from labbuilder.drill.traffic import Traffic
from labbuilder.drill.watch import Watch
from labbuilder.errors import LabError, MachineError
from labbuilder.host import progress
from labbuilder.host.journal import Record
from labbuilder.lifecycle.session import Session
from labbuilder.model.fault import Fault
from labbuilder.providers.base import MachineState

_EFFECT = "fault"


@contextmanager
def broken(hands: Hands, fault: Fault) -> Iterator[Callable[[], None]]:
    """Journal the fault before the block breaks the lab; mend it at the latest at the block's end.

    The block gets what mends it earlier. A repair that fails leaves the record open.
    """
    mend = _Mend(hands, fault)
    journal = hands.session.journal
    journal.append(Record(_EFFECT, "begun", data={"name": fault.name}))
    try:
        yield mend
    finally:
        mend()
        journal.append(Record(_EFFECT, "done", data={"name": fault.name}))


class _Mend:
    """Mends the fault once."""

    def __init__(self, hands: Hands, fault: Fault) -> None:
        self._hands, self._fault, self._done = hands, fault, False

    def __call__(self) -> None:
        """Mend it, unless it was.

        Raises:
            MachineError: What is left broken, and how to mend it.
        """
        if self._done:
            return
        with progress.step("repair"):
            try:
                for step in self._fault.repair:
                    self._hands.undo(step)
            except LabError as error:
                raise MachineError(
                    brief=f"the repair of {self._fault.name} failed: {self._fault.title}, and still is so",
                    details=str(error),
                    resolution="labbuilder up mends it and goes on from there; labbuilder down removes the lab",
                ) from error
        self._done = True


def undo_killed(session: Session) -> tuple[str, ...]:
    """Undo every drill that was killed in this lab, its clients too; their names.

    Raises:
        MachineError: What is left broken.
    """
    left = [record.data["name"] for record in session.journal.unfinished() if record.effect == _EFFECT]
    if not left:
        return ()
    for machine in session.provider.status():
        if machine.state is MachineState.STARTING:
            session.provider.wait_ready(machine.name)
    for name in left:
        fault = _fault_then(session, name)
        traffic = Traffic(session)
        with broken(Hands(session, traffic, Watch(session)), fault):
            traffic.clear()
    return tuple(left)


def _fault_then(session: Session, name: str) -> Fault:
    there = faults(session.plan)
    unmet = (
        [need.brief for need in there[name].needs if not need.met] if name in there else [f"there is no drill {name!r}"]
    )
    if unmet:
        raise MachineError(
            brief=f"the drill {name} was killed in this lab, and can't be undone in what the spec is now",
            details=unmet[0],
            resolution=f"labbuilder down --lab {session.lab.name}, then labbuilder up",
        )
    return there[name]
