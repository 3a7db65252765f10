"""One table of engines, and what each says of itself."""

from __future__ import annotations

from typing import get_args

import pytest

from labbuilder.lab import Lab
from labbuilder.services.dhcp import ENGINES, Engine, engine_of
from labbuilder.services.dhcp.base import UNITS
from labbuilder.spec.failover import Engine as EngineName
from labbuilder.spec.failover import Mode

EVERY = [(name, mode) for name in ENGINES for mode in ENGINES[name]]


def pair(engine: str, mode: str) -> Lab:
    return Lab().add_server().add_server().add_client().failover(engine=engine, mode=mode)


def test_the_table_has_what_the_spec_may_say_and_no_more() -> None:
    assert set(ENGINES) == set(get_args(EngineName))
    assert all(set(modes) == set(get_args(Mode)) for modes in ENGINES.values())
    assert all(engine.name == name for name, modes in ENGINES.items() for engine in modes.values())


@pytest.mark.parametrize(("name", "mode"), EVERY)
def test_a_server_is_well_in_the_states_of_a_well_pair(name: str, mode: Mode) -> None:
    engine = ENGINES[name][mode]
    primary, secondary = engine.well
    assert engine.condition(primary) == "well"
    assert engine.condition(secondary) == ("off" if engine.cold else "well")
    assert engine.condition("down") == engine.condition("unreachable") == "off"
    assert engine.condition("something new") == "moving"
    assert {engine.condition(state) for state in engine.taken_over} <= {"alone"}


@pytest.mark.parametrize(("name", "mode"), EVERY)
def test_what_follows_from_the_engine_is_the_same_everywhere(name: str, mode: str) -> None:
    """The port of the pair, the unit that serves, the units that are off, the folder of the leases."""
    plan = pair(name, mode).plan()
    engine = engine_of(plan)
    assert plan.pair is not None
    assert plan.pair.port == engine.port
    text = repr([machine.steps for machine in plan.machines])
    assert str(engine.port) in text
    assert engine.unit in {unit.name for unit in UNITS}
    assert engine.unit not in engine.others
    assert {file.path for machine in plan.servers for file in machine.files} >= {engine.conf}


def others(engine: Engine) -> set[str]:
    return {one.name for modes in ENGINES.values() for one in modes.values()} - {engine.name}


@pytest.mark.parametrize(("name", "mode"), EVERY)
def test_another_engine_or_mode_makes_the_servers_anew_and_keeps_the_clients(name: str, mode: str) -> None:
    """A client that stays asks again: who has a lease keeps it until it ends, and the new servers don't know of it."""
    before, after = pair("isc", "load-balancing").plan(), pair(name, mode).plan()
    same = (name, mode) == ("isc", "load-balancing")
    for old, new in zip(before.machines, after.machines, strict=True):
        assert (old.data == new.data) is (same or "client" in old.roles)
    (old_network,) = (step for step in before.clients[0].steps if step.name == "network")
    (new_network,) = (step for step in after.clients[0].steps if step.name == "network")
    assert (old_network.given == new_network.given) is same


@pytest.mark.parametrize(
    ("name", "states", "settles"),
    [
        ("isc", ("communications-interrupted", "normal"), True),
        ("isc", ("recover", "partner-down"), True),
        ("isc", ("partner-down", "normal"), False),
        ("isc", ("normal", "normal"), False),
        ("isc", ("", ""), False),
        ("kea", ("waiting", "load-balancing"), True),
        ("kea", ("communication-recovery", "load-balancing"), True),
        ("kea", ("partner-down", "waiting"), True),
        ("kea", ("partner-down", "load-balancing"), True),  # heard again: "unavailable" is said of a silent one
        ("kea", ("partner-down", "unavailable"), False),
        ("kea", ("load-balancing", "load-balancing"), False),
    ],
)
def test_a_pair_on_its_way_back_is_waited_for(name: str, states: tuple[str, str], *, settles: bool) -> None:
    plan = pair(name, "load-balancing").set(dhcp={"failover": {"engine": name, "max_response_delay_s": 30}}).plan()
    engine = engine_of(plan)
    found = engine.settle_s(plan.dhcp.failover, *states)
    assert found == (engine.longest_settle_s(plan.dhcp.failover) if settles else 0.0)
    assert engine.longest_settle_s(plan.dhcp.failover) > 2 * 30
