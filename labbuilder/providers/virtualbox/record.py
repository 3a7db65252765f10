"""What labbuilder wrote down of a machine before it asked VirtualBox to make it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from labbuilder.host.store import LabDir, write_atomic

_FILE = "virtualbox.json"


@dataclass(frozen=True)
class Record:
    """One machine.

    Attributes:
        machine: Its name in the plan.
        uuid: Its UUID in VirtualBox, chosen here, so that it is known before the machine exists.
        port: The local port that is forwarded to its SSH.
        networks: What its cards are connected to, in their order.
        whole: It was defined to the end.
        boots: How often it was switched on.
        stale_clock: It goes on from a kept memory, or rebooted: its RTC is as old as a restored snapshot; to be set.
    """

    machine: str
    uuid: str
    port: int
    networks: tuple[str, ...] = ()
    whole: bool = False
    boots: int = 0
    stale_clock: bool = False

    def save(self, lab: LabDir, **changes: Any) -> Record:
        """Write it down, changed; it is on the disk when this returns."""
        changed = replace(self, **changes)
        write_atomic(lab.machine(self.machine) / _FILE, json.dumps(asdict(changed)))
        return changed


def load(lab: LabDir, machine: str) -> Record | None:
    """The machine's record; None when it was never begun."""
    return _read(lab.machine(machine) / _FILE)


def records(lab: LabDir) -> Iterator[Record]:
    """All machines of the lab that were begun, sorted by name."""
    for path in sorted((lab.path / "machines").glob(f"*/{_FILE}")):
        found = _read(path)
        if found is not None:
            yield found


def _read(path: Path) -> Record | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Record(**values | {"networks": tuple(values.get("networks", ()))})
    except FileNotFoundError:
        return None


class Written:
    """The machines of a lab, as labbuilder wrote them down: what `Control` asks."""

    def __init__(self, lab: LabDir) -> None:
        self._lab = lab

    def record(self, name: str) -> Record | None:
        """Return the machine's record; None when it was never begun."""
        return load(self._lab, name)

    def records(self) -> list[Record]:
        """Return all that were begun, sorted by name."""
        return list(records(self._lab))

    def port(self, known: Record) -> int:
        """Return the port that was chosen for it."""
        return known.port

    def slots(self, known: Record) -> Mapping[str, int]:
        """Return them in the order of the cards."""
        return {network: slot for slot, network in enumerate(known.networks, 1)}
