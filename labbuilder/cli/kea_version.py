"""Which Kea this machine has: its configurations are meant for it, unless something else is said."""

from __future__ import annotations

import shutil

from labbuilder.errors import LabError
from labbuilder.host.run import run

_ASKED_S = 10.0


def installed() -> str | None:
    """The version that the installed kea-dhcp4 tells, such as ``2.6.3``; None: there is none, or it tells nothing."""
    program = shutil.which("kea-dhcp4")
    if program is None:
        return None
    try:
        return run(program, "-v", timeout_s=_ASKED_S).stdout.strip() or None
    except LabError:
        return None
