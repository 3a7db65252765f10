"""Taking a lab down: everything of it goes, and that is looked at."""

from __future__ import annotations

from labbuilder.errors import ResidueError
from labbuilder.host import progress
from labbuilder.host.journal import Journal, Record
from labbuilder.host.store import Home, LabDir, locked, remove_tree
from labbuilder.lifecycle.identity import lab_identity
from labbuilder.plan.load import load_spec
from labbuilder.providers.base import Provider
from labbuilder.providers.registry import open_provider, provider_row
from labbuilder.spec.providers import sections


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
    if not lab.path.exists():
        return False
    with locked(lab), progress.step("down"):
        identity = lab_identity(lab)
        if identity is not None:
            provider = _remembered(home, lab, *identity)
            Journal(lab.journal).append(Record("down", "begun"))
            provider.destroy_all()
            _raise_if_residue(provider, lab)
        remove_tree(lab.path)  # the journal goes last: until then `down` can be told again
        return identity is not None


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
