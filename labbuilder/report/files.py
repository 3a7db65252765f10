"""Reports written to files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labbuilder.drill.model import DrillResult
from labbuilder.errors import HostError, SpecError
from labbuilder.report.document import as_json
from labbuilder.report.junit import junit
from labbuilder.report.page import html
from labbuilder.report.words import Words

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
    paths = check(path, language=language)
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
        raise _unwritable(path, error) from error
    return paths


def _unwritable(path: str | Path, error: OSError) -> HostError:
    return HostError(
        brief=f"the report can't be written to {path}",
        details=str(error),
        resolution="give a place where files can be made",
    )


def check(path: str | Path, *, language: str) -> tuple[Path, ...]:
    """The files that `write` would write; asked before a drill, since a report that can't be written loses it.

    Raises:
        SpecError: The ending is an unknown one, or there is no such language.
        HostError: Nothing can be written there.
    """
    path = Path(path)
    Words(language)
    if path.suffix and not path.is_dir() and f"report{path.suffix}" not in _ALL:
        raise SpecError(
            brief=f"no report is written as {path.suffix!r}",
            resolution="use .html, .json or .xml (JUnit), or a folder for all three",
        )
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise _unwritable(path, error) from error
    return (path,) if path.suffix and not path.is_dir() else tuple(path / name for name in _ALL)
