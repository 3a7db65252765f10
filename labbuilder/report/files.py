"""Reports written to files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from labbuilder.drill.model import DrillResult
from labbuilder.errors import HostError, SpecError
from labbuilder.report.document import as_json
from labbuilder.report.junit import junit
from labbuilder.report.page import html

_ALL = ("report.html", "report.json", "report.xml")


def write(
    results: Sequence[DrillResult], path: str | Path, *, language: str = "en", limit_s: float | None = None
) -> tuple[Path, ...]:
    """Write one report, or all of them.

    Args:
        results: The drills.
        path: A file, whose ending says what it gets: .html, .json, or .xml for JUnit; or a folder, which gets
            report.html, report.json and report.xml.
        language: Of the page, "en" or "es".
        limit_s: The longest outage of new clients that is allowed; None: any.

    Returns:
        What was written.

    Raises:
        SpecError: The ending is another one, or there is no such language.
        HostError: It can't be written.
    """
    path = Path(path)
    if path.suffix and not path.is_dir() and f"report{path.suffix}" not in _ALL:
        raise SpecError(
            brief=f"no report is written as {path.suffix!r}",
            resolution="use .html, .json or .xml (JUnit), or a folder for all three",
        )
    paths = (path,) if path.suffix and not path.is_dir() else tuple(path / name for name in _ALL)
    texts = {
        ".html": lambda: html(results, language=language, limit_s=limit_s),
        ".json": lambda: json.dumps(as_json(results, limit_s=limit_s), indent=1) + "\n",
        ".xml": lambda: junit(results, limit_s=limit_s),
    }
    try:
        for each in paths:
            text = texts[each.suffix]()
            each.parent.mkdir(parents=True, exist_ok=True)
            each.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HostError(
            brief=f"the report can't be written to {path}",
            details=str(error),
            resolution="give a place where files can be made",
        ) from error
    return paths
