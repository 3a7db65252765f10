"""The command `labbuilder lint`: looks at pairs and servers, and prints what was found."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

from labbuilder import __version__
from labbuilder.cli import lint_options, output
from labbuilder.cli.lint_options import Options
from labbuilder.cli.lint_sources import opened
from labbuilder.errors import LintError
from labbuilder.lint import Config, Finding, Pair
from labbuilder.lint.outcome import Outcome, exit_status
from labbuilder.lint.pair import findings_of, read_pair
from labbuilder.lint.words import Words


def main(words: Sequence[str]) -> int:
    """Do what the words after `lint` say; the exit status.

    Raises:
        LintError: They don't go together, or the only pair or server that is named can't be read.
    """
    options = lint_options.read(words)
    if options.explain or options.rules:
        from labbuilder.lint.explain import explained, listed  # noqa: PLC0415

        said = Words(options.language)
        print(explained(options.explain, said) if options.explain else listed(said))
        return 0
    options = replace(options, engine_version=options.engine_version or _installed_kea())
    outcomes = [_look(target, options) for target in options.targets]
    if len(outcomes) == 1 and (error := outcomes[0].error) and options.format in {"text", "json"}:
        raise error
    _print(outcomes, options)
    return exit_status(outcomes, strict=options.strict)


def _installed_kea() -> str | None:
    if not shutil.which("kea-dhcp4"):
        return None
    from labbuilder.cli.kea_version import installed  # noqa: PLC0415  who has no Kea spawns nothing

    return installed()


def _look(target: tuple[str, ...], options: Options) -> Outcome:
    try:
        with opened(target) as configs:
            pair = read_pair(
                *configs,
                clients=options.clients,
                cold_standby=options.cold_standby,
                engine_version=options.engine_version,
            )
            if options.fix:
                return _mended(target, configs, options)
            asked, told = _daemons(pair, configs) if options.daemon else ((), ())
            return Outcome(target, (*asked, *findings_of(pair)), told=told)
    except LintError as error:
        return Outcome(target, error=error)


def _mended(target: tuple[str, ...], configs: Sequence[Config], options: Options) -> Outcome:
    from labbuilder.cli.lint_fixing import fixed  # noqa: PLC0415

    done = fixed(configs, options)
    if done.diff:
        print(done.diff)
    return Outcome(target, done.findings, told=(done.told,))


def _daemons(pair: Pair, configs: Sequence[Config]) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    from labbuilder.cli.lint_daemon import asked  # noqa: PLC0415

    said = [asked(config, pair.a.engine) for config in configs]
    return tuple(finding for found, _ in said for finding in found), tuple(told for _, told in said)


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
