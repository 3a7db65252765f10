"""SARIF 2.1.0 (OASIS): what code scanning takes, GitHub's and others'."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from labbuilder.errors import LintError
from labbuilder.lint.model import Finding, Rule, Severity
from labbuilder.lint.outcome import Outcome
from labbuilder.lint.rules import RULES
from labbuilder.lint.source import Place
from labbuilder.lint.words import Words

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
UNREADABLE = "unreadable"
_ON_HOST = re.compile(r"([^/:]+):(/.*)")
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def sarif(outcomes: Sequence[Outcome], words: Words, version: str) -> dict[str, Any]:
    """One run; what can't be read is a result too, since its line is what a reader wants to see."""
    results = [_result(finding, words) for outcome in outcomes for finding in outcome.findings]
    errors = [outcome.error for outcome in outcomes if outcome.error]
    results += [_unreadable(error) for error in errors]
    rules = [*(_rule(rule, words) for rule in RULES), {"id": UNREADABLE, "shortDescription": {"text": UNREADABLE}}]
    driver = {"name": "labbuilder lint", "version": version, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "language": words.language,
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"uri": f"file://{quote(str(Path.cwd()))}/"}},
        "invocations": [{"executionSuccessful": not errors}],
        "results": results,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule, words: Words) -> dict[str, Any]:
    why, mend = words(rule.why), words(rule.mend)
    return {
        "id": rule.id,
        "shortDescription": {"text": why},
        "fullDescription": {"text": f"{why}. {words('source')}: {rule.source}."},
        "help": {"text": mend, "markdown": f"**{words('mend')}:** {mend}"},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(finding: Finding, words: Words) -> dict[str, Any]:
    result = {
        "ruleId": finding.rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{words(finding.what)}. {words('mend')}: {words(finding.mend)}."},
        "locations": [_location(finding.where)],
        "partialFingerprints": {"what/v1": sha256(f"{finding.rule} {finding.what}".encode()).hexdigest()[:32]},
    }
    if finding.other:
        result["relatedLocations"] = [_location(finding.other) | {"id": 1, "message": {"text": words("there")}}]
    return result


def _unreadable(error: LintError) -> dict[str, Any]:
    text = ". ".join(filter(None, (error.brief, error.resolution)))
    place = Place(error.file or ".", error.line, error.column)
    return {"ruleId": UNREADABLE, "level": "error", "message": {"text": text}, "locations": [_location(place)]}


def _location(place: Place) -> dict[str, Any]:
    region = {"startLine": place.line, "startColumn": place.column}
    return {"physicalLocation": {"artifactLocation": _artifact(place.file), "region": region}}


def _artifact(file: str) -> dict[str, str]:
    """Below the folder of the command as a path of it, as GitHub wants; elsewhere whole, or on its host."""
    if remote := _ON_HOST.fullmatch(file):
        return {"uri": f"ssh://{quote(remote[1], safe='@')}{quote(remote[2])}"}
    path = Path.cwd() / file
    if path.is_relative_to(Path.cwd()):
        return {"uri": quote(str(path.relative_to(Path.cwd()))), "uriBaseId": "%SRCROOT%"}
    return {"uri": f"file://{quote(str(path))}"}
