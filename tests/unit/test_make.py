"""`make test` and `.ci/run`: a failure in one half keeps the other from nothing, and both are told."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tool(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        ("neither", "The drills: passed (build/tests/drills.xml). The rest: passed (build/tests/rest.xml)."),
        ("measures", "The drills: FAILED (build/tests/drills.xml). The rest: passed (build/tests/rest.xml)."),
        ("not measures", "The drills: passed (build/tests/drills.xml). The rest: FAILED (build/tests/rest.xml)."),
    ],
)
def test_drills_that_fail_keep_no_other_test_from_running(tmp_path: Path, fails: str, told: str) -> None:
    for name in ("ruff", "mypy", "lint-imports"):
        tool(tmp_path / "bin" / name, "true")
    tool(tmp_path / "bin/pytest", f'echo "ran: $2"; [ "$2" != "{fails}" ]')
    for done in (".host", ".runtime", ".dev"):  # nothing is to be installed
        (tmp_path / done).touch()
    said = subprocess.run(["make", "test", f"VENV={tmp_path}"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert [line for line in said.stdout.splitlines() if line.startswith("ran")] == [
        "ran: measures",
        "ran: not measures",
    ]
    assert told in said.stdout
    assert (said.returncode == 0) is (fails == "neither")


@pytest.mark.parametrize(("fails", "code"), [("neither", 0), ("test", 1), ("vbox-e2e", 1)])
def test_ci_boots_machines_whatever_came_of_the_tests(tmp_path: Path, fails: str, code: int) -> None:
    tool(tmp_path / "bin/make", f'echo "made: $1"; [ "$1" != {fails} ]')
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    env = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    said = subprocess.run([tmp_path / ".ci/run"], env=env, capture_output=True, text=True, check=False)
    assert [line for line in said.stdout.splitlines() if line.startswith("made")] == ["made: test", "made: vbox-e2e"]
    assert said.returncode == code
    assert said.stdout.splitlines()[-1].count("FAILED") == code
