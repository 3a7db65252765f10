"""The labs of this kind that the host shows: by supervisors and control groups, which bear their marks."""

from __future__ import annotations

from labbuilder.providers.nspawn import cgroups, supervisors
from labbuilder.providers.traces import Trace


def traces() -> tuple[Trace, ...]:
    """Each lab of this kind that the host shows, by its mark."""
    groups = cgroups.marks()  # first: who makes one is seen until it has a folder
    by_mark: dict[str, list[supervisors.Supervisor]] = {}
    for found in supervisors.all_supervisors():
        by_mark.setdefault(found.mark, []).append(found)
    return tuple(_trace(mark, by_mark.get(mark, [])) for mark in sorted({*groups, *by_mark}))


def _trace(mark: str, found: list[supervisors.Supervisor]) -> Trace:
    groups = [group for group in cgroups.lab_groups(mark) if group.exists()]
    things = (*(f"process {one.pid}" for one in found), *(f"control group {group}" for group in groups))
    machines = cgroups.pids(tuple(groups))
    if not found:
        return Trace("nspawn", mark, None, gone=True, things=things, runs=bool(machines))
    first = found[0]
    things = (f"{len(machines)} processes in machines", *things) if machines else things
    return Trace("nspawn", mark, first.folder, first.gone, things, image=first.image.parent.name)
