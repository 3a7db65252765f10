"""What the command line prints: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from labbuilder import progress
from labbuilder.errors import LabError

if TYPE_CHECKING:
    from labbuilder.verify.model import Verification

_GREEN, _RED, _DIM, _PLAIN = "\033[32m", "\033[31m", "\033[2m", "\033[0m"


def colour(text: str, code: str, stream: Any) -> str:
    """The text in colour, on terminals alone, and not where NO_COLOR says so."""
    return f"{code}{text}{_PLAIN}" if stream.isatty() and not os.environ.get("NO_COLOR") else text


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(document, indent=2, default=str))


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


def verification_text(found: Verification, *, every: bool) -> str:
    """One line a check that failed, or for each when asked; then the sum."""
    error = colour("ERROR", _RED, sys.stdout)
    lines = [f"{error}  {machine:10} no check could be asked: {why}" for machine, why in found.unreachable.items()]
    for outcome in found.outcomes:
        passed = outcome.verdict == "pass"
        if outcome.verdict != "error" and (every or not passed):
            word = colour(outcome.verdict.value.upper(), _GREEN if passed else _RED, sys.stdout)
            lines.append(f"{word}  {outcome.machine:10} {outcome.title}")
            if not passed:
                lines += [
                    f"      expected  {outcome.expected}",
                    f"      seen      {outcome.observed or 'nothing'}",
                ]
                lines.append(f"      asked     {outcome.command}")
    good = len(found.outcomes) - len(found.failures)
    lines.append(f"{good} of {len(found.outcomes)} checks passed in {found.seconds:.2f} s")
    return "\n".join(lines)


@contextmanager
def progress_on_stderr(*, verbose: bool) -> Iterator[None]:
    """Show each step and its seconds while the block runs: one line a step, a bar for long ones on a terminal."""
    lock = threading.Lock()
    terminal = sys.stderr.isatty()

    def show(event: progress.Event) -> None:
        where = f"{event.machine}: " if event.machine else ""
        with lock:
            if event.kind == "progress" and terminal:
                done = int((event.fraction or 0.0) * 30)
                sys.stderr.write(f"\r{event.step} [{'#' * done:30}] {event.seconds:3.0f} s")
            elif event.kind == "failed":
                sys.stderr.write(
                    f"\r{where}{event.step} failed after {event.seconds:.2f} s: {event.detail}\033[K\n"
                    if terminal
                    else f"{where}{event.step} failed: {event.detail}\n"
                )
            elif event.kind == "done":
                text = f"{where}{event.step} {event.detail}".rstrip()
                line = f"{event.seconds:6.2f} s  {text}"
                sys.stderr.write(f"\r{line}\033[K\n" if terminal else f"{line}\n")
            elif event.kind == "started" and verbose:
                sys.stderr.write(f"          {where}{event.step} ...\n")
            sys.stderr.flush()

    with progress.listening(show):
        yield
