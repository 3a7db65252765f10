"""The cold standby: ISC's failover always takes over by itself, so a manual second server is one that is off.

The first server sends its leases whenever they change; the second waits for them while it does not serve.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import replace

from labbuilder.errors import TransportError
from labbuilder.host.render import render
from labbuilder.host.run import Result
from labbuilder.model.check import Check
from labbuilder.model.lab import MachinePlan, Pair, Peer, Plan
from labbuilder.model.running import RunningLab
from labbuilder.model.step import RenderedFile, Step
from labbuilder.services.dhcp.base import Engine, PeerStatus, leases_kept, serves, values
from labbuilder.services.dhcp.isc import CONF, LEASES, UNIT, Dhcpd, files, of_files, pool_check, split_problems
from labbuilder.services.dhcp.pair import fits
from labbuilder.services.judges import same_lines, says
from labbuilder.services.newcomer import Wish
from labbuilder.services.systemd import DISABLE_NOW, ENABLE, ENABLE_NOW, RESTART, off
from labbuilder.spec.base import Problem
from labbuilder.spec.models import AddressRange, LabSpec

COPY_PORT = 6470  # on the second server: the primary's leases arrive
TAKEN_OVER = "/var/lib/lab-taken-over"  # on the second server: the operator lets it serve
FENCED = "/run/lab-fenced"  # on the primary: it came back and found the second one serving
SENDER, RECEIVER = "lab-leases.service", "lab-leases.socket"
# One line for each active binding of the lease file; the last word on an address counts.
_ACTIVE_LEASES = (
    'awk \'$1 == "lease" {a = $2; state[a] = mac[a] = ends[a] = ""} $1 == "binding" {state[a] = $3} '
    '$1 == "hardware" {mac[a] = $3} $1 == "ends" {ends[a] = $0} '
    f'END {{for (a in state) if (state[a] == "active;") print a, mac[a], ends[a]}}\' {LEASES}'
)
_SENT = "/run/lab-leases-sent"
_COPIED_WITHIN_S = 3.0  # measured: 0.1 s after a lease has changed


class ColdStandby(Dhcpd):
    """One dhcpd serves; the other is ready and off."""

    heeds = frozenset({"split"})  # which is refused in words of its own
    cold = True
    good = frozenset({"serving"})
    alone = taken_over = frozenset()
    well = ("serving", "standby")
    port = COPY_PORT
    asks = "true"
    when_off = "standby"

    def steps(self, lab: Plan, me: MachinePlan) -> Iterator[Step]:
        """Return dhcpd on the first server, its files on the second, and the copy of the leases."""
        if lab.pair is None:
            yield from super().steps(lab, me)
        elif me.name == lab.pair.first.name:
            yield from self._primary(lab, lab.pair, me)
        else:
            yield from self._second(lab, me)

    def _primary(self, lab: Plan, pair: Pair, me: MachinePlan) -> Iterator[Step]:
        yield self.serving(
            (*files(lab, me, cold=True), _fence(lab, me)),
            fence=FENCED,
            after=(f"{pair.second.name}:standby",),
        )
        yield _copy(lab, me, SENDER, marker=FENCED, after=(f"{pair.first.name}:dhcp", f"{pair.second.name}:standby"))

    def _second(self, lab: Plan, me: MachinePlan) -> Iterator[Step]:
        yield Step(
            name="dhcp",
            title="DHCP server, off until the operator says so (isc-dhcp-server)",
            files=files(lab, me, cold=True),
            validate=((CONF, "dhcpd -4 -t -cf {new}"),),
            holds=f"[ -e {TAKEN_OVER} ] || {{ ! systemctl -q is-active {UNIT} && ! systemctl -q is-enabled {UNIT}; }}",
            apply=f"{off(*self.others)}; [ -e {TAKEN_OVER} ] || {{ {off(UNIT)}; }}",
            units=(f"{UNIT}.service",),
            clears=leases_kept(self),
        )
        yield _copy(lab, me, RECEIVER, "lab-leases@.service", marker=TAKEN_OVER)

    def checks(self, lab: Plan, me: MachinePlan) -> Iterator[Check]:
        """Return the checks of the files, of who serves and who does not, and of the copy."""
        if lab.pair is None:
            yield from super().checks(lab, me)
            return
        primary = me.name == lab.pair.first.name
        yield from of_files(lab, me)
        yield from serves(self, lab, me, syntax="dhcpd.syntax") if primary else (_waits(me),)
        yield (
            _copies(me, SENDER, "changed leases are sent to the second server")
            if primary
            else _copies(me, RECEIVER, "the first server's leases are awaited")
        )
        if primary:
            yield _has_the_leases(lab.pair)
        yield pool_check(lab, me)
        yield from fits(self, lab, lab.pair) if primary else ()

    def problems(self, spec: LabSpec, pool: AddressRange) -> Iterable[Problem]:
        """Refuse a split; there is no MCLT."""
        del pool
        return split_problems(spec.dhcp.failover)

    def read(self, peer: Peer, result: Result) -> PeerStatus:
        """Who runs serves."""
        del result
        return PeerStatus(peer.name, peer.role, "serving", "", serving=True)

    def take_over(self, lab: RunningLab, pair: Pair, *, partner_lives: bool) -> None:
        """Switch the primary off, where it can be told, and the second server on."""
        del partner_lives
        primary, second = (peer.name for peer in pair.peers)
        try:
            if lab.is_awake(primary):
                lab.sure(primary, f"touch {FENCED}; {DISABLE_NOW} {UNIT}; systemctl stop {SENDER}")
        except TransportError:
            lab.drop(primary)  # it asks its partner before it serves again
        lab.sure(second, f"touch {TAKEN_OVER}; systemctl stop {RECEIVER}; {ENABLE_NOW} {UNIT}")

    def give_back(self, lab: RunningLab, pair: Pair) -> None:
        """Switch the second server off and the primary on."""
        primary, second = (peer.name for peer in pair.peers)
        lab.shell(primary).run("true")  # the primary must be there before the second falls silent
        if lab.shell(second).run(f"test -e {TAKEN_OVER}").ok:
            self._take_leases_back(lab, pair)
        lab.sure(primary, f"rm -f {FENCED}; {ENABLE_NOW} {UNIT}; systemctl start {SENDER}")

    def _take_leases_back(self, lab: RunningLab, pair: Pair) -> None:
        """Let the second server fall silent, and give the primary the leases that it gave meanwhile.

        A second server that did not take over has an older copy: what the primary has is never replaced by that.
        """
        primary, second = (peer.name for peer in pair.peers)
        if self.status(lab, pair.second).serving or not self.status(lab, pair.first).serving:
            lab.sure(second, f"{DISABLE_NOW} {UNIT}")
            leases = base64.b64decode(lab.sure(second, f"base64 -w0 {LEASES}"))
            new = f"{LEASES}.new"
            lab.shell(primary).put(leases, new)
            readable = f"dhcpd -4 -T -q -cf {CONF} -lf {new}"
            lab.sure(primary, f"test -s {new}\n{readable}\n{DISABLE_NOW} {UNIT}\nmv {new} {LEASES}")
        lab.sure(second, f"rm -f {TAKEN_OVER}; systemctl start {RECEIVER}")

    def by_hash(self, lab: Plan) -> tuple[str, str]:
        """The one that serves."""
        return Engine.by_hash(self, lab)

    def wishes(self, lab: Plan) -> tuple[Wish, ...]:
        """Of the one that serves, and no lease: that would be copied, and mend a copy that is missing."""
        return tuple(replace(wish, takes="offer") for wish in Engine.wishes(self, lab))

    def answering(self, lab: Plan) -> tuple[str, ...]:
        """Return the dhcpd of both: nobody agrees with anybody."""
        return tuple(f"{server.name}:dhcp" for server in lab.servers)

    def shortest_lease_s(self, lab: Plan) -> int:
        """All leases are as long."""
        return lab.dhcp.default_lease_s


def _fence(lab: Plan, me: MachinePlan) -> RenderedFile:
    """The primary serves only while its partner waits for leases: one that serves refuses them."""
    text = render("standby.conf", fenced=FENCED, copy_port=COPY_PORT, **values(lab, me))
    return RenderedFile("/etc/systemd/system/isc-dhcp-server.service.d/standby.conf", text)


def _copy(lab: Plan, me: MachinePlan, *units: str, marker: str, after: tuple[str, ...] = ()) -> Step:
    variables = values(lab, me) | {"leases": LEASES, "sent": _SENT, "copy_port": COPY_PORT}
    main = units[0]
    return Step(
        name="standby",
        title="leases are copied to the second server",
        files=tuple(RenderedFile(f"/etc/systemd/system/{name}", render(name, **variables)) for name in units),
        holds=f"systemctl -q is-active {main} && systemctl -q is-enabled {main} || [ -e {marker} ]",
        apply=f"systemctl daemon-reload; {ENABLE} {main}; [ -e {marker} ] || {{ {RESTART.format(main)}; }}",
        units=units,
        after=after,
    )


def _waits(me: MachinePlan) -> Check:
    state = f"systemctl is-active {UNIT}; systemctl is-enabled {UNIT}; true"
    title = "the second server's DHCP is off (after a takeover: labbuilder failover giveback)"
    return Check("standby.off", me.name, title, state, says("inactive disabled"), look=f"systemctl status {UNIT}")


def _copies(me: MachinePlan, unit: str, title: str) -> Check:
    state = f"systemctl is-active {unit}; systemctl is-enabled {unit}"
    return Check("standby.copy", me.name, title, state, says("active enabled"), look=f"systemctl status {unit}")


def _has_the_leases(pair: Pair) -> Check:
    first, second = pair.first.name, pair.second.name
    title = "the second server has the leases of the first"
    others = ((second, _ACTIVE_LEASES),)
    judge, look, rests_on = (
        same_lines(second),
        f"cat {LEASES}",
        ("standby.copy", f"{second}:standby.copy", f"{second}:firewall"),
    )
    return Check(
        "standby.leases", first, title, _ACTIVE_LEASES, judge, others, _COPIED_WITHIN_S, look=look, rests_on=rests_on
    )
