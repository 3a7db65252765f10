"""Forwarding: the kernel's switch, now and at the next boot."""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.host.render import render
from labbuilder.model.check import Check
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services.base import Service, head
from labbuilder.services.judges import says
from labbuilder.services.systemd import enabled

_FILE = "/etc/sysctl.d/90-labbuilder.conf"
_KERNEL = "cat /proc/sys/net/ipv4/ip_forward"
# The last word of all files, in the order of the boot; the kernel's switch has two names.
_KEPT = (
    "systemd-analyze cat-config sysctl.d | sed -nE 's,^[[:space:]]*-?net[./]ipv4[./]"
    "(ip_forward|conf[./](all|[*])[./]forwarding)[[:space:]]*=[[:space:]]*,,p' | tail -n 1"
)
_LOOK = "systemd-analyze cat-config sysctl.d | grep forward"
# Another file's word, which would count at boot, becomes a comment in it.
_UNSAID = (
    f"for it in /etc/sysctl.conf /etc/sysctl.d/*.conf /run/sysctl.d/*.conf; do "
    f"[ $it = {_FILE} ] || [ ! -f $it ] || [ -L $it ] || sed -i -E "
    "'s,^[[:space:]]*-?net[./]ipv4[./](ip_forward|conf[./](all|[*])[./]forwarding)[[:space:]]*=,# labbuilder: &,' $it; "
    "done"
)


class Forwarding(Service):
    """A server forwards what its clients send to the world."""

    name = "forwarding"
    packages = ("procps",)

    def steps(self, lab: Plan, me: MachinePlan) -> Iterator[Step]:
        """Return the file of sysctl."""
        if "server" in me.roles:
            yield Step(
                name="forwarding",
                title="forwarding (net.ipv4.ip_forward)",
                files=(RenderedFile(_FILE, render("sysctl.conf", **head(lab, me))),),
                holds=f'[ "$({_KERNEL})" = 1 ]',
                apply=f"sysctl -q -p {_FILE}",
                units=("systemd-sysctl.service",),
                clears=_UNSAID,
            )

    def checks(self, lab: Plan, me: MachinePlan) -> Iterator[Check]:
        """Look at the kernel, and at what it will be told at boot, and by whom."""
        if "server" in me.roles:
            yield Check(
                "forwarding.kernel",
                me.name,
                "net.ipv4.ip_forward is 1",
                _KERNEL,
                says("1"),
                look="sysctl net.ipv4.ip_forward",
            )
            title, rests_on = "forwarding is kept in sysctl.d", ("files",)
            yield Check("forwarding.kept", me.name, title, _KEPT, says("1"), look=_LOOK, rests_on=rests_on)
            yield enabled(lab, me, "systemd-sysctl")
