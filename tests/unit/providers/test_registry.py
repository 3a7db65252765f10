"""A provider is one row, and nothing above the providers knows its name."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

import labbuilder
from labbuilder.errors import SpecError
from labbuilder.host.parallel import for_each, one_by_one
from labbuilder.host.store import Home
from labbuilder.lifecycle import power
from labbuilder.plan import build_plan
from labbuilder.providers import registry
from labbuilder.providers.base import Provider
from labbuilder.spec.models import LabSpec
from labbuilder.spec.providers import PROVIDERS, Incus, VirtualBox, World, section, world

PACKAGE = Path(labbuilder.__file__).parent
ABOVE = ("lifecycle", "plan", "lab.py")


def test_what_the_spec_may_name_is_what_has_a_row() -> None:
    assert get_args(LabSpec.model_fields["provider"].annotation) == ("auto", *PROVIDERS)
    for row in PROVIDERS.values():
        for key, kind in row.sections.items():
            assert LabSpec.model_fields[key].annotation is kind


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_package_has_what_its_row_promises(name: str, tmp_path: Path) -> None:
    row, home = PROVIDERS[name], Home(tmp_path)
    promised = {"provider": ("open_provider",), "host": ("findings",)}
    promised |= {"handout": ("write",)} if row.hands_out else {}
    promised |= {"pruning": ("prune",)} if row.prunes else {}
    for module, functions in promised.items():
        for function in functions:
            assert callable(getattr(import_module(f"{row.package}.{module}"), function))
    opened = registry.open_provider(name, home, home.lab("any"), "0" * 8)
    assert opened.kind == name
    for method in (m for m in vars(Provider) if not m.startswith("_") and callable(getattr(Provider, m))):
        asked = inspect.signature(getattr(Provider, method)).parameters
        there = inspect.signature(getattr(type(opened), method)).parameters
        assert list(there) == list(asked), f"{name}: {method}"


def test_nobody_above_the_providers_says_a_name_of_one() -> None:
    said = re.compile("|".join(PROVIDERS), re.IGNORECASE)
    found = [
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for place in ABOVE
        for path in ([PACKAGE / place] if place.endswith(".py") else sorted((PACKAGE / place).rglob("*.py")))
        for line in path.read_text().splitlines()
        if said.search(line)
    ]
    assert found == []


def test_an_unknown_provider_is_a_mistake_of_who_names_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for ask in (
        lambda: registry.choose("bogus"),
        lambda: registry.doctor(home, "bogus"),
        lambda: registry.open_provider("bogus", home, home.lab("any"), ""),
    ):
        with pytest.raises(SpecError, match="there is no provider 'bogus'"):
            ask()


@pytest.mark.parametrize("at_once", [True, False])
def test_several_machines_are_switched_at_once_only_where_the_row_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, at_once: bool
) -> None:
    monkeypatch.setitem(PROVIDERS, "nspawn", replace(PROVIDERS["nspawn"], many_at_once=at_once))
    provider = registry.open_provider("nspawn", Home(tmp_path), Home(tmp_path).lab("any"), "")
    assert power.each(provider) is (for_each if at_once else one_by_one)


def test_the_world_behind_a_lab_follows_from_its_provider() -> None:
    assert world("auto", LabSpec()) == world("nspawn", LabSpec()) == World("simulated")
    assert world("virtualbox", LabSpec()) == world("vagrant", LabSpec()) == World("real", "host")
    assert world("virtualbox", LabSpec.model_validate({"virtualbox": {"bridged": "nat"}})) == World("nat")
    far = LabSpec.model_validate({"incus": {"bridged": "br0", "remote": "far"}})
    assert world("incus", LabSpec()) == World("simulated")
    assert world("incus", far) == World("real", "far")


def test_the_plan_has_its_own_providers_settings_alone() -> None:
    spec = LabSpec.model_validate({"provider": "virtualbox", "virtualbox": {"cpus": 2}, "incus": {"remote": "far"}})
    plan = build_plan(spec)
    assert plan.section(VirtualBox).cpus == section(plan.settings, VirtualBox).cpus == 2
    assert plan.section(Incus).remote == "local"
