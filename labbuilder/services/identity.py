"""The names of a machine: its own, and those that it knows without asking anyone (/etc/hosts)."""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.host.render import render
from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services.base import Service, head
from labbuilder.services.judges import is_address, says

_LIVE = "cat /proc/sys/kernel/hostname"
# What a user stopped at a terminal is the user's.
_GO_ON = (
    "for it in /proc/[0-9]*/stat; do read -r pid _ state _ _ _ tty _ <$it || continue; "
    "case $state$tty in [Tt]0) kill -s CONT $pid;; esac; done"
)
# As Debian has it: nobody else is asked first, and both are.
_ASKED_BOTH = (
    "grep -qE '^hosts:.*files.* dns' /etc/nsswitch.conf || "
    "{ sed -i /^hosts:/d /etc/nsswitch.conf; echo 'hosts: files dns' >>/etc/nsswitch.conf; }"
)
_OWN = "127.0.1.1"  # as Debian's installer writes it


class Identity(Service):
    """Every machine's own name, and the servers'."""

    name = "identity"

    def steps(self, lab: Plan, me: MachinePlan) -> Iterator[Step]:
        """Return the two files; the kernel is told its name by the one, at boot."""
        text = render("hosts", domain=lab.dns.domain, servers=lab.server_addresses.items(), **head(lab, me))
        yield Step(
            name="identity",
            title="names (/etc/hostname, /etc/hosts)",
            files=(RenderedFile("/etc/hosts", text), RenderedFile("/etc/hostname", f"{me.name}\n")),
            holds=f'[ "$({_LIVE})" = {me.name} ]',
            apply=f"hostname {me.name}",
            clears=f"{_ASKED_BOTH}; {_GO_ON}",
        )

    def checks(self, lab: Plan, me: MachinePlan) -> Iterator[Check]:
        """Look at the kernel's name, and at how programs find names: nsswitch.conf says where, and in which order."""
        yield Check("hostname", me.name, "its host name", _LIVE, says(me.name), look="hostname")
        asked = f"getent ahostsv4 {me.name} {lab.upstream.name}"
        title = "programs find its own name and those of the world"
        rests_on = ("files", "lease.dns", *(f"names.{name}" for name in ("upstream", *lab.server_addresses)))
        yield Check("names", me.name, title, asked, _found(lab), rests_on=rests_on)


def _found(lab: Plan) -> Judge:
    """The first words of getent's lines are the addresses."""
    known = str(lab.upstream.witness.address) if lab.upstream.witness else None
    within = {_OWN, *map(str, lab.server_addresses.values())}

    def judge(result: Result) -> Judgement:
        seen = list(dict.fromkeys(line.split()[0] for line in result.stdout.splitlines() if line.strip()))
        others = [address for address in seen if address not in within]
        right = seen[:1] == [_OWN] and (others == [known] if known else any(map(is_address, others)))
        return Judgement(right, f"{_OWN} {known or 'and an address'}", " ".join(seen))

    return judge
