"""Labs that are still on this host and have lost their folder: found by their marks, told, and removed."""

from __future__ import annotations

import time
from contextlib import suppress

from labbuilder.errors import HostError, ResidueError
from labbuilder.host.store import Home, LabDir, locked
from labbuilder.host.wait import pause_until
from labbuilder.providers import registry
from labbuilder.providers.base import Finding
from labbuilder.providers.traces import Trace

_SETTLES_S = 2.0  # a lab that is just taken down has no supervisor before it has no control group


def lost_labs() -> tuple[Trace, ...]:
    """Those that run and whose folder is gone: no name leads to them any more."""
    return tuple(trace for trace in _gone() if trace.runs)


def _gone() -> tuple[Trace, ...]:
    """What is without a folder, and is so a moment later too."""
    first = {trace.mark for trace in registry.traces() if trace.gone}
    if not first:
        return ()
    pause_until(time.monotonic() + _SETTLES_S, lambda: None, every_s=_SETTLES_S)
    return tuple(trace for trace in registry.traces() if trace.gone and trace.mark in first)


def told(trace: Trace) -> str:
    """A lost lab in a line."""
    where = f"{trace.folder} is gone" if trace.folder else "nothing tells where its folder was"
    return f"a lab of {trace.kind} without a folder (mark {trace.mark}; {where}): {trace.things[0]}"


def finding(home: Home) -> Finding:
    """What `labbuilder doctor` says of the labs that run on this host."""
    lost = lost_labs()
    folders = [trace.folder for trace in registry.traces() if trace.folder is not None and not trace.gone]
    here = sum(1 for folder in folders if folder.parent == home.labs.resolve())
    elsewhere = [str(folder) for folder in folders if folder.parent != home.labs.resolve()]
    seen = "; ".join([f"{here} of this home run", *(f"one runs in {folder}" for folder in elsewhere)])
    return Finding("labs", not lost, "; ".join(map(told, lost)) or seen, "labbuilder down --all removes it")


def remove_lost(home: Home) -> tuple[str, ...]:
    """Remove what is left of labs that have lost their folder, and what killed commands left; their marks.

    Raises:
        ResidueError: Something is still there.
    """
    for lab in map(home.lab, home.unfinished()):
        with suppress(HostError), locked(lab):  # else somebody is at work on it, and tidies up himself
            if not lab.path.exists():
                lab.remove()
    lost = _gone()
    for trace in lost:
        nowhere = LabDir(trace.mark, home.labs / f".{trace.mark}")  # another lab may have its folder by now
        provider = registry.open_provider(trace.kind, home, nowhere, trace.mark)
        provider.destroy_all()
        left = provider.residue()
        if left:
            raise ResidueError(brief=f"{len(left)} things of a lost lab are still there", details="\n".join(left))
    return tuple(trace.mark for trace in lost if trace.runs)
