"""Several labs side by side: one line each, and what became of all of them."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from labbuilder.cli import output
from labbuilder.cli.output import settings
from labbuilder.cli.shared import interruptible
from labbuilder.errors import LabError, SpecError
from labbuilder.host import progress

if TYPE_CHECKING:
    from labbuilder.lab import Lab


def numbered(lab: Lab, number: int) -> Lab:
    """The same lab under a name of its own."""
    from labbuilder.lab import Lab  # noqa: PLC0415

    return Lab.from_spec(lab.spec).set(name=f"{lab.name}-{number}")


def bring_up(labs: list[Lab], ways: dict[str, bool], *, at_once: int, as_json: bool) -> int:
    """Bring all of them up, so many at a time; when one fails the others go on. The exit status: the first failure's.

    Raises:
        SpecError: Two of them have one name.
    """
    from labbuilder.host.parallel import for_each  # noqa: PLC0415

    names = [lab.name for lab in labs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(
            brief=f"two labs are called {', '.join(twice)}", resolution="give each spec a `name:` of its own"
        )
    begun = time.monotonic()
    with output.progress_on_stderr(verbose=settings["verbose"], only=("up", "image")), interruptible(*names):
        told = for_each(labs, lambda lab: _bring_up(lab, ways), at_once=at_once)
    seconds = round(time.monotonic() - begun, 2)
    failed = {lab.name: error for lab, (_, error) in zip(labs, told, strict=True) if error is not None}
    if as_json:
        rows = [
            {"lab": lab.name, "seconds": took, **(error.as_dict() if error else {})}
            for lab, (took, error) in zip(labs, told, strict=True)
        ]
        output.print_json({"labs": rows, "seconds": seconds})
    else:
        for name, error in failed.items():
            print(f"{name}:", file=sys.stderr)
            output.print_error(error, as_json=False)
        print(f"{len(labs) - len(failed)} of {len(labs)} labs are up, {seconds:.2f} s.")
    return next(iter(failed.values())).exit_code if failed else 0


def _bring_up(lab: Lab, ways: dict[str, bool]) -> tuple[float, LabError | None]:
    """The seconds that it took, and why it is not up."""
    begun = time.monotonic()
    failure = None
    try:
        with progress.step("up", lab.name) as step:
            lab.up(**ways)
            step.detail = "and proven" if ways["verify"] else ""
    except LabError as error:
        failure = error
    finally:
        lab.close()
    return round(time.monotonic() - begun, 2), failure
