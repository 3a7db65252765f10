"""What would be lost at the next start, or when what runs dies, is seen while all still works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

import pytest
from breaks import Break, broken_and_mended, broken_together
from breaks_of_the_start import ALIVE, OF_ONE_MACHINE

from labbuilder.lab import Lab

pytestmark = pytest.mark.needs_root


def rounds(breaks: Iterable[Break]) -> Iterator[tuple[Break, ...]]:
    """One break of each machine at a time."""
    of: dict[str, list[Break]] = {}
    for one in breaks:
        of.setdefault(one.machine, []).append(one)
    return (tuple(one for one in together if one) for together in zip_longest(*of.values()))


@pytest.mark.parametrize("together", list(rounds(OF_ONE_MACHINE.values())))
def test_what_the_next_start_would_lose_is_seen(lab: Lab, together: tuple[Break, ...]) -> None:
    broken_together(lab, *together)


@pytest.mark.parametrize("broken", ALIVE.values(), ids=ALIVE)
def test_what_can_no_longer_keep_itself_alive_is_seen(lab: Lab, broken: Break) -> None:
    broken_and_mended(lab, broken)
