"""The table of faults, in every mode on each engine."""

from __future__ import annotations

import pytest

from labbuilder.drill.faults import faults, titles
from labbuilder.model.fault import Crowd, Fault, Freeze, GiveBack, LoadEnds, Measure, PowerCut, Shell, Takeover, Unplug
from labbuilder.plan import build_plan
from labbuilder.plan.load import spec_from_values
from labbuilder.spec.failover import Engine, Mode

WAYS = [(e, m) for e in ("isc", "kea") for m in ("load-balancing", "hot-standby", "round-robin", "manual")]


def table(engine: str, mode: str) -> dict[str, Fault]:
    spec = spec_from_values(name="aula", dhcp={"failover": {"engine": engine, "mode": mode}})
    return dict(faults(build_plan(spec)))


@pytest.mark.parametrize(("engine", "mode"), WAYS)
def test_every_lab_has_the_same_faults_and_titles(engine: Engine, mode: Mode) -> None:
    assert {name: fault.title for name, fault in table(engine, mode).items()} == dict(titles())


@pytest.mark.parametrize(("engine", "mode"), WAYS)
def test_what_is_broken_is_mended_by_the_same_step_or_one_before_it(engine: Engine, mode: Mode) -> None:
    """Each machine that lines of shell change has lines that undo it; what else breaks it is undone by the drill."""
    for fault in table(engine, mode).values():
        undone = {step.machine for step in (*fault.before, *fault.steps) if isinstance(step, Shell) and step.undo}
        changed = {step.machine for step in (*fault.before, *fault.steps) if isinstance(step, Shell)}
        assert changed == undone, fault.name
        assert set(fault.hits) <= {"server1", "server2"}
        assert fault.steps
        assert sum(step.seconds for step in fault.meanwhile if isinstance(step, Measure)) >= 2


@pytest.mark.parametrize(("engine", "mode"), WAYS)
def test_in_manual_mode_the_operator_acts_and_gives_back_last(engine: Engine, mode: Mode) -> None:
    stops = ("crash-primary", "stop-primary", "power-cut", "pause-primary", "cut-link", "crash-under-load")
    for fault in table(engine, mode).values():
        if fault.name in ("uplink-cut", "forwarding-off", "nat-gone", "gateway-crash"):
            continue  # DHCP goes on
        operated = [step for step in (*fault.before, *fault.meanwhile) if isinstance(step, Takeover)]
        expected = mode == "manual" and fault.name in (*stops, "failback")
        assert [step.machine for step in operated] == (["server2"] if expected else []), fault.name
        assert isinstance(fault.repair[-1], GiveBack) is (mode == "manual"), "it is undone when all else is"


def test_what_each_fault_does() -> None:
    there = table("isc", "hot-standby")
    assert there["power-cut"].steps == (PowerCut("server1"),)
    assert there["pause-primary"].steps == (Freeze("server1"),)
    assert there["cut-link"].steps == (Unplug("server1", "internal"),)
    assert there["pool-exhausted"].steps == (Crowd(4),)
    assert [step.machine for step in there["both-down"].steps if isinstance(step, Shell)] == ["server1", "server2"]
    assert there["both-down"].counted == "end"
    assert {fault.counted for name, fault in there.items() if name != "both-down"} == {"repair"}
    assert isinstance(there["crash-under-load"].meanwhile[-1], LoadEnds)
    assert all("647" in step.do for step in there["split-brain"].steps if isinstance(step, Shell))


def test_a_takeover_of_a_primary_that_may_still_answer_a_ping_is_forced() -> None:
    forced = {
        name
        for name, fault in table("kea", "manual").items()
        for step in fault.meanwhile
        if isinstance(step, Takeover) and step.force
    }
    assert forced == {"power-cut", "pause-primary"}


def test_a_silent_fault_is_measured_until_silence_is_noticed() -> None:
    def seconds(name: str) -> float:
        return sum(step.seconds for step in table("isc", "hot-standby")[name].meanwhile if isinstance(step, Measure))

    assert {name: seconds(name) for name in ("crash-primary", "cut-link", "split-brain")} == {
        "crash-primary": 6,
        "cut-link": 10,
        "split-brain": 10,
    }


@pytest.mark.parametrize("values", [{"servers": 1}, {"clients": 0}])
def test_a_lab_without_pair_or_client_has_no_fault_whose_needs_it_meets(values: dict[str, object]) -> None:
    spec = spec_from_values(name="aula", **values)
    for fault in faults(build_plan(spec)).values():
        if fault.name == "gateway-crash":
            continue  # it lacks more
        assert [need.brief for need in fault.needs if not need.met] == ["a drill needs two servers and a client"]
