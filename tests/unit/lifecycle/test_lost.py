"""What is lost is told; what is only on its way is not, and is left to who is at work on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from labbuilder.host.store import Home, locked
from labbuilder.lifecycle import lost
from labbuilder.lifecycle.lost import finding, lost_labs, remove_lost
from labbuilder.providers import registry
from labbuilder.providers.traces import Trace

LOST = Trace("nspawn", "1057", None, gone=True, things=("control group g",))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost, "_SETTLES_S", 0.01)


def shown(monkeypatch: pytest.MonkeyPatch, *looks: tuple[Trace, ...]) -> None:
    """What the host shows, look by look; the last one stays."""
    left = list(looks)
    monkeypatch.setattr(registry, "traces", lambda: left.pop(0) if len(left) > 1 else left[0])


def test_a_lab_that_is_just_taken_down_is_not_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shown(monkeypatch, (LOST,), ())
    assert lost_labs() == ()
    shown(monkeypatch, (LOST,), ())
    assert remove_lost(Home(tmp_path)) == ()


def test_a_lab_without_a_folder_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shown(monkeypatch, (LOST,))
    assert lost_labs() == (LOST,)
    assert not finding(Home(tmp_path)).ok


def test_what_somebody_is_at_work_on_holds_nobody_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shown(monkeypatch, ())
    home = Home(tmp_path)
    with locked(home.lab("busy")):
        assert remove_lost(home) == ()
        assert home.lab("busy").lock.exists()
