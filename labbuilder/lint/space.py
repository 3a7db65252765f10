"""Sets of addresses; searched by halves, for who has thousands of subnets."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from labbuilder.lint.model import Range

Spans = tuple[tuple[int, int], ...]


def merged(ranges: Iterable[Range]) -> Spans:
    """The same addresses in as few ranges as can be, in order."""
    found: list[tuple[int, int]] = []
    for first, last in sorted((r.first, r.last) for r in ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


class Space:
    """All addresses of some ranges."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        self._ranges = sorted(ranges, key=lambda entry: entry.first)
        self._firsts = [entry.first for entry in self._ranges]
        self._spans = merged(self._ranges)
        self._lasts = [last for _, last in self._spans]

    def common(self, entry: Range) -> Spans:
        """The addresses of a range that are here too."""
        found = []
        for first, last in self._spans[bisect_left(self._lasts, entry.first) :]:
            if first > entry.last:
                break
            found.append((max(first, entry.first), min(last, entry.last)))
        return tuple(found)

    def lacking(self, entry: Range) -> Spans:
        """The addresses of a range that are not here."""
        found, at = [], entry.first
        for first, last in self.common(entry):
            if first > at:
                found.append((at, first - 1))
            at = last + 1
        return (*found, (at, entry.last)) if at <= entry.last else tuple(found)

    def holding(self, address: IPv4Address | None) -> Range | None:
        """The range that an address is in."""
        if address is None:
            return None
        spot = int(address)
        at = bisect_left(self._lasts, spot)
        if at == len(self._spans) or self._spans[at][0] > spot:
            return None
        before = bisect_right(self._firsts, spot) - 1
        return next(self._ranges[i] for i in range(before, -1, -1) if self._ranges[i].last >= spot)

    def begins_in(self, network: IPv4Network) -> bool:
        """Whether a range begins in this network."""
        at = bisect_left(self._firsts, int(network[0]))
        return at < len(self._firsts) and self._firsts[at] <= int(network[-1])
