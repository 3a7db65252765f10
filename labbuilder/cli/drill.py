"""`labbuilder drill`: break the lab on purpose, measure, report."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labbuilder.cli import output
from labbuilder.cli.shared import JsonOption, LabOption, app, described, example, existing, home, lab_names, reporting
from labbuilder.errors import LabError, SpecError

if TYPE_CHECKING:
    from labbuilder.drill.series import Outcome
    from labbuilder.spec.models import LabSpec


def _drill_names() -> list[str]:
    from labbuilder.drill import titles  # noqa: PLC0415

    return list(titles())


NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="Drills.", autocompletion=_drill_names)
]
ReportOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--report", help="Write it: .html, .json or .xml (JUnit), or a folder for all three; may be repeated."
    ),
]


@app.command(
    epilog=example(
        "labbuilder drill crash-primary",
        "labbuilder drill power-cut --engine kea --mode hot-standby",
        "labbuilder drill --all --report reports",
        "labbuilder drill --matrix --report matrix.html --language es",
    )
)
def drill(
    context: typer.Context,
    names: NamesArgument = None,
    every: Annotated[bool, typer.Option("--all", help="All drills.")] = False,
    matrix: Annotated[bool, typer.Option("--matrix", help="In each mode on each engine.")] = False,
    mode: Annotated[str | None, typer.Option(help="In a lab of its own in this mode.")] = None,
    engine: Annotated[str | None, typer.Option(help="In a lab of its own on this engine: isc or kea.")] = None,
    provider: Annotated[str | None, typer.Option(help="In a lab of its own on this provider.")] = None,
    timers: Annotated[str | None, typer.Option(help="In a lab of its own with these: quick, or engine's own.")] = None,
    lab: LabOption = None,
    seed: Annotated[int, typer.Option(help="Of the clients' MACs.")] = 1,
    limit: Annotated[float | None, typer.Option(help="The longest outage that is allowed, in seconds.")] = None,
    report: ReportOption = None,
    language: Annotated[str, typer.Option(help="Of table and page: en or es.")] = "en",
    as_json: JsonOption = False,
) -> None:
    """Break the lab on purpose, measure what its clients felt, repair it, prove it. Without a name: list the drills."""
    if not (names or every or matrix):
        _refuse_options_of_no_drill(context)
        _list_drills(as_json=as_json)
        return
    if every and names:
        raise SpecError(brief="--all and names of drills don't go together", resolution="leave one of them out")
    if limit is not None and not limit > 0:  # nan too
        raise SpecError(brief=f"--limit must be more than 0 seconds, not {limit:g}", resolution="use --limit 4, say")
    _refuse_unknown(report or [], language)
    ways = {"mode": mode, "engine": engine, "timers": timers, "provider": provider}
    said = {key: value for key, value in ways.items() if value is not None}

    def tell(cut_off: BaseException | None = None) -> int:
        return _tell(outcomes, report or [], language=language, limit_s=limit, as_json=as_json, cut_off=cut_off)

    outcomes: list[Outcome] = []
    with reporting(lab=lab):
        try:
            outcomes.extend(_outcomes(names or [], said, matrix=matrix, lab=lab, seed=seed))
        except (KeyboardInterrupt, LabError) as error:
            if not outcomes:
                raise
            tell(error)  # what was measured before is not lost
            sys.stdout.flush()  # who is interrupted ends without that
            if as_json and isinstance(error, LabError):
                raise typer.Exit(error.exit_code) from error  # it stands in the one document
            raise
    raise typer.Exit(tell())


def _refuse_options_of_no_drill(context: typer.Context) -> None:
    """Who gives some wants a drill, not the list."""
    given = [
        option.opts[0]
        for option in context.command.params
        if option.name not in (None, "as_json") and _typed(context, option.name)
    ]
    if given:
        raise SpecError(
            brief=f"{', '.join(given)}: of which drill?",
            resolution="name it, or say --all or --matrix; labbuilder drill alone lists them",
        )


def _typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _list_drills(*, as_json: bool) -> None:
    from labbuilder.drill.faults import faults  # noqa: PLC0415

    found = {name: fault.title for name, fault in faults(described(None).plan()).items()}
    output.print_json(found) if as_json else print(output.table(("drill", "what happens"), list(found.items())))


def _refuse_unknown(paths: Sequence[Path], language: str) -> None:
    """Before anything is broken: a report that can't be written would lose what was measured."""
    from labbuilder.report import check  # noqa: PLC0415

    for path in paths or [Path()]:
        check(path, language=language)


