"""The images that machines start from: made without a lab, and pruned."""

from __future__ import annotations

from dataclasses import dataclass

from labbuilder.errors import LabError
from labbuilder.host.journal import Journal
from labbuilder.host.store import Home, LabDir
from labbuilder.lifecycle.compare import with_provider
from labbuilder.plan import Plan, build_plan
from labbuilder.plan.load import load_spec
from labbuilder.providers.base import Provider
from labbuilder.providers.images import ImageCache
from labbuilder.providers.registry import open_provider, prune, traces
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
        left: Images that could not be looked at or removed, and why.
    """

    removed: tuple[str, ...]
    left: tuple[str, ...]


def prune_images(home: Home) -> Pruned:
    """Remove the images that no lab uses, here and on the servers that are known.

    A lab whose spec can't be read keeps the image that its journal, or what runs of it, names; one of which nothing
    tells keeps all that are here.
    """
    shown, planned, untold = traces(), list[tuple[Plan, Provider]](), list[str]()
    used = {trace.image for trace in shown}
    for lab in map(home.lab, home.lab_names()):
        try:
            planned.append(_planned(load_spec(lab.spec), home))
        except LabError as error:
            remembered = _remembered_images(lab)
            used.update(remembered)
            if not remembered and not any(trace.is_of(lab.path) for trace in shown):
                untold.append(f"{lab.spec}: {error.brief}")
    used |= {provider.image_name(plan) for plan, provider in planned}
    here = () if untold else ImageCache(home).prune(frozenset(name for name in used if name))
    there = prune(home, (plan.settings for plan, _ in planned))
    return Pruned(
        (*(image.name for image in here), *(f"{name} on {p.server}" for p in there for name in p.removed)),
        (
            *(f"the images here, since nothing tells which of them the lab of {lab} uses" for lab in untold),
            *(f"{p.server}: {p.refused}" for p in there if p.refused),
        ),
    )


def _remembered_images(lab: LabDir) -> tuple[str | None, ...]:
    """The image that the lab's journal names; None for one that is not kept here."""
    records = Journal(lab.journal).records()
    return tuple(record.data["image"] for record in records if record.effect == "lab" and "image" in record.data)


def _planned(spec: LabSpec, home: Home) -> tuple[Plan, Provider]:
    """The plan of a lab that may not exist, and a provider that is asked about its image alone."""
    lab = home.lab(spec.name)
    whole = with_provider(spec, lab)
    plan = build_plan(whole)
    return plan, open_provider(plan.provider, home, lab, "", plan.settings)
