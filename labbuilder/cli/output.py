"""What the command line prints: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labbuilder.errors import LabError

if TYPE_CHECKING:
    from labbuilder.host import progress
    from labbuilder.verify.model import Outcome, Verification

settings = {"json": False, "verbose": False}
"""What was said before or beside the command, for who reports its end."""

_GREEN, _RED, _DIM, _PLAIN = "\033[32m", "\033[31m", "\033[2m", "\033[0m"


def colour(text: str, code: str, stream: Any) -> str:
    """The text in colour, on terminals alone, and not where NO_COLOR says so."""
    return f"{code}{text}{_PLAIN}" if stream.isatty() and not os.environ.get("NO_COLOR") else text


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(document, indent=2, default=str))


def print_paths(paths: Iterable[Path], *, as_json: bool) -> None:
    """The files that were written."""
    names = [str(path) for path in paths]
    print_json(names) if as_json else print("\n".join(names))


def print_error(error: LabError, *, as_json: bool) -> None:
    """What happened, what was seen, what to do."""
    if as_json:
        print_json(error.as_dict())
        return
    lines = [f"{colour('error:', _RED, sys.stderr)} {error.brief}"]
    lines += [f"  {line}" for line in (error.details or "").splitlines()]
    if error.resolution:
        lines.append(f"What to do: {error.resolution}")
    print("\n".join(lines), file=sys.stderr)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need, on stdout's terms."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in (head, *rows))


def print_rich(renderable: Any) -> None:
    """What rich draws, on stdout: colours on terminals alone; elsewhere lines as long as they need."""
    from rich.console import Console  # noqa: PLC0415  costs 0.05 s

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    console.print(renderable, crop=False)


def verification_text(found: Verification, *, every: bool, evidence: bool = False) -> str:
    """What is told of a proof: first causes with what follows from them, then the sum.

    Args:
        found: The proof.
        every: A line for each check too, whatever came of it.
        evidence: What follows is told as fully as what it follows from, and the probes are shown.
    """
    error = colour("ERROR", _RED, sys.stdout)
    lines = []
    for machine, why in found.unreachable.items():
        lines.append(f"{error}  {machine:10} no check could be asked: {why}")
        lines += _following(found.following(machine))
    for cause, followers in found.causes:
        if cause.machine not in found.unreachable:
            lines += [*_told(cause, evidence=evidence), *_following(followers)]
    for outcome in found.outcomes:
        passed, followed = outcome.verdict == "pass", outcome.follows_from and outcome.machine not in found.unreachable
        if (every and passed) or ((every or evidence) and followed):
            lines += _told(outcome, evidence=evidence)
    lines += [f"left out: {what}" for what in found.left_out]
    good = len(found.outcomes) - len(found.failures)
    lines.append(f"{good} of {len(found.outcomes)} checks passed in {found.seconds:.2f} s")
    return "\n".join(lines)


def _told(outcome: Outcome, *, evidence: bool) -> list[str]:
    passed = outcome.verdict == "pass"
    word = colour(outcome.verdict.value.upper(), _GREEN if passed else _RED, sys.stdout)
    lines = [f"{word}  {outcome.machine:10} {outcome.title}"]
    if evidence or not passed:
        lines += [
            f"      expected  {outcome.expected}",
            f"      seen      {(outcome.observed or 'nothing').replace(chr(10), chr(10) + ' ' * 16)}",
            f"      look      {outcome.typed}",
        ]
    return [*lines, f"      asked     {outcome.command}"] if evidence else lines


def _following(followers: Sequence[Outcome]) -> list[str]:
    if not followers:
        return []
    count = f"{len(followers)} more follow{'s' if len(followers) == 1 else ''} from it"
    return [f"      {count}: {'; '.join(f'{outcome.machine}: {outcome.title}' for outcome in followers)}"]


@contextmanager
def progress_on_stderr(*, verbose: bool, only: Container[str] | None = None) -> Iterator[None]:
    """Show each step and its seconds while the block runs: live on a terminal, elsewhere one line a step.

    Args:
        verbose: The commands are logged too.
        only: The names of the steps that are shown; None: all.
    """
    from labbuilder.host import progress  # noqa: PLC0415  the lint shows none, and starts sooner

    live = sys.stderr.isatty() and not verbose  # what is logged would tear a live table
    with _live_steps() if live else _steps_in_lines() as show:

        def heard(event: progress.Event) -> None:
            if only is None or event.step in only:
                show(event)

        with progress.listening(heard):
            yield


_printing = threading.Lock()
_LIVE_ROWS = 15  # a terminal of 24 lines shows them all


_LINE_EVERY_S = 10.0  # of a step that takes long and says how far it is: silence looks dead


@contextmanager
def _steps_in_lines() -> Iterator[progress.Listener]:
    """A line when a step has ended; of one that says how far it is, one every ten seconds too."""
    lines, over = _Lines(), threading.Event()

    def tick() -> None:
        while not over.wait(_LINE_EVERY_S / 10):
            lines.tell_long_ones()

    threading.Thread(target=tick, daemon=True).start()
    try:
        yield lines.show
    finally:
        over.set()


class _Lines:
    """Steps as lines on stderr."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str | None], progress.Event] = {}
        self._begun: dict[tuple[str, str | None], float] = {}
        self._told: dict[tuple[str, str | None], float] = {}

    def show(self, event: progress.Event) -> None:
        """Take in what became of a step; tell that it ended."""
        key = event.step, event.machine
        with _printing:
            if event.kind == "progress":
                self._running[key] = event
                self._begun.setdefault(key, time.monotonic() - event.seconds)
                return
            for known in (self._running, self._begun, self._told):
                known.pop(key, None)
            if event.kind == "failed":
                _print_line(event, event.seconds, f" failed: {event.detail}")
            elif event.kind == "done":
                _print_line(event, event.seconds, f" {event.detail}")

    def tell_long_ones(self) -> None:
        """Tell how far each step is that was not told of for so long."""
        with _printing:
            for key, event in self._running.items():
                now = time.monotonic()
                if now - self._told.get(key, self._begun[key]) >= _LINE_EVERY_S:
                    self._told[key] = now
                    _print_line(event, now - self._begun[key], f", {event.fraction or 0.0:.0%}")


