"""The command `labbuilder lint`: findings as people read them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from labbuilder.cli import output

if TYPE_CHECKING:
    from labbuilder.lint import Finding

_COLOURS = {"error": "\033[31m", "warning": "\033[33m", "note": "\033[2m"}
_WIDTH = 100


def run(file: Path, partner: Path, *, clients: int | None, cold_standby: bool, strict: bool, as_json: bool) -> int:
    """Print what is found; the exit status: 1 if there are errors, or warnings where these count."""
    from labbuilder.lint import lint_pair  # noqa: PLC0415  --help needs no parser

    found = lint_pair(file, partner, clients=clients, cold_standby=cold_standby)
    bad = {"error", "warning"} if strict else {"error"}
    passed = not any(finding.severity in bad for finding in found)
    if as_json:
        output.print_json({"passed": passed, "findings": [asdict(finding) for finding in found]})
    else:
        print(_text(found))
    return 0 if passed else 1


def _text(found: Sequence[Finding]) -> str:
    """Each rule once, with why and mend, and below it each place."""
    lines = []
    for rule in dict.fromkeys(finding.rule for finding in found):
        same = [finding for finding in found if finding.rule == rule]
        word = output.colour(same[0].severity.value, _COLOURS[same[0].severity], sys.stdout)
        lines.append(f"{word}: {rule}")
        for finding in same:
            lines.append(f"  {finding.where}: {finding.what}")
            lines += [f"      there: {finding.other}"] if finding.other else []
        lines += [*_wrapped("why", same[0].why), *_wrapped("mend", same[0].mend), ""]
    counts = Counter(finding.severity.value for finding in found)
    said = ", ".join(f"{n} {word}{'s' if n > 1 else ''}" for word, n in counts.items())
    lines.append(f"{said}." if said else "Nothing found: the two fit each other.")
    return "\n".join(lines)


def _wrapped(head: str, text: str) -> list[str]:
    import shutil  # noqa: PLC0415
    import textwrap  # noqa: PLC0415

    width = max(40, min(_WIDTH, shutil.get_terminal_size().columns))
    first, rest = f"  {head + ':':6}", " " * 8
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
