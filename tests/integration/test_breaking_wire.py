"""What only shows on the wire is seen, by a check that names it; when it is mended all is green again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from breaks_of_the_wire import GROUPS, KEA, WireBreak

from labbuilder.host.store import Home
from labbuilder.lab import Lab

pytestmark = pytest.mark.needs_root


@pytest.fixture(scope="module")
def two(home: Home) -> Iterator[Lab]:
    with Lab("wire", home=home).add_server().add_server().add_clients(2).up() as lab:
        yield lab


@pytest.fixture(scope="module")
def standby(home: Home) -> Iterator[Lab]:
    lab = Lab("wirekea", home=home).add_server().add_server().add_client().failover(engine="kea", mode="hot-standby")
    with lab.up():
        yield lab


def seen_and_mended(lab: Lab, breaks: Sequence[WireBreak]) -> None:
    try:
        for one in breaks:
            assert lab.run(one.machine, one.command).ok, one
        failed = [(outcome.check, outcome.observed) for outcome in lab.verify().failures]
        unseen = [one for one in breaks if not any(c == one.check and one.seen in saw for c, saw in failed)]
    finally:
        for one in reversed(breaks):
            lab.run(one.machine, one.mend)
        lab.up()  # it proves the lab, and clients that renewed meanwhile ask again
    assert unseen == [], "\n".join(map(str, failed))


@pytest.mark.parametrize("breaks", GROUPS.values(), ids=GROUPS)
def test_what_is_broken_on_the_wire_is_seen(two: Lab, breaks: tuple[WireBreak, ...]) -> None:
    seen_and_mended(two, breaks)


@pytest.mark.parametrize("breaks", KEA.values(), ids=KEA)
def test_what_kea_does_on_the_wire_is_seen(standby: Lab, breaks: tuple[WireBreak, ...]) -> None:
    seen_and_mended(standby, breaks)
