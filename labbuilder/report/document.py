"""Results as one JSON document, and back.

Keys of the document: ``format`` (2), ``labbuilder`` (its version), ``limit_s``, ``passed``, and ``drills``: one object
a drill. It has the fields of `labbuilder.drill.model.DrillResult` under their own names, and what is reckoned from
them: ``passed``, ``outage_s`` (of new clients; null: until the repair), ``claims`` (each with true or false),
``answers`` (of each server) and ``command``. Times are in seconds; moments count from the fault and are rounded to
1 µs, spans to 1 ms.

``stopwatches`` is a list with one object for each of them: ``name``, ``outage_s``, ``outages`` (one for each kind of
wish, with how many were ``unserved``), ``exchanges``, ``wrong`` (what must not happen, by its key), ``answers``, and
``judged``: whether a drill fails by it.

What stood in format 1 stands where it did, and stays: ``outages``, ``exchanges``, ``messages``, ``duplicates``,
``lost``, ``outage_s`` and ``answers`` of a drill are those of its first stopwatch, addresses. New beside them are
``stopwatches``, ``counted`` and each event's ``condition``. Documents of format 1 are read
(`labbuilder.report.format1`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from labbuilder.drill.model import DrillResult, Reading
from labbuilder.errors import SpecError
from labbuilder.report import figures, format1

FORMAT = 2
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
    """The results of a document that was written before, also by an older labbuilder.

    Raises:
        SpecError: It can't be read, or is none of ours.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(document, dict) or document.get("format") not in (format1.FORMAT, FORMAT):
            raise ValueError(f"no document of format {format1.FORMAT} or {FORMAT}")  # noqa: TRY301  told as the others are
        read = format1.upgraded if document["format"] == format1.FORMAT else _fields
        drills = [read(drill) for drill in document["drills"]]
        return TypeAdapter(tuple[DrillResult, ...]).validate_python(drills)
    except (OSError, ValueError, ValidationError, KeyError, TypeError, IndexError) as error:
        raise SpecError(
            brief=f"{path} is no report of drills",
            details=f"it has no {error}" if isinstance(error, KeyError) else str(error),
            resolution="give a file that labbuilder wrote as JSON",
        ) from error


def _fields(drill: Mapping[str, Any]) -> dict[str, Any]:
    """A drill of the document as the fields of its result."""
    first, *others = drill["stopwatches"]
    readings = [_reading_fields(first, drill["messages"]), *(_reading_fields(other, ()) for other in others)]
    return {**drill, "stopwatches": readings}


def _reading_fields(reading: Mapping[str, Any], messages: Sequence[Any]) -> dict[str, Any]:
    wrong = [{"key": key, "seen": seen} for key, seen in reading["wrong"].items()]
    return {**reading, "stopwatch": reading["name"], "wrong": wrong, "messages": messages}


def _drill(result: DrillResult, limit_s: float | None) -> dict[str, Any]:
    document: dict[str, Any] = _rounded(asdict(result))
    readings = [_reading(result, reading) for reading in result.stopwatches]
    first = readings[0]
    return document | {
        "stopwatches": readings,
        "outages": first["outages"],
        "exchanges": first["exchanges"],
        "messages": document["stopwatches"][0]["messages"],
        "duplicates": list(result.duplicates),
        "lost": list(result.lost),
        "passed": figures.holds(result, limit_s),
        "outage_s": first["outage_s"],
        "claims": {_key(result, claim): claim.holds for claim in figures.claims(result, limit_s)},
        "answers": first["answers"],
        "command": figures.command(result),
    }


def _key(result: DrillResult, claim: figures.Claim) -> str:
    """That of the first stopwatch is as it was when there was no other."""
    if claim.reading is None or claim.reading is result.addresses:
        return claim.key
    return f"{claim.reading.stopwatch}.{claim.key}"


def _reading(result: DrillResult, reading: Reading) -> dict[str, Any]:
    seconds = reading.outage.seconds
    return {
        "name": reading.stopwatch,
        "outage_s": None if seconds is None else round(seconds, _SPAN),
        "outages": [_rounded(asdict(outage)) | {"unserved": outage.unserved} for outage in reading.outages],
        "exchanges": [_rounded(asdict(exchange)) for exchange in reading.exchanges],
        "wrong": {wrong.key: list(wrong.seen) for wrong in reading.wrong},
        "judged": reading.judged,
        "answers": {
            a.server: _rounded({"before": a.before, "during": a.during, "after": a.after, "share": _share(a)})
            for a in figures.answers(result, reading)
        },
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
