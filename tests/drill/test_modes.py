"""The command drills each mode of each engine, and goes on where one drill can't be measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labbuilder.host.store import Home
from labbuilder.lab import Lab

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.measures]


def labbuilder(*words: str, folder: Path) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "labbuilder", *words, "--json"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("engine", ["isc", "kea"])
@pytest.mark.parametrize("mode", ["load-balancing", "hot-standby", "round-robin", "manual"])
def test_another_mode_is_drilled_in_a_lab_of_its_own(
    drilled: Lab, home: Home, tmp_path: Path, engine: str, mode: str
) -> None:
    before = home.lab_names()
    # Kea waits ten seconds for a silent partner: seen once in an automatic mode, and once where an operator acts.
    name = "power-cut" if engine == "kea" and mode in ("hot-standby", "manual") else "crash-primary"
    words = ["drill", name, "--mode", mode, "--engine", engine, "--timers", "quick", "--lab", drilled.name]
    own = (engine, mode) == ("isc", "load-balancing")
    code, told = labbuilder(*words, "--report", str(tmp_path), folder=tmp_path)
    (found,) = told["drills"]
    assert (code, told["not_measured"]) == (0, [])
    assert (found["engine"], found["mode"], found["passed"]) == (engine, mode, True)
    assert (found["lab"] == drilled.name) is own
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json", "report.xml"]
    assert home.lab_names() == before
    takeover = [event["at_s"] for event in found["events"] if event["what"] == "takeover"]
    assert bool(takeover) is (mode == "manual")
    if mode == "manual":
        served = [m for m in found["messages"] if m["type"] == "ACK" and 0.5 < m["at_s"] < takeover[0]]
        assert served == []  # nobody is served before the operator says so


def test_a_drill_that_can_not_be_measured_is_told_and_the_others_go_on(home: Home, tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("name: small\ndhcp: {pool: 192.168.1.100-192.168.1.103}\n")
    code, told = labbuilder("drill", "pool-exhausted", "crash-primary", "--engine", "kea", folder=tmp_path)
    assert code == 2
    assert [(missing["drill"], missing["exit_code"]) for missing in told["not_measured"]] == [("pool-exhausted", 2)]
    assert "too small" in told["not_measured"][0]["brief"]
    assert [(found["drill"], found["passed"]) for found in told["drills"]] == [("crash-primary", True)]
    assert not [name for name in home.lab_names() if name.startswith("small-")]
