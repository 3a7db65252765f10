"""Taking a lab down: everything of it goes, and that is looked at."""

from __future__ import annotations

from contextlib import suppress

from labbuilder.errors import LabError, ResidueError
from labbuilder.host import progress
from labbuilder.host.journal import Journal, Record
from labbuilder.host.store import Home, LabDir, locked
from labbuilder.lifecycle.identity import half_down, lab_identity
from labbuilder.plan.load import load_spec
from labbuilder.providers.base import Provider
from labbuilder.providers.registry import open_provider, provider_row, traces
from labbuilder.spec.providers import sections

_NO_MARK = "no-mark"  # no machine bears it


def begun(home: Home, name: str) -> tuple[str, ...]:
    """What there is of a lab whose `up` was cut off: its machines, and the steps that were not ended."""
    lab = home.lab(name)
    identity = lab_identity(lab)
    if identity is None:
        return ()
    machines = _remembered(home, lab, *identity).status()
    cut_off = [f"{r.effect} {r.machine or ''}".rstrip() for r in Journal(lab.journal).unfinished() if r.effect != "lab"]
    return (
        *(f"{machine.name} is {machine.state}" for machine in machines),
        *([f"not ended: {', '.join(cut_off)}"] if cut_off else []),
    )


def take_down(home: Home, name: str) -> bool:
    """Remove everything of the lab and look whether it is gone; False when there was nothing.

    Raises:
        ResidueError: Something is left.
    """
    lab = home.lab(name)
    if not (lab.path.exists() or lab.path.is_symlink() or name in home.unfinished() or _identities(lab)):
        return False
    with locked(lab), progress.step("down"):
        return _remove(home, lab)


def finish_begun(home: Home, lab: LabDir) -> None:
    """Go on with a `down` of the lab that was cut off, to its end; the lab is locked by who asks."""
    if half_down(lab):
        with progress.step("down"):
            _remove(home, lab)


def _remove(home: Home, lab: LabDir) -> bool:
    found = _identities(lab) or _guessed(lab)
    if found and lab.path.is_dir():
        with suppress(OSError):  # a journal that can't be written holds nobody up
            Journal(lab.journal).append(Record("down", "begun"))
    for kind, mark in found:
        provider = _remembered(home, lab, kind, mark)
        provider.destroy_all()
        _raise_if_residue(provider, lab)
    there = bool(found) or lab.path.exists()
    lab.remove()  # last, and at once, by rename: until then `down` can be told again
    return there


def _identities(lab: LabDir) -> tuple[tuple[str, str], ...]:
    """Provider and mark, as the journal has them, and as the host shows them: a journal may be lost."""
    identity = lab_identity(lab)
    shown = [(trace.kind, trace.mark) for trace in traces() if trace.is_of(lab.path)]
    return tuple(dict.fromkeys([*([identity] if identity else []), *shown]))


def _guessed(lab: LabDir) -> tuple[tuple[str, str], ...]:
    """Of a lab whose journal is lost: its provider by its spec, which on this host knows machines by their folder too.

    Raises:
        ResidueError: Its machines are elsewhere, and known by the mark alone.
    """
    try:
        kind = load_spec(lab.spec).provider
    except LabError:
        return ()
    if kind == "auto" or provider_row(kind).traced:  # not begun, or looked for and not there
        return ()
    if provider_row(kind).elsewhere:
        raise ResidueError(
            brief=f"nothing tells by what the lab {lab.name} is known on {provider_row(kind).title}",
            details=f"{lab.journal} has no record of it",
            resolution=f"remove there what bears the lab's name, then the folder {lab.path}",
        )
    return ((kind, _NO_MARK),)


def _remembered(home: Home, lab: LabDir, kind: str, mark: str) -> Provider:
    """The provider of a lab of which there may be no more than its first record."""
    needed = provider_row(kind).elsewhere and lab.spec.exists()  # else a spec that is refused by now is no obstacle
    settings = sections(kind, load_spec(lab.spec)) if needed else ()
    return open_provider(kind, home, lab, mark, settings)


def _raise_if_residue(provider: Provider, lab: LabDir) -> None:
    left = provider.residue()
    if left:
        raise ResidueError(
            brief=f"{len(left)} things of the lab {lab.name} are still there",
            details="\n".join(left),
            resolution=f"labbuilder down --lab {lab.name} tries again",
        )
