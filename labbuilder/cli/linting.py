"""The command `labbuilder lint`: looks at pairs and servers, and prints what was found."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from labbuilder import __version__
from labbuilder.cli import lint_options, output
from labbuilder.cli.lint_options import Options
from labbuilder.errors import LintError
from labbuilder.lint import lint_pair, lint_server
from labbuilder.lint.outcome import Outcome, exit_status
from labbuilder.lint.words import Words


def main(words: Sequence[str]) -> int:
    """Do what the words after `lint` say; the exit status.

    Raises:
        LintError: They don't go together, or the only pair or server that is named can't be read.
    """
    options = lint_options.read(words)
    outcomes = [_look(target, options) for target in options.targets]
    if len(outcomes) == 1 and (error := outcomes[0].error) and options.format in {"text", "json"}:
        raise error
    _print(outcomes, options)
    return exit_status(outcomes, strict=options.strict)


def _look(target: tuple[str, ...], options: Options) -> Outcome:
    version = options.engine_version
    if version is None and shutil.which("kea-dhcp4"):
        from labbuilder.cli.kea_version import installed  # noqa: PLC0415  who has no Kea spawns nothing

        version = installed()
    try:
        files = [Path(name) for name in target]
        if len(files) == 1:
            found = lint_server(files[0], clients=options.clients, engine_version=version)
        else:
            found = lint_pair(
                *files,
                clients=options.clients,
                cold_standby=options.cold_standby,
                engine_version=version,
            )
    except LintError as error:
        return Outcome(target, error=error)
    return Outcome(target, found)


def _print(outcomes: Sequence[Outcome], options: Options) -> None:
    words = Words(options.language)
    match options.format:
        case "text":
            _print_text(outcomes, words)
        case "json":
            output.print_json(_document(outcomes, words, options))
        case "sarif":
            from labbuilder.lint.formats.sarif import sarif  # noqa: PLC0415

            print(json.dumps(sarif(outcomes, words, __version__), indent=2))
        case "github":
            from labbuilder.lint.formats.github import github  # noqa: PLC0415

            if said := github(outcomes, words):
                print(said)


def _print_text(outcomes: Sequence[Outcome], words: Words) -> None:
    from labbuilder.lint.formats.text import Text  # noqa: PLC0415

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for outcome in outcomes:
        if outcome.error:
            output.print_error(outcome.error, as_json=False)
    if said := Text(words, lambda text, code: output.colour(text, code, sys.stdout), width)(outcomes):
        print(said)


def _document(outcomes: Sequence[Outcome], words: Words, options: Options) -> dict[str, object]:
    """One list of findings, whatever the pair: each names its file."""
    found = [finding for outcome in outcomes for finding in outcome.findings]
    said = [asdict(f) | {name: words(getattr(f, name)) for name in ("what", "why", "mend")} for f in found]
    errors = [outcome.error.as_dict() for outcome in outcomes if outcome.error]
    passed = exit_status(outcomes, strict=options.strict) == 0
    return {"passed": passed, "findings": said} | ({"errors": errors} if errors else {})
