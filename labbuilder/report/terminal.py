"""Results as tables for a terminal of 80 columns. Colours and width are the console's that prints them."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labbuilder.drill.model import DrillResult, Event, Outage, Reading
from labbuilder.report import figures
from labbuilder.report.figures import printable
from labbuilder.report.words import Words

_GOOD, _WARN, _BAD, _QUIET = "green", "bold yellow", "bold red", "dim"


def table(results: Sequence[DrillResult], *, language: str = "en", limit_s: float | None = None) -> RenderableType:
    """What rich prints: one drill in full, several as a table, several modes as a matrix of each engine.

    Args:
        results: The drills.
        language: "en" or "es".
        limit_s: The longest outage of new clients that is allowed; None: any.

    Raises:
        SpecError: No report is written in this language.
    """
    words = Words(language)
    if len(results) == 1:
        return Group(*_one(words, results[0], limit_s))
    engines = dict.fromkeys(result.engine for result in results)
    tables = [_of_engine(words, [r for r in results if r.engine == engine], limit_s) for engine in engines]
    failed = [Group(Text(), *_failure(words, r, limit_s)) for r in results if not figures.holds(r, limit_s)]
    good = len(results) - len(failed)
    return Group(*tables, Text(words("total", good=good, total=len(results)), _BAD if failed else _GOOD), *failed)


def _one(words: Words, result: DrillResult, limit_s: float | None) -> list[RenderableType]:
    passed = figures.holds(result, limit_s)
    head = Text.assemble(
        _verdict(words, holds=passed), "  ", (printable(result.drill), "bold"), ": ", printable(words.title(result))
    )
    facts = [result.mode, figures.versions(result), result.provider, result.lab, words.seconds(result.seconds)]
    command = printable(figures.command(result, language=words.language))
    notes = [Text(note, _QUIET) for note in words.notes(result)]
    return [
        head,
        Text(printable(", ".join(facts)), _QUIET),
        *(_outages(words, result, reading) for reading in result.stopwatches),
        *notes,
        *(_answers(words, result, reading) for reading in result.stopwatches),
        _events(words, result),
        *(_claim(words, claim, result, limit_s) for claim in figures.claims(result, limit_s)),
        Text(command, _QUIET, no_wrap=True, overflow="ignore"),  # one line: it can be copied
    ]


def _failure(words: Words, result: DrillResult, limit_s: float | None) -> list[RenderableType]:
    head = Text(printable(f"{result.engine}, {result.mode}, {result.drill}"), "bold")
    broken = [claim for claim in figures.claims(result, limit_s) if not claim.holds]
    return [head, *(_claim(words, claim, result, limit_s) for claim in broken)]


def _verdict(words: Words, *, holds: bool) -> Text:
    return Text(words("passed" if holds else "failed").upper(), _GOOD if holds else _BAD)


def _claim(words: Words, claim: figures.Claim, result: DrillResult, limit_s: float | None) -> Text:
    mark = Text("\u2713 " if claim.holds else "\u2717 ", _GOOD if claim.holds else _BAD)
    return mark.append(printable(f"{words.claim(claim, result, limit_s)}: {words.seen(claim, result)}"), "default")


def _grid(*heads: str) -> Table:
    """A plain table: its first column is text, the others are figures."""
    grid = Table(box=box.SIMPLE_HEAD, padding=0)
    for n, head in enumerate(heads):
        grid.add_column(head, justify="right" if n else "left", no_wrap=not n)
    return grid


def _outages(words: Words, result: DrillResult, reading: Reading) -> Table:
    first = words("clients") if reading is result.addresses else words.of("stopwatch", reading)
    grid = _grid(first, *(words(key) for key in ("asked", "answered", "outage", "longest_wait", "resolution")))
    for outage in reading.outages:
        wait, resolution = words.span(outage.longest_wait_s), words.span(outage.resolution_s or None)
        counts = str(outage.asked), str(outage.answered)
        grid.add_row(words.kind(outage.kind), *counts, _figure(words, outage, result), wait, resolution)
    return grid


def _figure(words: Words, outage: Outage, result: DrillResult) -> Text:
    """The outage, and below it how many got no answer: a short one with many of them is no good news."""
    text = Text(words.outage(outage, result))
    return text.append(f"\n{words.unserved(outage)}", _WARN) if outage.unserved else text


def _answers(words: Words, result: DrillResult, reading: Reading) -> Table:
    grid = _grid(words.of("acks", reading), *(words(key) for key in ("before", "during", "after", "share_head")))
    for a in figures.answers(result, reading):
        share = words.percent(a.share) if a.share else "\u2013"
        grid.add_row(printable(a.server), str(a.before), str(a.during), str(a.after), share)
    return grid


def _events(words: Words, result: DrillResult) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right")
    grid.add_column()
    for event in result.events:
        grid.add_row(words.moment(event.at_s), _event(words, event, result))
    return grid


def _event(words: Words, event: Event, result: DrillResult) -> Text:
    return Text(printable(words.event(event, result)), "" if event.what == "state" else "bold")


def _of_engine(words: Words, results: Sequence[DrillResult], limit_s: float | None) -> RenderableType:
    versions = printable("; ".join(dict.fromkeys(figures.versions(result) for result in results)))
    modes = list(dict.fromkeys(result.mode for result in results))
    if len(modes) == 1:
        return Group(Text(f"{versions}, {printable(modes[0])}", "bold"), _list(words, results, limit_s))
    names = dict.fromkeys(reading.stopwatch for result in results for reading in result.stopwatches)
    return Group(*(_matrix(words, versions, name, results, limit_s) for name in names))


def _matrix(
    words: Words, versions: str, stopwatch: str, results: Sequence[DrillResult], limit_s: float | None
) -> RenderableType:
    """What one stopwatch measured, a column a mode."""
    found = [(r, reading) for r in results for reading in r.stopwatches if reading.stopwatch == stopwatch]
    modes = list(dict.fromkeys(result.mode for result in results))
    grid = _grid(words("drill"), *map(printable, modes))
    for drill in dict.fromkeys(result.drill for result in results):
        here = [(result, reading) for result, reading in found if result.drill == drill]
        cells = ([_marked(words, r, reading, limit_s) for r, reading in here if r.mode == mode] for mode in modes)
        grid.add_row(printable(drill), *(Text("\n").join(cell) if cell else "\u2013" for cell in cells))
    return Group(Text(f"{versions}: {words.of('outage_of', found[0][1])}", "bold"), grid)


def _list(words: Words, results: Sequence[DrillResult], limit_s: float | None) -> Table:
    first, *others = max((result.stopwatches for result in results), key=len)
    kinds = [words.kind(outage.kind) for outage in first.outages]
    names = [words.of("stopwatch", reading) for reading in others]
    grid = _grid(words("drill"), *kinds, *names, *(words(key) for key in ("duplicates", "lost", "verified")))
    for result in results:
        rest = [_figure(words, outage, result) for outage in result.outages[1:]]
        rest += [_figure(words, reading.outage, result) for reading in result.stopwatches[1:]]
        rest += [Text("\u2013")] * (len(kinds) + len(names) - 1 - len(rest))
        bad = [str(len(found)) for found in (result.duplicates, result.lost)]
        good = len(result.verification.outcomes) - len(result.verification.failures)
        checks = f"{good}/{len(result.verification.outcomes)}"
        grid.add_row(printable(result.drill), _marked(words, result, first, limit_s), *rest, *bad, checks)
    return grid


def _marked(words: Words, result: DrillResult, reading: Reading, limit_s: float | None) -> Text:
    """The figure with the drill's verdict."""
    own = next(each for each in result.stopwatches if each.stopwatch == reading.stopwatch)
    passed = figures.holds(result, limit_s)
    text = Text(words.outage(own.outage, result))
    text.append(" \u2713" if passed else " \u2717", _GOOD if passed else _BAD)
    return text.append(f"\n{words.unserved(own.outage)}", _WARN) if own.outage.unserved else text
