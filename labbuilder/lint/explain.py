"""All that is known of a rule, for who asks: why, how to mend it, where it is from, a bad and a good example."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from labbuilder.errors import LintError
from labbuilder.lint.model import Rule
from labbuilder.lint.rules import RULES
from labbuilder.lint.words import Words

ENGINES = {"isc": "ISC dhcpd", "kea": "Kea"}


@dataclass(frozen=True)
class Example:
    """A good pair in which one thing becomes bad.

    Attributes:
        pair: Which of the tests' good pairs.
        where: In whose file: "primary", "secondary" or both.
        good: What stands there.
        bad: What is put in its place.
        clients: So many clients are expected.
    """

    pair: str
    where: tuple[str, ...]
    good: str
    bad: str
    clients: int | None = None


@cache
def examples() -> Mapping[str, Example]:
    """The example of each rule."""
    import yaml  # noqa: PLC0415  who lints needs none

    found: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("examples.yaml").read_text("utf-8"))
    return {
        name: Example(e["pair"], tuple(e["in"]), e["good"], e["bad"], e.get("clients")) for name, e in found.items()
    }


def explained(name: str, words: Words) -> str:
    """Everything of one rule.

    Raises:
        LintError: There is no such rule.
    """
    rule = next((rule for rule in RULES if rule.id == name), None)
    if rule is None:
        near = get_close_matches(name, [rule.id for rule in RULES], 3, 0.5)
        meant = f"did you mean {' or '.join(near)}?" if near else "labbuilder lint --rules lists them"
        raise LintError(brief=f"there is no rule {name!r}", resolution=meant)
    head = f"{rule.id}: {words(rule.severity.value)}, {_engines(rule)}"
    return "\n".join([head, "", *_told(rule, words), *_example(rule, words)]).rstrip()


def listed(words: Words) -> str:
    """All rules, one a line."""
    width = max(len(rule.id) for rule in RULES)
    return "\n".join(f"{rule.id:{width}}  {words(rule.severity.value):11}  {_engines(rule)}" for rule in RULES)


def _engines(rule: Rule) -> str:
    return ", ".join(ENGINES[engine] for engine in rule.engines)


def _told(rule: Rule, words: Words) -> Iterator[str]:
    for head, text in (("why", rule.why), ("mend", rule.mend), ("source", rule.source)):
        first = f"{words(head)}: "
        yield from textwrap.wrap(
            words(text) if head != "source" else text,
            79,
            initial_indent=first,
            subsequent_indent=" " * len(first),
            break_on_hyphens=False,
        )
    if rule.needs_partner:
        yield words("It compares: it is not looked for in one file by itself.")


def _example(rule: Rule, words: Words) -> Iterator[str]:
    example = examples().get(rule.id)
    if example is None:
        return
    where = ", ".join(words(side) for side in example.where)
    for head, text in (("bad", example.bad), ("good", example.good)):
        yield from ("", f"{words(head)} ({where}):", textwrap.indent(textwrap.dedent(text).rstrip("\n"), "    "))
