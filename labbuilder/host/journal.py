"""The journal: a synced record before each side effect, and its result after it.

The hypervisor is the truth; the journal is the memory of what was begun. A journal cut at any byte
is still readable: a torn last line was never acted upon.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Record:
    """One line of the journal.

    Attributes:
        effect: What was begun: "lab", "image", "networks", "create", "start", "provision", "fault", "down", and others.
        state: "begun" before the side effect, "done" after it, "failed" when it raised.
        machine: The machine it is about, where it is about one.
        data: What a later command must know: the lab's mark, the provider.
        at: Seconds since the epoch.
    """

    effect: str
    state: Literal["begun", "done", "failed"]
    machine: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=time.time)


class Journal:
    """Append-only JSON Lines, synced to the disk line by line; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def append(self, record: Record) -> None:
        """Write one record; it is on the disk when this returns."""
        line = json.dumps(asdict(record), sort_keys=True) + "\n"
        with self._lock, open(self.path, "ab") as file:
            if file.tell() and not _ends_with_newline(self.path):
                file.write(b"\n")  # the line before was torn by a crash
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def records(self) -> tuple[Record, ...]:
        """All whole records, oldest first."""
        if not self.path.exists():
            return ()
        found = []
        for line in self.path.read_bytes().splitlines():
            try:
                found.append(Record(**json.loads(line)))
            except (ValueError, TypeError):
                continue  # torn
        return tuple(found)

    @contextmanager
    def effect(self, effect: str, machine: str | None = None, **data: Any) -> Iterator[None]:
        """Record "begun" before the block and "done" or "failed" after it."""
        self.append(Record(effect, "begun", machine, data))
        try:
            yield
        except BaseException:
            self.append(Record(effect, "failed", machine, data))
            raise
        self.append(Record(effect, "done", machine, data))

    def unfinished(self) -> tuple[Record, ...]:
        """What was begun and has no "done": the last word on each effect and machine."""
        last: dict[tuple[str, str | None], Record] = {}
        for record in self.records():
            last[record.effect, record.machine] = record
        return tuple(record for record in last.values() if record.state != "done")


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
