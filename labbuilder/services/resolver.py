"""Where a server itself asks for names: /etc/resolv.conf."""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.host.render import render
from labbuilder.model.check import Check
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services.base import Service, head
from labbuilder.services.judges import says
from labbuilder.services.probes import NAMESERVERS


class Resolver(Service):
    """A server asks the forwarders; a client is told by its lease."""

    name = "resolver"

    def steps(self, lab: Plan, me: MachinePlan) -> Iterator[Step]:
        """Return the one file."""
        if "server" in me.roles:
            text = render("resolv.conf", forwarders=lab.dns.forwarders, **head(lab, me))
            yield Step(
                name="resolver",
                title="resolver (/etc/resolv.conf)",
                files=(RenderedFile("/etc/resolv.conf", text),),
                holds="true",
                apply="true",
            )

    def checks(self, lab: Plan, me: MachinePlan) -> Iterator[Check]:
        """Look at the file."""
        if "server" in me.roles:
            expected = " ".join(str(address) for address in lab.dns.forwarders)
            yield Check(
                "resolv.conf",
                me.name,
                "/etc/resolv.conf",
                NAMESERVERS,
                says(expected),
                look="cat /etc/resolv.conf",
                rests_on=("files",),
            )
