"""The repair of what a drill broke: journalled before it is broken, done whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labbuilder.drill.faults import Fault, fault_of
from labbuilder.drill.traffic import clear
from labbuilder.errors import LabError, MachineError, SpecError
from labbuilder.failover import operator as failover
from labbuilder.host import progress
from labbuilder.host.journal import Record
from labbuilder.lifecycle.session import Session
from labbuilder.providers.base import MachineState

_EFFECT = "fault"


@contextmanager
def broken(session: Session, name: str, fault: Fault) -> Iterator[Callable[[], None]]:
    """Journal the fault before the block breaks the lab; mend it at the latest at the block's end.

    The block gets what mends it earlier. A repair that fails leaves the record open.
    """
    mend = _Mend(session, name, fault)
    session.journal.append(Record(_EFFECT, "begun", data={"name": name}))
    try:
        yield mend
    finally:
        mend()
        session.journal.append(Record(_EFFECT, "done", data={"name": name}))


class _Mend:
    """Mends the fault once."""

    def __init__(self, session: Session, name: str, fault: Fault) -> None:
        self._session, self._name, self._fault, self._done = session, name, fault, False

    def __call__(self) -> None:
        """Mend it, unless it was.

        Raises:
            MachineError: What is left broken, and how to mend it.
        """
        if self._done:
            return
        with progress.step("repair"):
            try:
                self._fault.mend(self._session)
                if self._session.spec.dhcp.failover.mode == "manual":
                    failover.giveback(self._session)
            except LabError as error:
                raise MachineError(
                    brief=f"the repair of {self._name} failed: {self._fault.title}, and still is so",
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
        with broken(session, name, _fault_then(session, name)):
            clear(session.shell(session.plan.clients[0].name))
    return tuple(left)


def _fault_then(session: Session, name: str) -> Fault:
    try:
        return fault_of(session, name)
    except SpecError as error:
        raise MachineError(
            brief=f"the drill {name} was killed in this lab, and can't be undone in what the spec is now",
            details=error.brief,
            resolution=f"labbuilder down --lab {session.lab.name}, then labbuilder up",
        ) from error
