"""Results as one JSON document, and back.

Keys of the document, which stay: ``format`` (1), ``labbuilder`` (its version), ``limit_s``, ``passed``, and ``drills``:
one object a drill, with the fields of `labbuilder.drill.model.DrillResult` under their own names, and what is reckoned
from them: ``passed``, ``outage_s`` (of new clients; null: until the repair), ``claims`` (each with true or false),
``answers`` (of each server) and ``command``. Times are in seconds; moments count from the fault and are rounded to
1 µs, spans to 1 ms.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from labbuilder.drill.model import DrillResult
from labbuilder.errors import SpecError
from labbuilder.report import figures

FORMAT = 1
_SPAN, _MOMENT = 3, 6
_DIGITS = {"seconds": _SPAN, "longest_wait_s": _SPAN, "resolution_s": _SPAN}


def as_json(results: Sequence[DrillResult], *, limit_s: float | None = None) -> dict[str, Any]:
    """The document, of what json.dumps takes.

    Args:
        results: The drills.
        limit_s: The longest outage of new clients that is allowed; None: any.
    """
    return {
        "format": FORMAT,
        "labbuilder": version("labbuilder"),
        "limit_s": limit_s,
        "passed": all(figures.holds(result, limit_s) for result in results),
        "drills": [_drill(result, limit_s) for result in results],
    }


def load(path: str | Path) -> tuple[DrillResult, ...]:
    """The results of a document that was written before.

    Raises:
        SpecError: It can't be read, or is none of ours.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError(f"no document of format {FORMAT}")  # noqa: TRY301  told as the others are
        return TypeAdapter(tuple[DrillResult, ...]).validate_python(document.get("drills"))
    except (OSError, ValueError, ValidationError) as error:
        raise SpecError(
            brief=f"{path} is no report of drills",
            details=str(error),
            resolution="give a file that labbuilder wrote as JSON",
        ) from error


def _drill(result: DrillResult, limit_s: float | None) -> dict[str, Any]:
    document: dict[str, Any] = _rounded(asdict(result))
    return document | {
        "passed": figures.holds(result, limit_s),
        "outage_s": None if result.outage is None else round(result.outage, _SPAN),
        "claims": {claim.key: claim.holds for claim in figures.claims(result, limit_s)},
        "answers": {
            a.server: _rounded({"before": a.before, "during": a.during, "after": a.after, "share": _share(a)})
            for a in figures.answers(result)
        },
        "command": figures.command(result),
    }


def _share(answers: figures.Answers) -> dict[str, float] | None:
    if answers.share is None:
        return None
    part = answers.share
    return {"value": round(part.value, 3), "low": round(part.low, 3), "high": round(part.high, 3), "of": part.of}


def _rounded(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(item, name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return round(value, _DIGITS.get(key, _MOMENT)) if isinstance(value, float) else value
