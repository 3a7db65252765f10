"""docs/lint.md has every rule, in the words of the rule itself, with the example that tests/unit/lint tries."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

from labbuilder.lint.explain import ENGINES, examples
from labbuilder.lint.fix import FIXABLE
from labbuilder.lint.model import Rule
from labbuilder.lint.rules import RULES
from labbuilder.lint.words import Words

PAGE = Path(__file__).resolve().parents[2] / "docs/lint.md"
MARK = "<!-- what follows is written by LABBUILDER_UPDATE=1 pytest tests/docs/test_lint_page.py -->\n"


def listed() -> str:
    return "".join(
        f"\n## {rule.id}\n{_head(rule)}\n\n"
        f"- Why: {rule.why}.\n- To mend: {rule.mend}.\n- Source: {rule.source}.\n\n{_example(rule)}"
        for rule in RULES
    )


def _head(rule: Rule) -> str:
    parts = [rule.severity.value, " and ".join(ENGINES[engine] for engine in rule.engines)]
    parts += ["compares the two"] if rule.needs_partner else []
    return " · ".join([*parts, *(["`--fix`"] if rule.id in FIXABLE else [])])


def _example(rule: Rule) -> str:
    example = examples()[rule.id]
    where = " and ".join(example.where)
    bad, good = (textwrap.dedent(text).rstrip("\n") or "(nothing)" for text in (example.bad, example.good))
    return f"Bad, in the file of the {where}:\n```\n{bad}\n```\nGood:\n```\n{good}\n```\n"


def test_the_page_lists_all_rules() -> None:
    head, _, rules = PAGE.read_text(encoding="utf-8").partition(MARK)
    if os.environ.get("LABBUILDER_UPDATE"):
        PAGE.write_text(head + MARK + listed(), encoding="utf-8")
    else:
        assert rules == listed()


def test_the_page_tells_what_is_mended() -> None:
    head, _, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    _, _, table = head.partition("## What it mends")
    named = {
        word for line in table.splitlines() if line.startswith("| `") for word in line.split("|")[1].split("`")[1::2]
    }
    assert named == FIXABLE


def test_every_rule_has_an_example_and_is_told_in_both_languages() -> None:
    assert {rule.id for rule in RULES} == set(examples())
    spanish = Words("es")
    told = [text for rule in RULES for text in (rule.why, rule.mend)]
    assert [text for text in told if not spanish.has(text)] == []
