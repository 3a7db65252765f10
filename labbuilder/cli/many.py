"""Several labs side by side: one line each, and what became of all of them."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from labbuilder import progress
from labbuilder.cli import output
from labbuilder.cli.shared import interruptible, settings
from labbuilder.errors import LabError, SpecError

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
    from labbuilder.parallel import for_each  # noqa: PLC0415

    names = [lab.name for lab in labs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(
            brief=f"two labs are called {', '.join(twice)}", resolution="give each spec a `name:` of its own"
        )
    begun = time.monotonic()
    with output.progress_on_stderr(verbose=settings["verbose"], only=("up", "image")), interruptible(*names):
        told = for_each(labs, lambda lab: _bring_up(lab, ways), at_once=at_once)
    failed = [one for one in told if "error" in one]
    for one in failed:
        print(f"{one['lab']}:", file=sys.stderr)
        output.print_error(LabError(one["brief"], one["details"], one["resolution"]), as_json=False)
    if as_json:
        output.print_json({"labs": told, "seconds": round(time.monotonic() - begun, 2)})
    else:
        print(f"{len(told) - len(failed)} of {len(told)} labs are up, {time.monotonic() - begun:.2f} s.")
    return int(failed[0]["exit_code"]) if failed else 0


def _bring_up(lab: Lab, ways: dict[str, bool]) -> dict[str, Any]:
    begun = time.monotonic()
    told: dict[str, Any] = {"lab": lab.name}
    try:
        with progress.step("up", lab.name) as step:
            lab.up(**ways)
            step.detail = "and proven" if ways["verify"] else ""
    except LabError as error:
        told |= error.as_dict()
    finally:
        lab.close()
    return told | {"seconds": round(time.monotonic() - begun, 2)}
