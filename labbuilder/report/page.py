"""Results as one HTML page that needs nothing but itself: no script, no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from labbuilder.drill.model import DrillResult, Message, Outage
from labbuilder.report import figures
from labbuilder.report.figures import Answers, Claim
from labbuilder.report.ladder import Ladder, ladders
from labbuilder.report.timeline import Timeline, timeline
from labbuilder.report.words import Words

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
    answers: tuple[Answers, ...]
    servers: tuple[str, ...]
    messages: tuple[Message, ...]
    new: Outage
    versions: str
    command: str


@dataclass(frozen=True)
class Row:
    """A drill of the matrix, with its results in each mode."""

    drill: str
    cells: tuple[tuple[Drill, ...], ...]


@dataclass(frozen=True)
class Matrix:
    """All drills of one engine."""

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
            matrices=[_matrix([d for d in drills if d.result.engine == e]) for e in _each(r.engine for r in results)],
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
        answers=figures.answers(result),
        servers=figures.servers(result),
        messages=_nearest(result.messages),
        new=figures.of_new_clients(result),
        versions=figures.versions(result),
        command=figures.command(result, language=words.language),
    )


def _nearest(messages: Sequence[Message]) -> tuple[Message, ...]:
    """So many as a page bears, those nearest to the fault."""
    kept = sorted(messages, key=lambda message: abs(message.at_s))[:_MOST_MESSAGES]
    return tuple(sorted(kept, key=lambda message: message.at_s))


def _matrix(drills: Sequence[Drill]) -> Matrix:
    modes = _each(drill.result.mode for drill in drills)
    names = _each(drill.result.drill for drill in drills)
    rows = (
        Row(name, tuple(tuple(d for d in drills if (d.result.drill, d.result.mode) == (name, mode)) for mode in modes))
        for name in names
    )
    return Matrix("; ".join(_each(drill.versions for drill in drills)), modes, tuple(rows))


def _each(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