def _outcomes(
    drills: Sequence[str], said: Mapping[str, str], *, matrix: bool, lab: str | None, seed: int
) -> Iterator[Outcome]:
    from labbuilder.drill import series  # noqa: PLC0415

    if matrix and said.keys() & {"mode", "engine"}:
        raise SpecError(brief="--matrix takes every mode and engine", resolution="leave --mode and --engine out")
    pattern = existing(lab) if lab in lab_names() else described(None)
    series.fitting(pattern.spec, drills)  # a name that is none is told before anything is made
    runs = _runs(lab)
    own = (existing(lab) if runs or not (matrix or said) else described(None)).spec
    asked = _asked(own, said)
    if runs and asked == own and not matrix:
        yield from series.in_lab(home(), own.name, drills, seed=seed)
    else:
        failover = asked.dhcp.failover
        ways = series.MATRIX if matrix else ((failover.mode, failover.engine),)
        yield from series.beside(home(), asked, ways, drills, seed=seed)


def _runs(lab: str | None) -> bool:
    """The lab that is meant is there; else what `up` would make is the pattern of a drill's own labs."""
    if lab is None and Path("lab.yaml").exists():
        return described(None).name in lab_names()
    return lab is not None or bool(lab_names())


def _asked(own: LabSpec, said: Mapping[str, str]) -> LabSpec:
    """The lab's spec with another provider, or other words for failover.

    What only the lab's own mode or engine has is left out then.
    """
    from labbuilder.drill.series import with_failover  # noqa: PLC0415
    from labbuilder.plan.load import spec_from_values  # noqa: PLC0415

    words = dict(said)
    provider = words.pop("provider", own.provider)
    if provider != own.provider:
        own = spec_from_values(**own.model_dump(exclude_unset=True) | {"provider": provider})
    failover = own.dhcp.failover
    if all(getattr(failover, key, None) == value for key, value in words.items()):
        return own
    settings: dict[str, str] = {"mode": failover.mode, "engine": failover.engine, **words}
    return with_failover(own, settings, name=own.name)


def _tell(
    outcomes: Sequence[Outcome],
    paths: Sequence[Path],
    *,
    language: str,
    limit_s: float | None,
    as_json: bool,
    cut_off: BaseException | None = None,
) -> int:
    """Print and write what was measured, and in JSON what ended it too early; the exit status."""
    from labbuilder import report  # noqa: PLC0415
    from labbuilder.drill.model import DrillResult  # noqa: PLC0415
    from labbuilder.report.figures import holds  # noqa: PLC0415

    results = [outcome for outcome in outcomes if isinstance(outcome, DrillResult)]
    failures = [outcome for outcome in outcomes if not isinstance(outcome, DrillResult)]
    if as_json:
        missing = [{"drill": f.drill, "mode": f.mode, "engine": f.engine, **f.error.as_dict()} for f in failures]
        ended = {} if cut_off is None else {"cut_off": _why(cut_off)}
        output.print_json(report.as_json(results, limit_s=limit_s) | {"not_measured": missing} | ended)
    elif results:
        output.print_rich(report.table(results, language=language, limit_s=limit_s))
    for failure in () if as_json else failures:
        print(f"\nnot measured: {failure.drill}, {failure.mode}, {failure.engine}", file=sys.stderr)
        output.print_error(failure.error, as_json=False)
    for given in paths if results else ():
        for path in report.write(results, given, language=language, limit_s=limit_s):
            print(f"Written: {path}", file=sys.stderr)
    if failures:
        return failures[0].error.exit_code
    return 0 if all(holds(result, limit_s) for result in results) else LabError.exit_code


def _why(cut_off: BaseException) -> dict[str, object]:
    return cut_off.as_dict() if isinstance(cut_off, LabError) else {"brief": "interrupted", "exit_code": 130}
