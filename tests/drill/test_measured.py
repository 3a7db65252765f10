"""Drills on a real lab: what is measured, and that each of them is repaired and proven."""

from __future__ import annotations

import pytest

from labbuilder.drill import titles
from labbuilder.drill.model import DrillResult, Kind
from labbuilder.drill.share import shares
from labbuilder.lab import Lab

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.measures]


def events(result: DrillResult) -> list[str]:
    return [event.what for event in result.events if event.what != "state"]


@pytest.fixture(scope="module")
def crash(drilled: Lab) -> DrillResult:
    return drilled.drill("crash-primary")


def test_the_figures_come_from_the_wire(crash: DrillResult) -> None:
    assert {outage.kind for outage in crash.outages} == set(Kind)
    assert all(outage.asked for outage in crash.outages)
    assert crash.outage is not None
    assert {"DISCOVER", "OFFER", "REQUEST", "ACK", "RELEASE"} <= {message.type for message in crash.messages}
    during = {message.server for message in crash.messages if message.type == "ACK" and 0.5 < message.at_s < 5}
    before = {message.server for message in crash.messages if message.type == "ACK" and message.at_s < 0}
    assert (before, during) == ({"server1", "server2"}, {"server2"})


def test_the_states_and_the_repair_are_marked(crash: DrillResult) -> None:
    assert events(crash) == ["fault", "repair", "normal"]
    told = [(event.machine, event.text) for event in crash.events if event.what == "state"]
    assert (
        told.index(("server2", "communications-interrupted")) < len(told) - told[::-1].index(("server2", "normal")) - 1
    )


def test_nothing_is_given_twice_or_lost_and_the_lab_is_proven_afterwards(crash: DrillResult, drilled: Lab) -> None:
    assert (crash.duplicates, crash.lost) == ((), ())
    assert crash.passed
    assert drilled.run("client1", "ip netns list; systemctl list-units --no-legend 'lab-drill*'").stdout.strip() == ""


@pytest.mark.parametrize("name", sorted(set(titles()) - {"crash-primary", "crash-under-load", "gateway-crash"}))
def test_every_drill_passes_and_leaves_a_lab_that_needs_nothing(drilled: Lab, crash: DrillResult, name: str) -> None:
    result = drilled.drill(name, seed=2)
    assert result.passed, (result.duplicates, result.lost, result.verification.failures)
    assert "repair" in events(result)
    drilled.up(verify=False)  # the drill's own end was that proof
    assert drilled.outcome is not None
    assert drilled.outcome.unchanged
    own = {drilled.plan().machine("client1").nic("internal").mac}  # it may renew its lease in any of them
    clients, others = ({m.client for m in each.messages} - own for each in (result, crash))
    assert clients
    assert clients.isdisjoint(others), "another seed means other clients"


def test_under_load_no_address_is_given_twice_and_no_lease_lost(drilled: Lab) -> None:
    result = drilled.drill("crash-under-load")
    assert "sent packets: 2000" in result.load, result.load
    assert sum(1 for exchange in result.exchanges if exchange.answered_at_s is not None) > 1500
    assert (result.duplicates, result.lost) == ((), ())


def test_the_share_of_each_server_is_counted(drilled: Lab) -> None:
    with drilled.locked_session() as session:
        found = shares(session, clients=60)
    assert sum(found.answers.values()) == 60
    assert min(found.answers.values()) > 10  # of 30; a thousandth of all seeds has fewer


def test_the_last_second_before_the_capture_ends_is_captured_too(drilled: Lab) -> None:
    with drilled.locked_session() as session:
        found = [shares(session, clients=3) for _ in range(4)]
    assert [sum(each.answers.values()) for each in found] == [3] * 4
