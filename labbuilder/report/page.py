"""Results as one HTML page that needs nothing but itself: no script, no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from labbuilder.drill.model import DrillResult, Message, Outage, Reading
from labbuilder.report import figures
from labbuilder.report.figures import Answers, Claim
from labbuilder.report.ladder import Ladder, ladders
from labbuilder.report.timeline import Timeline, timeline
from labbuilder.report.words import Words
from labbuilder.verify import Outcome

_MOST_MESSAGES = 400  # a row each; a matrix of eighty drills still opens at once


@dataclass(frozen=True)
class Drill:
    """What the template shows of one drill."""

    id: str
    result: DrillResult
    holds: bool
    claims: tuple[Claim, ...]
    timeline: Timeline
    ladders: tuple[Ladder | None, Ladder | None]
    answers: tuple[tuple[Reading, tuple[Answers, ...]], ...]
    servers: tuple[str, ...]
    messages: tuple[Message, ...]
    checks: tuple[tuple[Outcome, tuple[Outcome, ...]], ...]
    versions: str
    command: str


@dataclass(frozen=True)
class Row:
    """A drill of the matrix, with its results in each mode and what a stopwatch measured in each."""

    drill: str
    cells: tuple[tuple[tuple[Drill, Outage], ...], ...]


@dataclass(frozen=True)
class Matrix:
    """All drills of one engine by one stopwatch, of which there may be several."""

    reading: Reading
    several: bool
    versions: str
    modes: tuple[str, ...]
    rows: tuple[Row, ...]


def html(results: Sequence[DrillResult], *, language: str = "en", limit_s: float | None = None) -> str:
    """The page.

    Args:
        results: The drills; several get a table at the top.
        language: "en" or "es".
        limit_s: The longest outage of new clients that is allowed; None: any.

    Raises:
        SpecError: No report is written in this language.
    """
    words = Words(language)
    drills = [_drill(f"drill{n}", result, words, limit_s) for n, result in enumerate(results, 1)]
    title = words("page_title_one", drill=results[0].drill) if len(results) == 1 else words("page_title")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            drills=drills,
            matrices=_matrices(drills),
            good=sum(drill.holds for drill in drills),
            words=words,
            limit_s=limit_s,
            version=version("labbuilder"),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    return environment


def _drill(name: str, result: DrillResult, words: Words, limit_s: float | None) -> Drill:
    return Drill(
        id=name,
        result=result,
        holds=figures.holds(result, limit_s),
        claims=figures.claims(result, limit_s),
        timeline=timeline(result, words.flag),
        ladders=ladders(result),
        answers=tuple((reading, figures.answers(result, reading)) for reading in result.stopwatches),
        servers=figures.servers(result),
        messages=_nearest(result.messages),
        checks=tuple((outcome, ()) for outcome in result.verification.outcomes),
        versions=figures.versions(result),
        command=figures.command(result, language=words.language),
    )


def _nearest(messages: Sequence[Message]) -> tuple[Message, ...]:
    """So many as a page bears, those nearest to the fault."""
    kept = sorted(messages, key=lambda message: abs(message.at_s))[:_MOST_MESSAGES]
    return tuple(sorted(kept, key=lambda message: message.at_s))


def _matrices(drills: Sequence[Drill]) -> list[Matrix]:
    engines = _each(drill.result.engine for drill in drills)
    return [each for engine in engines for each in _of_engine([d for d in drills if d.result.engine == engine])]


def _of_engine(drills: Sequence[Drill]) -> Iterator[Matrix]:
    """A table for each stopwatch."""
    modes, names = _each(d.result.mode for d in drills), _each(d.result.drill for d in drills)
    readings = {reading.stopwatch: reading for drill in drills for reading in drill.result.stopwatches}
    versions = "; ".join(_each(drill.versions for drill in drills))
    for stopwatch, reading in readings.items():

        def cell(name: str, mode: str, stopwatch: str = stopwatch) -> tuple[tuple[Drill, Outage], ...]:
            here = (d for d in drills if (d.result.drill, d.result.mode) == (name, mode))
            return tuple((d, r.outage) for d in here for r in d.result.stopwatches if r.stopwatch == stopwatch)

        rows = tuple(Row(name, tuple(cell(name, mode) for mode in modes)) for name in names)
        yield Matrix(reading, len(readings) > 1, versions, modes, rows)


def _each(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
