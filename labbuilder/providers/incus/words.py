"""What Incus says when it refuses, in our words and with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from labbuilder.errors import HostError, LabError, MachineError


class NotPermittedError(HostError):
    """Who we are to the server may not do that."""


# What Incus says, our brief, what to do; the first that fits.
_KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r"doesn't allow for snapshot creation",
        "the Incus project allows no snapshots",
        "ask who runs the server: incus project set PROJECT restricted.snapshots=allow",
    ),
    (
        r"network not allowed in project",
        "the Incus project may not use that network",
        "ask who runs the server: incus project set PROJECT restricted.networks.access=NETWORK,NETWORK",
    ),
    (
        r"project.* not found|not found.*project",
        "there is no such Incus project",
        "incus project list shows those that are there; without --project the lab makes its own",
    ),
    (
        r"no space left on device|run out of disk space|disk quota exceeded|not enough space",
        "the storage pool of Incus is full",
        "incus storage info POOL shows it; make room, or name another pool (incus: pool: in the spec)",
    ),
    (
        r"reached maximum|limits?\.(instances|containers|memory|cpu|disk)|exceeds? .*limit",
        "a limit of the Incus project is reached",
        "incus project show PROJECT lists its limits; remove labs, ask for more, or use another --project",
    ),
    (
        (
            r"offline|member is unavailable|no route to host|unable to connect|missing (heartbeat|event connection)|"
            r"timeout|connection refused"
        ),
        "a member of the Incus cluster is offline",
        "incus cluster list shows it; switch it on again",
    ),
)
_FORBIDDEN = r"not authorized|forbidden|certificate is restricted|permission"
_ASK = "ask for rights on the project (incus config trust), or use --project with one of yours"


def refusal(said: str, code: int, asked: str) -> LabError:
    """The error for an answer of Incus that is one.

    Args:
        said: Incus's own words.
        code: The HTTP status that goes with them.
        asked: What was asked for.
    """
    details = f"Asked: {asked}\nIncus said ({code}): {said}"
    for pattern, brief, resolution in _KNOWN:
        if re.search(pattern, said, re.IGNORECASE):
            return HostError(brief=brief, details=details, resolution=resolution)
    if code == 403 or re.search(_FORBIDDEN, said, re.IGNORECASE):  # noqa: PLR2004  as in HTTP
        return NotPermittedError(brief="Incus does not permit it", details=details, resolution=_ASK)
    return MachineError(
        brief=f"Incus refused: {said.splitlines()[0] if said else code}",
        details=details,
        resolution="labbuilder doctor --provider incus looks at the server",
    )


def went_off(name: str, last_lines: Sequence[str]) -> MachineError:
    """The error for a machine that went off while it booted, by what its console said last."""
    crowded = any("inotify" in line and "Too many open files" in line for line in last_lines)
    return MachineError(
        brief=f"{name} went off while it was waited for",
        details="\n".join(last_lines) or None,
        resolution="too many containers for the member's kernel: sysctl fs.inotify.max_user_instances=1048576 there, "
        "or fewer labs at once (docs/scale.md)"
        if crowded
        else f"labbuilder console {name} shows the rest; labbuilder up starts it again",
    )
