"""Sets of addresses, against the plain sets of Python."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from labbuilder.lint.model import Range
from labbuilder.lint.source import Place
from labbuilder.lint.space import Space, Spans, merged

ENDS = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted)
RANGES = ENDS.map(lambda ends: Range(ends[0], ends[1], Place("x")))


def addresses(*ranges: Range) -> set[int]:
    return {address for entry in ranges for address in range(entry.first, entry.last + 1)}


def spanned(spans: Spans) -> set[int]:
    return addresses(*(Range(first, last, Place("x")) for first, last in spans))


@given(st.lists(RANGES, max_size=6), RANGES, st.integers(0, 41))
def test_a_space_is_a_set(ranges: list[Range], other: Range, address: int) -> None:
    space, plain = Space(ranges), addresses(*ranges)
    assert spanned(merged(ranges)) == plain
    assert all(a[1] + 1 < b[0] for a, b in zip(merged(ranges), merged(ranges)[1:], strict=False))
    assert spanned(space.common(other)) == plain & addresses(other)
    assert spanned(space.lacking(other)) == addresses(other) - plain
    holding = space.holding(IPv4Address(address))
    assert (holding is not None) == (address in plain)
    assert holding is None or address in addresses(holding)
    network = IPv4Network((address, 30), strict=False)
    begins = {entry.first for entry in ranges}
    assert space.begins_in(network) == bool(begins & set(map(int, network)))
