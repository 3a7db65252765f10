"""docs/lint.md has every rule, in the words of the rule itself."""

from __future__ import annotations

import os
from pathlib import Path

from labbuilder.lint.rules import RULES

PAGE = Path(__file__).resolve().parents[2] / "docs/lint.md"
MARK = "<!-- what follows is written by LABBUILDER_UPDATE=1 pytest tests/docs/test_lint_page.py -->\n"
ENGINES = {("isc",): "ISC dhcpd", ("kea",): "Kea", ("isc", "kea"): "ISC dhcpd and Kea"}


def listed() -> str:
    return "".join(
        f"\n## {rule.id}\n{rule.severity.value} · {ENGINES[rule.engines]}\n\n"
        f"- Why: {rule.why}.\n- To mend: {rule.mend}.\n- Source: {rule.source}.\n"
        for rule in RULES
    )


def test_the_page_lists_all_rules() -> None:
    head, _, rules = PAGE.read_text(encoding="utf-8").partition(MARK)
    if os.environ.get("LABBUILDER_UPDATE"):
        PAGE.write_text(head + MARK + listed(), encoding="utf-8")
    else:
        assert rules == listed()
