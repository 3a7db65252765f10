"""The images that machines start from: made without a lab, and pruned."""

from __future__ import annotations

from dataclasses import dataclass

from labbuilder.host.store import Home
from labbuilder.lifecycle.compare import with_provider
from labbuilder.plan import Plan, build_plan
from labbuilder.plan.load import load_spec
from labbuilder.providers.base import Provider
from labbuilder.providers.images import ImageCache
from labbuilder.providers.registry import open_provider, prune
from labbuilder.spec.models import LabSpec


def build_image(spec: LabSpec, home: Home) -> str | None:
    """Make what the spec's machines start from, unless it is there; its name in the cache."""
    plan, provider = _planned(spec, home)
    provider.ensure_image(plan)
    return provider.image_name(plan)


@dataclass(frozen=True)
class Pruned:
    """What `prune_images` did.

    Attributes:
        removed: The images; on a server, with its name.
        left: Servers whose images could not be looked at or removed, and why.
    """

    removed: tuple[str, ...]
    left: tuple[str, ...]


def prune_images(home: Home) -> Pruned:
    """Remove the images that no lab uses, here and on the servers that are known."""
    specs = [load_spec(home.lab(name).spec) for name in home.lab_names() if home.lab(name).spec.exists()]
    planned = [_planned(spec, home) for spec in specs]
    names = (provider.image_name(plan) for plan, provider in planned)
    here = ImageCache(home).prune(frozenset(name for name in names if name))
    there = prune(home, (plan.settings for plan, _ in planned))
    return Pruned(
        (*(image.name for image in here), *(f"{name} on {p.server}" for p in there for name in p.removed)),
        tuple(f"{p.server}: {p.refused}" for p in there if p.refused),
    )


def _planned(spec: LabSpec, home: Home) -> tuple[Plan, Provider]:
    """The plan of a lab that may not exist, and a provider that is asked about its image alone."""
    lab = home.lab(spec.name)
    whole = with_provider(spec, lab)
    plan = build_plan(whole)
    return plan, open_provider(plan.provider, home, lab, "", plan.settings)
