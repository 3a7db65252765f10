"""Which lab a folder holds: its provider and its mark, as the journal says."""

from __future__ import annotations

from typing import NamedTuple

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
