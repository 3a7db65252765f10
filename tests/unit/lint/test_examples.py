"""Each rule's example: what is called bad is found, what is called good is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from labbuilder.errors import LintError
from labbuilder.lint import Config, lint_pair
from labbuilder.lint.explain import Example, examples, explained, listed
from labbuilder.lint.rules import RULES
from labbuilder.lint.words import Words

PAIRS = Path(__file__).parents[2] / "pairs"
SIDES = ("primary", "secondary")


def rules_in(example: Example, *, bad: bool) -> set[str]:
    texts = {path.stem: path.read_text() for path in (PAIRS / example.pair).iterdir()}
    for side in example.where if bad else ():
        assert texts[side].count(example.good) == 1, "the good lines are not in the good pair"
        texts[side] = texts[side].replace(example.good, example.bad)
    configs = [Config(side, texts[side], {"empty.conf": ""}.__getitem__) for side in SIDES]
    return {finding.rule for finding in lint_pair(*configs, clients=example.clients)}


@pytest.mark.parametrize("rule", examples())
def test_the_bad_one_is_found_and_the_good_one_is_not(rule: str) -> None:
    assert rule in rules_in(examples()[rule], bad=True)
    assert rule not in rules_in(examples()[rule], bad=False)


def test_an_example_is_of_a_rule() -> None:
    assert set(examples()) <= {rule.id for rule in RULES}


def test_a_rule_is_explained_with_its_example() -> None:
    said = explained("mclt-missing", Words())
    assert said.startswith("mclt-missing: error, ISC dhcpd\n\nwhy: dhcpd does not start a primary without it")
    assert said.index("bad (primary):") < said.index("good (primary):") < said.index("    mclt 60;")
    assert max(map(len, said.splitlines())) < 80
    assert "It compares" not in said
    assert "It compares" in explained("pool-differs", Words())


def test_a_rule_that_is_none_brings_the_nearest() -> None:
    with pytest.raises(LintError, match="did you mean mclt-missing") as error:
        explained("mclt-mising", Words())
    assert "'mclt-mising'" in error.value.brief
    with pytest.raises(LintError, match="labbuilder lint --rules"):
        explained("xyzzy", Words())


def test_all_rules_are_listed() -> None:
    assert [line.split()[0] for line in listed(Words()).splitlines()] == [rule.id for rule in RULES]
