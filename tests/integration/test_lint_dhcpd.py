"""The lint and the real dhcpd say the same of thousands of changed configurations, but for what is listed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from dhcpd_mutations import BASE, Mutant, mutants
from dhcpd_tree import Verdict, daemon, verdict

from labbuilder.errors import LintError
from labbuilder.lint import Config, lint_server
from labbuilder.lint.rules import RULES

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

SEED = 4403
COUNT = 2400
LISTED = Path(__file__).with_name("lint_dhcpd_disagreements.tsv")
NO_START = {rule.id for rule in RULES if "isc" in rule.engines and rule.why.startswith("dhcpd does not start")}


class Explained(NamedTuple):
    """A kind of disagreement."""

    who: str
    says: str
    why: str


class Judged(NamedTuple):
    """A mutant, what the lint refuses of it (empty: nothing), and what dhcpd says."""

    mutant: Mutant
    lint: str
    line: int
    dhcpd: Verdict


def explained() -> list[Explained]:
    lines = LISTED.read_text(encoding="utf-8").splitlines()
    return [Explained(*line.split("\t")) for line in lines if not line.startswith("#")]


def judged(mutant: Mutant) -> Judged:
    """Ask both; in a process of its own."""
    lint, line = "", 0
    try:
        found = [f for f in lint_server(Config("x", mutant.text)) if f.rule in NO_START]
        lint = "; ".join(f"{finding.rule}: {finding.what}" for finding in found)
    except LintError as error:
        lint, line = error.brief, error.line
    with TemporaryDirectory() as scratch:
        return Judged(mutant, lint, line, verdict(mutant.text, Path(scratch)))


@cache
def all_judged() -> tuple[Judged, ...]:
    daemon()
    with ProcessPoolExecutor(2) as pool:
        return tuple(pool.map(judged, mutants(COUNT, SEED), chunksize=50))


def told(one: Judged) -> str:
    """Who refuses what the other takes, and what is said of it; empty if they agree."""
    if bool(one.lint) != one.dhcpd.taken:
        return ""
    return f"lint\t{one.lint}" if one.lint else f"dhcpd\t{one.dhcpd.said}"


def rows_for(said: str, rows: Iterable[Explained]) -> list[Explained]:
    who, _, text = said.partition("\t")
    return [row for row in rows if row.who == who and re.search(row.says, text)]


def test_dhcpd_and_the_lint_take_what_is_changed() -> None:
    one = judged(Mutant("nothing", BASE))
    assert (one.lint, one.dhcpd.taken) == ("", True), one.dhcpd.said


def test_thousands_of_changes_have_the_same_verdict() -> None:
    """Of those that agree both kinds are there in hundreds: a lint that says yes to all, or no, fails."""
    assert COUNT / 5 < sum(one.dhcpd.taken for one in all_judged()) < COUNT * 4 / 5
    disagree = {f"{one.mutant.what}\n{told(one)}": told(one) for one in all_judged() if told(one)}
    rows = explained()
    unexplained = [what for what, said in disagree.items() if not rows_for(said, rows)]
    assert not unexplained
    used = {row for said in disagree.values() for row in rows_for(said, rows)}
    assert used == set(rows), "a row explains nothing"


def test_a_statement_of_the_wrong_form_is_told_at_dhcpds_line() -> None:
    """dhcpd counts a line on where a statement ends; where a block is not closed, each tells it in its own place."""
    apart = []
    count = 0
    for one in all_judged():
        lines = [int(number) for number in re.findall(r"^line (\d+):", one.dhcpd.said, re.MULTILINE)]
        if one.line and lines:
            count += 1
            if min(abs(one.line - line) for line in lines) > 1:
                apart.append((one.mutant.what, one.lint, one.dhcpd.said))
    assert count > COUNT / 5
    assert len(apart) < count / 20, apart[:9]
