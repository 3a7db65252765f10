"""Sets of addresses; searched by halves, for who has thousands of subnets."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labbuilder.lint.model import Range


@dataclass(frozen=True, slots=True)
class Masked:
    """A network whose netmask has holes, such as 255.255.0.255: dhcpd takes it."""

    address: int
    mask: int

    def __contains__(self, address: IPv4Address) -> bool:
        return int(address) & self.mask == self.address

    def __getitem__(self, index: int) -> IPv4Address:
        """The lowest address (0), or the highest one (-1)."""
        return IPv4Address(self.address if index == 0 else self.address | ~self.mask & 0xFFFFFFFF)

    def __str__(self) -> str:
        return f"{IPv4Address(self.address)}/{IPv4Address(self.mask)}"


Network = IPv4Network | Masked


def overlap(a: Network, b: Network) -> bool:
    """Whether two networks have addresses in common, as far as their ends tell."""
    return a[0] in b or a[-1] in b or b[0] in a


Spans = tuple[tuple[int, int], ...]


def merged(ranges: Iterable[Range]) -> Spans:
    """The same addresses in as few ranges as can be, in order."""
    ranges = tuple(ranges)
    if len(ranges) == 1:
        return ((ranges[0].first, ranges[0].last),)
    found: list[tuple[int, int]] = []
    for first, last in sorted((r.first, r.last) for r in ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


class Networks:
    """Networks, searched by an address; for each netmask there is one look-up."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._found: dict[int, dict[int, Network]] = {}
        for network in networks:
            mask = network.mask if isinstance(network, Masked) else int(network.netmask)
            self._found.setdefault(mask, {})[int(network[0])] = network

    def holding(self, address: IPv4Address) -> Network | None:
        """The smallest network that an address is in."""
        spot = int(address)
        for mask in sorted(self._found, reverse=True):
            if network := self._found[mask].get(spot & mask):
                return network
        return None


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
        for index in range(bisect_left(self._lasts, entry.first), len(self._spans)):
            first, last = self._spans[index]
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

    def begins_in(self, network: Network) -> bool:
        """Whether a range begins in this network."""
        at = bisect_left(self._firsts, int(network[0]))
        return at < len(self._firsts) and self._firsts[at] <= int(network[-1])
