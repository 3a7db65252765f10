"""The journal: a synced record before each side effect, and its result after it.

The hypervisor is the truth; the journal is the memory of what was begun. A journal cut at any byte
is still readable: a torn last line was never acted upon.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

State = Literal["begun", "done", "failed"]
_STATES = get_args(State)


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
    state: State
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
        with self._lock, open(self.path, "ab", opener=_private) as file:
            if file.tell() and not _ends_with_newline(self.path):
                file.write(b"\n")  # the line before was torn by a crash
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def records(self) -> tuple[Record, ...]:
        """Return all whole records, oldest first; a line that is none was torn, or spoilt by somebody else."""
        return tuple(record for _, record in self._lines() if record is not None)

    def spoilt(self) -> tuple[int, ...]:
        """Return the numbers of the lines that are no record, but for a last one that was torn."""
        lines = self._lines()
        whole = len(lines) if lines and _ends_with_newline(self.path) else len(lines) - 1
        return tuple(number for number, record in lines[: max(whole, 0)] if record is None)

    def _lines(self) -> tuple[tuple[int, Record | None], ...]:
        if not self.path.is_file():
            return ()
        return tuple(enumerate(map(_read, self.path.read_bytes().splitlines()), 1))

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
        """Return what was begun and has no "done", in the order in which it was begun last.

        Two that differ in their data are two: the end of the one says nothing of the other.
        """
        last: dict[tuple[str, str | None, str], Record] = {}
        for record in self.records():
            key = record.effect, record.machine, json.dumps(record.data, sort_keys=True)
            if record.state == "begun":
                last.pop(key, None)  # begun again: its place is the newer one
            last[key] = record
        return tuple(record for record in last.values() if record.state != "done")

    def close(self, records: Iterable[Record]) -> None:
        """Say of each that it is done, by who went on with it or undid it."""
        for record in records:
            self.append(replace(record, state="done", at=time.time()))


def _read(line: bytes) -> Record | None:
    """The line's record; None where it is none."""
    try:
        record = Record(**json.loads(line))
    except (ValueError, TypeError):
        return None
    sound = isinstance(record.effect, str) and record.state in _STATES and isinstance(record.data, dict)
    return record if sound and isinstance(record.machine, str | None) else None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
