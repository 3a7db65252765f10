"""Drills of a lab with a virtual gateway: a client that holds a lease keeps its way to the world."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labbuilder.host.store import Home
from labbuilder.lab import Lab

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.measures]


@pytest.fixture(scope="module")
def routed(home: Home) -> Iterator[Lab]:
    lab = Lab("routed-drills", home=home).add_server().add_server().add_client()
    with lab.failover(mode="hot-standby", engine="kea").gateway(redundancy="vrrp").up():
        yield lab


@pytest.mark.parametrize("name", ["uplink-cut", "nat-gone", "gateway-crash", "power-cut"])
def test_the_other_server_leads_to_the_world(routed: Lab, name: str) -> None:
    result = routed.drill(name)
    assert result.passed, result.verification.failures
    _, world = result.stopwatches
    assert (world.stopwatch, world.judged) == ("world", True)
    before = {e.server for e in world.exchanges if e.answered_at_s is not None and e.answered_at_s < 0}
    repaired = next(event.at_s for event in result.events if event.what == "repair")
    late = {
        e.server for e in world.exchanges if e.answered_at_s is not None and repaired - 1 < e.answered_at_s < repaired
    }
    assert (before, late) == ({"server1"}, {"server2"})
    routed.up(verify=False)
    assert routed.outcome is not None
    assert routed.outcome.unchanged
