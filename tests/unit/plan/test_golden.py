"""Every file of every machine, as it was read and found right. LABBUILDER_UPDATE=1 writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labbuilder.lab import Lab
from labbuilder.plan import build_plan

CASES = sorted((Path(__file__).parents[2] / "golden").glob("*/lab.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_the_files_are_the_golden_ones(case: Path, tmp_path: Path) -> None:
    expected = case.parent / "expected"
    lab = Lab.from_file(case)
    if os.environ.get("LABBUILDER_UPDATE"):
        lab.render(expected)
    lab.render(tmp_path)
    seen = {p.relative_to(tmp_path): p.read_text() for p in tmp_path.rglob("*") if p.is_file()}
    golden = {p.relative_to(expected): p.read_text() for p in expected.rglob("*") if p.is_file()}
    assert seen == golden


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_the_same_spec_gives_the_same_plan(case: Path) -> None:
    first, second = (build_plan(Lab.from_file(case).spec) for _ in range(2))
    assert first == second
    assert first.digest == second.digest
    macs = [nic.mac for machine in first.machines for nic in machine.nics]
    assert len(set(macs)) == len(macs)
