"""The names that a machine knows without asking anyone: /etc/hosts."""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.host.render import render
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services.base import Service, head


class Identity(Service):
    """Every machine's own name, and the servers'."""

    name = "identity"

    def steps(self, lab: Plan, me: MachinePlan) -> Iterator[Step]:
        """Return the one file."""
        text = render("hosts", domain=lab.dns.domain, servers=lab.server_addresses.items(), **head(lab, me))
        yield Step(
            name="identity",
            title="names (/etc/hosts)",
            files=(RenderedFile("/etc/hosts", text),),
            holds="true",
            apply="true",
        )
