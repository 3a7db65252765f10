"""The runner, on a lab of no machines: every fault by the same way, and the repair whatever happens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from fake_drill import FakeLab, FakeStopwatch

from labbuilder.drill import carry_out, drill, faults, titles, undo_killed
from labbuilder.drill.model import DrillResult
from labbuilder.errors import MachineError, SpecError, VerificationError
from labbuilder.host.journal import Record
from labbuilder.lifecycle.session import Session
from labbuilder.model.fault import Call, Fault, Measure, Need, Shell

ENGINES = ("isc", "kea")
MODES = ("load-balancing", "hot-standby", "round-robin", "manual")


@pytest.fixture
def lab(tmp_path: Path) -> FakeLab:
    return FakeLab(tmp_path)


def drilled(lab: FakeLab, fault: Fault | str, *, seed: int = 1) -> DrillResult:
    with lab.patched():
        session = cast("Session", lab)
        return drill(session, fault, seed=seed) if isinstance(fault, str) else carry_out(session, fault, seed=seed)


def at(lab: FakeLab, what: str) -> int:
    """When it was first done, as a place in the list of all that was."""
    return next(n for n, done in enumerate(lab.done) if what in done)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", list(titles()))
def test_every_fault_is_carried_out_undone_and_journalled(tmp_path: Path, name: str, mode: str, engine: str) -> None:
    values = {"dhcp": {"failover": {"engine": engine, "mode": mode}}, "gateway": {"redundancy": "vrrp"}}
    lab = FakeLab(tmp_path, values)
    if (name, engine, mode) == ("split-brain", "isc", "manual"):
        with pytest.raises(SpecError, match="no failover connection"):
            drilled(lab, name)
        assert lab.done == []
        return
    result = drilled(lab, name)
    fault = faults(lab.plan)[name]
    assert (result.drill, result.counted, result.passed) == (name, fault.counted, True)
    assert lab.whole
    for step in (*fault.before, *fault.steps):
        if isinstance(step, Shell) and step.undo:
            done, undone = (lab.done.index(f"{step.machine}: {script}") for script in (step.do, step.undo))
            assert done < undone, "it is undone after it was done"
    assert [(r.effect, r.state, r.data) for r in lab.journal.records()] == [
        ("fault", "begun", {"name": name}),
        ("fault", "done", {"name": name}),
    ]
    assert lab.done.count("takeover True") + lab.done.count("takeover False") == sum(
        event.what == "takeover" for event in result.events
    ) + (name == "failback" and mode == "manual")
    assert (lab.done[-1] == "clients are cleared") or lab.done[-1] == "giveback"


def test_the_order_of_a_drill(lab: FakeLab) -> None:
    result = drilled(lab, "power-cut")
    order = ["well", "clients come", "time passes", "kill server1", "start server1", "clients stop"]
    assert sorted(order, key=lambda what: at(lab, what)) == order
    assert [event.what for event in result.events if event.what != "state"] == ["fault", "repair", "normal"]
    assert [e.text for e in result.events if e.machine == "server1"] == ["normal", "unwatched", "normal"]
    assert [e.condition for e in result.events if e.machine == "server1"] == ["well", "off", "well"]
    assert result.events[0].at_s <= 0 <= result.events[-1].at_s


def test_clients_are_counted_to_the_repair_or_to_the_end(lab: FakeLab, tmp_path: Path) -> None:
    drilled(lab, "crash-primary")
    until = lab.stopwatch.moments
    result = drilled(lab, "both-down")
    late = lab.stopwatch.moments
    assert until is not None
    assert late is not None
    repaired = next(event.at_s for event in result.events if event.what == "repair")
    assert late.until_s > repaired
    assert until.until_s < late.until_s or until.until_s < 0.1


def test_an_error_in_the_middle_repairs_and_clears(lab: FakeLab) -> None:
    lab.broken = "INPUT -p tcp --sport"  # the first rule of split-brain can be made, says nobody
    with pytest.raises(MachineError, match="the repair of split-brain failed"):
        drilled(lab, "split-brain")
    assert [record.state for record in lab.journal.records()] == ["begun"], "the next up undoes it"
    lab.broken, lab.done[:] = "", []
    with lab.patched():
        assert undo_killed(cast("Session", lab)) == ("split-brain",)
    assert any("iptables -D INPUT" in done for done in lab.done)
    assert lab.journal.unfinished() == ()


def test_ctrl_c_while_it_is_measured_repairs(lab: FakeLab) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    name = "power-cut"
    fault = faults(lab.plan)[name]
    with pytest.raises(KeyboardInterrupt):
        drilled(lab, replace(fault, meanwhile=(Call(interrupted, lambda: None),)))
    assert lab.whole
    assert lab.done[-1] == "start server1"
    assert "clients are cleared" in lab.done
    assert lab.journal.unfinished() == ()


@pytest.mark.parametrize("name", list(titles()))
def test_a_drill_that_was_killed_anywhere_is_undone(lab: FakeLab, name: str) -> None:
    """Every undoing works also where nothing was done yet."""
    lab = FakeLab(lab.folder, {"gateway": {"redundancy": "vrrp"}})
    lab.journal.append(Record("fault", "begun", data={"name": name}))
    with lab.patched():
        undo_killed(cast("Session", lab))
    assert lab.whole
    assert lab.journal.unfinished() == ()
    assert any("systemctl stop lab-drill" in done for done in lab.done), "its clients too"


@pytest.mark.parametrize("values", [{"servers": 1}, {"clients": 0}], ids=str)
def test_a_lab_without_pair_or_client_is_refused_before_anything_is_touched(
    tmp_path: Path, values: dict[str, int]
) -> None:
    lab = FakeLab(tmp_path, values)
    with pytest.raises(SpecError, match="a drill needs two servers and a client"):
        drilled(lab, "crash-primary")
    assert lab.done == []


def test_what_is_no_drill_of_the_lab_any_more_is_told(lab: FakeLab) -> None:
    lab.journal.append(Record("fault", "begun", data={"name": "earthquake"}))
    with lab.patched(), pytest.raises(MachineError, match="can't be undone in what the spec is now"):
        undo_killed(cast("Session", lab))


@pytest.mark.parametrize("name", ["power-cut", "pause-primary", "cut-link"])
def test_what_the_provider_can_not_do_is_told_before_anything_is_touched(
    lab: FakeLab, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for method in ("kill", "pause", "set_link"):
        monkeypatch.delattr(type(lab.provider), method)
    with pytest.raises(SpecError, match=f"the drill {name} must .*, and the provider fake can't"):
        drilled(lab, name)
    assert lab.done == []
    assert lab.journal.records() == ()


def test_what_a_stopwatch_needs_is_told_before_anything_is_touched(lab: FakeLab) -> None:
    lab.stopwatch = FakeStopwatch(lab.done, needs=(Need(met=False, brief="there is no witness", resolution="add one"),))
    with pytest.raises(SpecError, match="there is no witness"):
        drilled(lab, "crash-primary")
    assert lab.done == []


def test_a_lab_that_is_not_proven_is_not_broken(lab: FakeLab) -> None:
    lab.proven = False
    with pytest.raises(VerificationError, match="crash-primary is refused"):
        drilled(lab, "crash-primary")
    assert lab.done == []


def test_a_fault_from_elsewhere_needs_no_word_of_the_runner(tmp_path: Path) -> None:
    """One server, no pair: what a service of one's own may say."""
    lab = FakeLab(tmp_path, {"servers": 1})
    step = Shell("server1", "systemctl kill -s KILL nginx", "systemctl start nginx")
    fault = Fault("web-crash", "the web server is killed", ("server1",), (step,), meanwhile=(Measure(1.0),))
    result = drilled(lab, fault)
    assert result.title == "the web server is killed"
    assert [done for done in lab.done if "nginx" in done] == [f"server1: {step.do}", f"server1: {step.undo}"]
    assert [event.what for event in result.events] == ["fault", "repair", "normal"]
