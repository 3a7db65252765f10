"""Which provider a lab gets, and the door to each: its row says where its package is."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import cast

from labbuilder.errors import SpecError
from labbuilder.host.store import Home, LabDir
from labbuilder.model.lab import Plan
from labbuilder.providers.base import Finding, Provider, Pruned
from labbuilder.providers.traces import Trace
from labbuilder.spec.providers import AUTOMATIC, PROVIDERS, ProviderRow, Sections


def provider_row(name: str) -> ProviderRow:
    """All that is known of the provider outside its own package.

    Raises:
        SpecError: There is no such provider.
    """
    if name not in PROVIDERS:
        *most, last = PROVIDERS
        raise SpecError(brief=f"there is no provider {name!r}", resolution=f"use auto, {', '.join(most)} or {last}")
    return PROVIDERS[name]


def _module(row: ProviderRow, name: str) -> ModuleType:
    """A module of its package: they are loaded when they are asked for, since most are never."""
    return import_module(f"{row.package}.{name}")


def choose(wanted: str) -> tuple[str, str]:
    """Return the provider for ``wanted`` ("auto" or a name), and why it is that one.

    Raises:
        SpecError: There is no such provider.
    """
    if wanted != "auto":
        return provider_row(wanted).name, "asked for"
    first, last = AUTOMATIC
    if shutil.which(first.command) is None:
        why = f"{first.title} is not installed"
    else:
        why = _module(first, "host").obstacle()
    if why is None:
        return first.name, f"auto: {first.title} is here and can start machines"
    return last.name, f"auto: {why}; {last.title} needs no hypervisor"


def open_provider(name: str, home: Home, lab: LabDir, mark: str, settings: Sections = ()) -> Provider:
    """Return the provider of that name, bound to one lab.

    Args:
        name: What its row is called.
        home: Where images are kept.
        lab: The lab's folder.
        mark: The lab's mark.
        settings: The provider's sections of the spec; one that is missing is as if the spec said nothing.

    Raises:
        SpecError: There is no such provider.
    """
    opened = _module(provider_row(name), "provider").open_provider(home, lab, mark, settings)
    return cast("Provider", opened)


def doctor(home: Home, wanted: str = "auto", settings: Sections = ()) -> tuple[Finding, ...]:
    """Return what this host has and lacks for a provider; changes nothing.

    Raises:
        SpecError: There is no such provider.
    """
    name, why = choose(wanted)
    return (Finding("provider", True, f"{name} ({why})"), *_module(provider_row(name), "host").findings(home, settings))


def prune(home: Home, used: Iterable[Sections]) -> tuple[Pruned, ...]:
    """Remove the unused images that providers keep elsewhere than in this host's cache.

    Args:
        home: What is known of these places.
        used: The settings of all labs.
    """
    labs = tuple(used)
    pruning = [_module(row, "pruning") for row in PROVIDERS.values() if row.prunes]
    return tuple(pruned for module in pruning for pruned in module.prune(home, labs))


def traces() -> tuple[Trace, ...]:
    """Return every lab that this host shows, of whatever home it is."""
    tracing = [_module(row, "traces") for row in PROVIDERS.values() if row.traced]
    return tuple(trace for module in tracing for trace in module.traces())


def hand_out_provider() -> str:
    """Return the name of the provider whose machines can be made from a folder, without labbuilder."""
    return next(row.name for row in PROVIDERS.values() if row.hands_out)


def hand_out(plan: Plan, home: Home, folder: Path, scripts: Mapping[str, str]) -> None:
    """Write the folder from which the plan's provider alone makes the lab.

    Args:
        plan: The lab; its machines are made in this order.
        home: Where images are kept.
        folder: New or empty.
        scripts: Machine to the script that configures it.

    Raises:
        HostError: The image can't be made here.
    """
    _module(provider_row(plan.provider), "handout").write(plan, home, folder, scripts)
