"""Evidence in another language: titles of checks and what they wanted and saw, by the patterns of evidence.yaml."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

from labbuilder.lint.words import Words

_LINT = Words("es")  # it reads its catalogue when it is first asked


def translated(text: str, language: str) -> str:
    """The text line by line; a line that has no pattern stays, as a machine's own words do."""
    return text if language == "en" else "\n".join(map(_line, text.split("\n")))


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """English as a pattern with a group for each name, and its Spanish; those without a name come first."""
    lines: dict[str, str] = yaml.safe_load(Path(__file__).with_name("evidence.yaml").read_text("utf-8"))
    found = [(re.compile(_as_pattern(english)), spanish) for english, spanish in lines.items()]
    return tuple(sorted(found, key=lambda pair: pair[0].groups))


def _as_pattern(english: str) -> str:
    parts = re.split(r"\{(\w+)\}", english)
    return "".join(f"(?P<{part}>.+?)" if n % 2 else re.escape(part) for n, part in enumerate(parts))


@cache
def _line(text: str) -> str:
    indent = text[: len(text) - len(text.lstrip())]
    for pattern, spanish in _patterns():
        match = pattern.fullmatch(text.strip())
        if match:
            return indent + spanish.format(**{name: _said(name, value) for name, value in match.groupdict().items()})
    return text


def _said(name: str, value: str) -> str:
    """What varies may be a line of its own, as the title of a check that was asked after a reboot, or the lint's."""
    if name == "finding":
        return _LINT(value)
    return _line(value) if " " in value else value
