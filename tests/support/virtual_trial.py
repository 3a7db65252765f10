"""A lab of VirtualBox machines that are defined and never start."""

from __future__ import annotations

from typing import Any

from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.plan import Plan
from labbuilder.providers.virtualbox.provider import VirtualBoxProvider

MARK = "5eed1e55"


class Trial:
    """The guide's lab, with the provider that makes it."""

    def __init__(self, home: Home, settings: dict[str, Any], name: str = "trap") -> None:
        lab = home.lab(name)
        lab.path.mkdir(parents=True)
        self.provider = VirtualBoxProvider(home, lab, MARK)
        values: dict[str, Any] = {"provider": "virtualbox", "virtualbox": settings}
        self.plan: Plan = Lab(name, home=home).add_server().add_server().add_client().set(**values).plan()

    def define(self) -> None:
        for machine in self.plan.machines:
            self.provider.create(self.plan, machine)
