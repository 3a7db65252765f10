"""The lint and the real kea-dhcp4 say the same of thousands of changed configurations, but for what is listed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from kea_mutations import Mutant, mutants
from kea_tree import Verdict, verdicts

from labbuilder.errors import LintError
from labbuilder.lint import Config, lint_server
from labbuilder.lint.versions import of_suite

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

SEED = 77
LISTED = Path(__file__).with_name("lint_kea_disagreements.tsv")
# With -T the hook's configuration has been taken when its listener is begun, which needs the running server's threads.
BEYOND = "CmdHttpListener cannot be started when multi-threading is disabled"


class Explained(NamedTuple):
    """A kind of disagreement."""

    who: str
    says: str
    why: str


def explained() -> list[Explained]:
    lines = LISTED.read_text(encoding="utf-8").splitlines()
    return [Explained(*line.split("\t")) for line in lines if not line.startswith("#")]


def refused(text: str, version: str, *, hook: bool) -> str:
    """What the lint refuses of all that kea-dhcp4 looks at; empty if nothing."""
    try:
        found = lint_server(Config("x", text), engine_version=version)
    except LintError as error:
        return error.brief
    rules = [f for f in found if f.severity == "error" and (f.rule.startswith("kea-") or hook)]
    return "; ".join(f"{finding.rule}: {finding.what}" for finding in rules)


def disagreements(found: list[Mutant], verdicts: list[Verdict], version: str, *, hook: bool = False) -> dict[str, str]:
    """By who refuses and what is changed: what is said."""
    told = {}
    for number, (mutant, verdict) in enumerate(zip(found, verdicts, strict=True)):
        lint = refused(mutant.text, version, hook=hook)
        if bool(lint) == (verdict.taken or BEYOND in verdict.said):
            who = "lint" if lint else "kea"
            told[f"{who} {number} {mutant.what}"] = lint or verdict.said.strip().splitlines()[-1]
    return told


def test_two_thousand_changes_have_the_same_verdict(tmp_path: Path) -> None:
    """Of those that agree both kinds are there in hundreds: a lint that says yes to all, or no, fails."""
    found = list(mutants(2000, SEED))
    asked = verdicts("bookworm", [mutant.text for mutant in found], tmp_path)
    assert 400 < sum(verdict.taken for verdict in asked) < 1600
    told = disagreements(found, asked, of_suite("bookworm"))
    rows = explained()
    used = {
        key: [row for row in rows if key.startswith(row.who) and re.search(row.says, said)]
        for key, said in told.items()
    }
    unexplained = {key: told[key] for key, of_it in used.items() if not of_it}
    assert not unexplained
    assert {row for of_it in used.values() for row in of_it} == set(rows), "a row explains nothing"


def test_what_the_hook_refuses_at_start_the_lint_refuses(tmp_path: Path) -> None:
    """Kea 2.6 has -T, which asks the hooks too; what `-t` does not tell."""
    found = list(mutants(400, SEED, below="high-availability"))
    asked = verdicts("trixie", [mutant.text for mutant in found], tmp_path, "-T")
    assert 50 < sum(not verdict.taken and BEYOND not in verdict.said for verdict in asked) < 350
    assert disagreements(found, asked, of_suite("trixie"), hook=True) == {}


def test_other_releases_have_the_same_verdict_too(tmp_path: Path) -> None:
    found = list(mutants(200, SEED + 1))
    asked = verdicts("trixie", [mutant.text for mutant in found], tmp_path)
    told = disagreements(found, asked, of_suite("trixie"))
    assert not [key for key, said in told.items() if not any(re.search(row.says, said) for row in explained())]
