"""`labbuilder drill` that ends too early: what was measured before is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from drills import recorded

from labbuilder.cli import drill as command
from labbuilder.drill.model import DrillResult
from labbuilder.drill.series import NotMeasured
from labbuilder.errors import MachineError


@pytest.fixture
def drilled(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command over these outcomes, the last of which may be what ends it; the document and how it ended."""

    def run(*outcomes: object, **options: Any) -> tuple[dict[str, Any], BaseException]:
        def each(*_: object, **__: object) -> Iterator[object]:
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
                yield outcome

        monkeypatch.setattr(command, "_outcomes", each)
        monkeypatch.setattr(command, "reporting", lambda **_: nullcontext())
        with pytest.raises((KeyboardInterrupt, MachineError, typer.Exit)) as ended:
            command.drill(SimpleNamespace(), names=["crash-primary", "power-cut"], as_json=True, **options)  # type: ignore[arg-type]
        text = capsys.readouterr().out
        return (json.loads(text) if text else {}), ended.value

    return run


def names(document: dict[str, Any]) -> list[str]:
    return [drill["drill"] for drill in document["drills"]]


@pytest.fixture
def result() -> DrillResult:
    return recorded()


BROKEN = MachineError(brief="server1 refused")


def test_ctrl_c_in_the_second_drill_prints_what_the_first_gave(drilled: Any, result: DrillResult) -> None:
    document, ended = drilled(result, KeyboardInterrupt())
    assert isinstance(ended, KeyboardInterrupt)
    assert (names(document), document["cut_off"]) == (
        ["crash-primary"],
        {"brief": "interrupted", "exit_code": 130},
    )


INTERRUPTED = """
import sys
from drills import recorded
from labbuilder.cli import drill
from labbuilder.cli.app import main

def each(*_, **__):
    yield recorded()
    raise KeyboardInterrupt

drill._outcomes = each
sys.argv[1:1] = ["drill", "crash-primary", "power-cut"]
main()
"""


def interrupted(folder: Path, *words: str) -> str:
    support = Path(__file__).resolve().parents[2] / "support"
    env = os.environ | {"LABBUILDER_HOME": str(folder), "PYTHONPATH": f"{support}:{os.environ.get('PYTHONPATH', '')}"}
    argv = [sys.executable, "-c", INTERRUPTED, *words]
    said = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert said.returncode == 130, said.stderr
    assert "interrupted." in said.stderr
    return said.stdout


def test_who_is_interrupted_ends_at_once_and_yet_has_printed_it_all(tmp_path: Path) -> None:
    assert names(json.loads(interrupted(tmp_path, "--json"))) == ["crash-primary"]
    assert "PASSED  crash-primary" in interrupted(tmp_path)


def test_an_error_between_two_drills_stands_in_the_one_document(drilled: Any, result: DrillResult) -> None:
    document, ended = drilled(result, BROKEN)
    assert isinstance(ended, typer.Exit)
    assert ended.exit_code == 4
    assert (names(document), document["cut_off"]["brief"]) == (["crash-primary"], "server1 refused")


def test_a_second_drill_that_could_not_be_carried_out_is_told_as_not_measured(
    drilled: Any, result: DrillResult
) -> None:
    document, ended = drilled(result, NotMeasured("power-cut", "manual", "isc", BROKEN))
    assert isinstance(ended, typer.Exit)
    assert ended.exit_code == 4
    assert names(document) == ["crash-primary"]
    assert [(each["drill"], each["brief"]) for each in document["not_measured"]] == [("power-cut", "server1 refused")]
    assert "cut_off" not in document


def test_an_error_in_the_first_drill_is_the_error_alone(drilled: Any) -> None:
    assert drilled(BROKEN) == ({}, BROKEN)
