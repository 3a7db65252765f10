"""GitHub's workflow commands: what is found stands beside the line in a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labbuilder.lint.model import Finding, Severity
from labbuilder.lint.outcome import Outcome
from labbuilder.lint.words import Words

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def github(outcomes: Sequence[Outcome], words: Words) -> str:
    """One command a finding, and for what can't be read."""
    return "\n".join(line for outcome in outcomes for line in _lines(outcome, words))


def _lines(outcome: Outcome, words: Words) -> Iterator[str]:
    if error := outcome.error:
        message = "\n".join(filter(None, (error.brief, error.resolution)))
        yield _command("error", error.file or outcome.files[0], error.line, error.column, "unreadable", message)
    for finding in outcome.findings:
        where = finding.where
        kind = _COMMANDS[finding.severity]
        yield _command(kind, where.file, where.line, where.column, finding.rule, _message(finding, words))


def _message(finding: Finding, words: Words) -> str:
    there = [f"{words('there')}: {finding.other}"] if finding.other else []
    parts = [words(finding.what), *there]
    return "\n".join([*parts, *(f"{words(k)}: {words(v)}" for k, v in (("why", finding.why), ("mend", finding.mend)))])


def _command(kind: str, file: str, line: int, column: int, title: str, message: str) -> str:
    said = {"file": file, "line": line, "col": column, "title": title}
    properties = ",".join(f"{name}={_escaped(str(value), ',:')}" for name, value in said.items())
    return f"::{kind} {properties}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    for sign in f"%\r\n{more}":
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text
