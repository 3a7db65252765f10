"""Which lab a folder holds: its provider and its mark, as the journal says."""

from __future__ import annotations

from typing import NamedTuple

from labbuilder.errors import ResidueError
from labbuilder.host.journal import Journal
from labbuilder.host.store import LabDir


class Identity(NamedTuple):
    """What all that was made for a lab is known by.

    Attributes:
        provider: Its name.
        mark: Eight hexadecimal digits, made once for the lab.
    """

    provider: str
    mark: str


def lab_identity(lab: LabDir) -> Identity | None:
    """Return the lab's identity, from the first record of its journal that has it; None where none has."""
    for record in Journal(lab.journal).records():
        provider, mark = (record.data.get(key) for key in Identity._fields)
        if record.effect == "lab" and isinstance(provider, str) and isinstance(mark, str):
            return Identity(provider, mark)
    return None


def half_down(lab: LabDir) -> bool:
    """Say whether a `down` of the lab was begun and has not come to its end."""
    return any(record.effect == "down" for record in Journal(lab.journal).records())


def refuse_lost(lab: LabDir) -> None:
    """Raise ResidueError when there is something of a lab, and its journal does not say by what it is known.

    A folder with nothing but a journal is no such thing: what is made is made after the first record.
    """
    journal = Journal(lab.journal)
    there = [entry.name for entry in lab.path.iterdir() if entry != lab.journal] if lab.path.is_dir() else []
    if there and lab_identity(lab) is None:
        raise ResidueError(
            brief=f"the lab {lab.name} has lost the record of what it is known by",
            details=f"{lab.journal} {_damage(journal)}; beside it are: {', '.join(sorted(there))}",
            resolution=f"labbuilder down --lab {lab.name} looks for what is left of it on this host, and removes it",
        )


def _damage(journal: Journal) -> str:
    if not journal.path.is_file():
        return "is not there"
    if spoilt := journal.spoilt():
        return f"has lines that are no records: {', '.join(map(str, spoilt))}"
    return "has no record of it"
