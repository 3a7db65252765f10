"""Pairs made after public configurations and bug reports: what is said of them, and what must not be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from labbuilder.errors import LintError
from labbuilder.lint import lint_pair

FOLDER = Path(__file__).parents[2] / "lint/cases"


class Case(NamedTuple):
    """One line of expected.tsv: the statuses that are right, what is said, and what is not (regular expressions)."""

    name: str
    statuses: str
    says: str
    says_not: str


def cases() -> list[Case]:
    lines = (FOLDER / "expected.tsv").read_text(encoding="utf-8").splitlines()
    return [Case(*(line.split("\t") + [""] * 3)[:4]) for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_case_is_judged_as_its_daemons_judge_it(case: Case) -> None:
    a, b = sorted(path for path in (FOLDER / case.name).iterdir() if path.name != "README")
    try:
        found = lint_pair(a, b)
        status = str(int(any(finding.severity == "error" for finding in found)))
        said = "\n".join(f"{f.severity}: {f.rule}: {f.where}: {f.what}; {f.why}; {f.mend}; {f.other}" for f in found)
    except LintError as error:
        status, said = "2", str(error)
    assert status in case.statuses.split("|"), said
    if case.says:
        assert re.search(case.says, said), said
    if case.says_not:
        assert not re.search(case.says_not, said), said


def test_every_pair_is_judged() -> None:
    assert {case.name for case in cases()} <= {path.name for path in FOLDER.iterdir() if path.is_dir()}
