"""Which drills are run where, and how long they measure: no machine is needed to say."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from labbuilder.drill import faults, series, titles
from labbuilder.drill.series import MATRIX, fitting, with_failover
from labbuilder.errors import LabError, SpecError
from labbuilder.host import progress
from labbuilder.host.store import Home
from labbuilder.lifecycle.session import Session
from labbuilder.model.fault import Measure
from labbuilder.plan import build_plan
from labbuilder.plan.load import spec_from_values
from labbuilder.services.dhcp import engine_for
from labbuilder.spec.failover import Failover
from labbuilder.spec.models import Dhcp, LabSpec


def test_the_matrix_is_every_mode_on_each_engine() -> None:
    assert len(MATRIX) == len(set(MATRIX)) == 8


def test_another_mode_keeps_what_every_mode_has_and_drops_the_rest() -> None:
    own = spec_from_values(
        name="aula",
        clients=3,
        dhcp={"default_lease_s": 120, "failover": {"split": 200, "mclt_s": 30, "timers": "engine"}},
    )
    other = with_failover(own, {"mode": "hot-standby", "engine": "isc"}, name="other")
    assert (other.name, len(other.clients), other.dhcp.default_lease_s) == ("other", 3, 120)
    assert other.dhcp.failover == Failover(mode="hot-standby", mclt_s=30, timers="engine")
    kea = with_failover(own, {"mode": "hot-standby", "engine": "kea"}, name="other")
    assert kea.dhcp.failover == Failover(engine="kea", mode="hot-standby", timers="engine")


@pytest.mark.parametrize("wrong", [{"mode": "fast"}, {"engine": "dnsmasq"}, {"timers": "slow"}])
def test_a_mode_an_engine_or_timers_that_are_not_there_are_named(wrong: dict[str, str]) -> None:
    (key, value) = next(iter(wrong.items()))
    with pytest.raises(SpecError) as refused:
        with_failover(spec_from_values(name="aula"), wrong, name="other")
    assert key in str(refused.value)
    assert value in str(refused.value)


def test_a_cold_standby_has_no_connection_to_block() -> None:
    cold = spec_from_values(dhcp={"failover": {"mode": "manual"}})
    assert set(titles()) - {*fitting(cold, [])} == {"split-brain", "gateway-crash"}
    kea = spec_from_values(dhcp={"failover": {"mode": "manual", "engine": "kea"}})
    assert set(titles()) - {*fitting(kea, [])} == {"gateway-crash"}
    assert fitting(cold, ["split-brain"]) == ["split-brain"]  # alone it is tried, and says why not


def test_a_lab_for_which_nothing_fits_is_told_why_instead_of_passing_with_no_drill() -> None:
    assert fitting(spec_from_values(servers=1), []) == [*titles()]


def test_no_name_means_all_drills_and_a_wrong_one_is_refused_before_anything_runs() -> None:
    assert fitting(spec_from_values(gateway={"redundancy": "vrrp"}), []) == [*titles()]
    with pytest.raises(SpecError, match="there is no drill 'nosuch'"):
        fitting(spec_from_values(), ["crash-primary", "nosuch"])


def not_measured(home: Home, spec: LabSpec, name: str, *, seed: int) -> series.NotMeasured:
    del home, seed
    return series.NotMeasured(name, spec.dhcp.failover.mode, spec.dhcp.failover.engine, LabError(brief="no machine"))


def test_a_series_says_which_drill_runs_and_how_many_there_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = spec_from_values(name="aula")
    monkeypatch.setattr(series, "locked", lambda _: nullcontext())
    monkeypatch.setattr(series, "drill", lambda session, name, *, seed: (session, name, seed))
    monkeypatch.setattr(Session, "open", lambda *_: nullcontext(SimpleNamespace(spec=spec)))
    rows: list[tuple[str, str]] = []
    with progress.listening(lambda event: rows.append((event.step, event.detail)) if event.kind == "done" else None):
        list(series.in_lab(Home(tmp_path), "aula", [], seed=1))
        assert rows[2] == ("drill 3 of 14", "power-cut")
        rows.clear()
        list(series.in_lab(Home(tmp_path), "aula", ["power-cut"], seed=1))
        assert rows == []


def test_a_matrix_says_which_drill_runs_and_how_many_there_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(series, "_in_own_lab", not_measured)
    rows: list[tuple[str, str]] = []
    with progress.listening(lambda event: rows.append((event.step, event.detail)) if event.kind == "done" else None):
        list(series.beside(Home(tmp_path), spec_from_values(name="aula"), MATRIX, [], seed=1))
    assert len(rows) == 111  # a cold standby has no connection to block
    assert rows[110] == ("drill 111 of 111", "kea manual nat-gone")


@pytest.mark.parametrize(
    ("failover", "after_rst_s", "after_silence_s"),
    [
        (Failover(engine="isc"), 1, 5),
        (Failover(engine="isc", timers="engine"), 1, 60),
        (Failover(engine="kea"), 3, 11),
        (Failover(engine="kea", timers="engine"), 79, 79),
    ],
    ids=str,
)
def test_a_drill_measures_longer_than_its_engine_takes(
    failover: Failover, after_rst_s: int, after_silence_s: int
) -> None:
    engine = engine_for(failover)
    assert engine.finds_out_within_s(failover, silent=False) == after_rst_s
    assert engine.finds_out_within_s(failover, silent=True) == after_silence_s
    there = faults(build_plan(LabSpec(dhcp=Dhcp(failover=failover))))
    for name, seconds in {"crash-primary": after_rst_s, "power-cut": after_silence_s}.items():
        assert there[name].meanwhile == (Measure(seconds + 5),)