def _print_line(event: progress.Event, seconds: float, more: str) -> None:
    what = f"{event.machine}: {event.step}" if event.machine else event.step
    print(f"{seconds:6.2f} s  {what}{more}".rstrip(), file=sys.stderr, flush=True)


@contextmanager
def _live_steps() -> Iterator[progress.Listener]:
    """A row for each machine and phase that moves while it runs; the oldest that have ended go up out of the table."""
    from rich.console import Console  # noqa: PLC0415  costs 0.05 s; only terminals pay
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn  # noqa: PLC0415
    from rich.table import Column  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    class Seconds(ProgressColumn):
        """What an ended step took; of one that runs, so far."""

        def render(self, task: Task) -> Text:
            seconds = task.fields["seconds"]
            return Text(f"{task.elapsed or 0.0 if seconds is None else seconds:6.2f} s")

    rest = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    columns = (
        SpinnerColumn(finished_text=" ", table_column=Column(min_width=1)),
        Seconds(table_column=Column(min_width=8, no_wrap=True)),
        TextColumn("{task.fields[machine]:10}", markup=False, table_column=Column(min_width=10, no_wrap=True)),
        TextColumn("{task.description:10}", markup=False, table_column=Column(min_width=10, no_wrap=True)),
        BarColumn(bar_width=12, complete_style="green", finished_style="green", table_column=Column(min_width=6)),
        TextColumn("{task.fields[detail]}", markup=False, table_column=rest),
    )
    rows: dict[tuple[str, str | None], TaskID] = {}
    with Progress(*columns, console=Console(stderr=True), expand=True) as table:

        def make_room() -> None:
            ended = [task for task in table.tasks if task.finished]
            for task in ended[: max(0, len(table.tasks) - _LIVE_ROWS)]:
                told = f"{task.fields['machine']:10} {task.description} {task.fields['detail']}"
                table.console.print(f"  {task.fields['seconds']:6.2f} s {told}".rstrip(), markup=False, highlight=False)
                table.remove_task(task.id)

        def show(event: progress.Event) -> None:
            key = event.step, event.machine
            if event.kind == "started":
                with _printing:
                    make_room()
                rows[key] = table.add_task(event.step, total=None, machine=event.machine or "", seconds=None, detail="")
                return
            fields: dict[str, Any] = {"total": 1.0, "completed": 1.0, "seconds": event.seconds, "detail": event.detail}
            if event.kind == "progress":  # it is whole only when it has ended
                fields = {"total": 1.0, "completed": min(event.fraction or 0.0, 0.99)}
                fields |= {"detail": event.detail} if event.detail else {}
            elif event.kind == "failed":
                fields["detail"] = f"failed: {event.detail}"
            table.update(rows[key], **fields)

        yield show
