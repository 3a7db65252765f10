"""The faults of the failover pair, as data: each breaks one thing of it on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from labbuilder.errors import SpecError
from labbuilder.fault import (
    Crowd,
    Fault,
    Freeze,
    GiveBack,
    Load,
    LoadEnds,
    Measure,
    Need,
    PowerCut,
    Shell,
    Step,
    TakenOver,
    Takeover,
    Unplug,
    Well,
)
from labbuilder.plan import Plan, build_plan
from labbuilder.plan.dhcp_isc import LEASES
from labbuilder.plan.dhcp_isc import UNIT as ISC_UNIT
from labbuilder.plan.dhcp_kea import UNIT as KEA_UNIT
from labbuilder.plan.services import FAILOVER_PORTS
from labbuilder.spec.failover import Failover
from labbuilder.spec.load import spec_from_values
from labbuilder.spec.models import LabSpec

LOAD = Load(exchanges=2000, per_second=100)
_LEFT = 4  # addresses, by the crowd
_AFTER_S = 2.0
_MANUAL_S = 4.0  # so long nobody is served before the operator acts
_MARGIN_S = 5.0  # of measuring, beyond the moment at which the engine should have found out
_KEA_HTTP_S = 10.0  # after this Kea gives up an exchange with a silent partner (docs/failover.md)
_UNITS = {"isc": ISC_UNIT, "kea": KEA_UNIT}
_LEASES = {"isc": str(LEASES.parent), "kea": "/var/lib/kea"}


def faults(plan: Plan, spec: LabSpec) -> Mapping[str, Fault]:
    """Every way to break this lab, by its name."""
    pair = _Pair(plan.servers[0].name, plan.servers[-1].name, spec.dhcp.failover, _pair_and_client(plan))
    return {fault.name: fault for fault in pair.faults()}


@cache
def titles() -> Mapping[str, str]:
    """What each fault of the guide's lab does, by its name."""
    spec = spec_from_values(name="guide")
    return {name: fault.title for name, fault in faults(build_plan(spec), spec).items()}


def known(names: Sequence[str], there: Mapping[str, Fault]) -> tuple[str, ...]:
    """These drills; of no names, all that there are.

    Raises:
        SpecError: There is none of that name.
    """
    for name in names:
        if name not in there:
            raise SpecError(brief=f"there is no drill {name!r}", resolution=f"use one of: {', '.join(there)}")
    return tuple(names) or tuple(there)


def refuse_unmet(needs: Sequence[Need]) -> None:
    """Do nothing where the lab has all of this.

    Raises:
        SpecError: It has not; says what is missing.
    """
    for need in needs:
        if not need.met:
            raise SpecError(need.brief, need.details or None, need.resolution or None)


def window_s(failover: Failover, *, silent: bool) -> float:
    """How long a fault is measured: longer than the engine takes to find out, after a RST or after silence."""
    if failover.engine == "isc":
        return (failover.silence_s if silent else 1.0) + _MARGIN_S
    unheard_s = max(_KEA_HTTP_S if silent else 0.0, failover.silence_s) + failover.ack_s - 1
    return unheard_s + failover.beat_s + _MARGIN_S


def _pair_and_client(plan: Plan) -> Need:
    return Need(
        met=len(plan.servers) > 1 and bool(plan.clients),
        brief="a drill needs two servers and a client",
        details=f"The lab {plan.lab} has {len(plan.servers)} and {len(plan.clients)}.",
        resolution="labbuilder up --servers 2 --clients 1 --reconfigure",
    )


def pair_and_client(plan: Plan) -> None:
    """Do nothing where there are two servers and a client.

    Raises:
        SpecError: There are not.
    """
    refuse_unmet([_pair_and_client(plan)])


@dataclass(frozen=True)
class _Pair:
    """What the faults hit, and how its engine is spoken to."""

    primary: str
    second: str
    failover: Failover
    whole: Need

    @property
    def _manual(self) -> bool:
        return self.failover.mode == "manual"

    def _crash(self, machine: str) -> Shell:
        """SIGKILL; systemd, which would start it again after a second, is told not to."""
        unit = _UNITS[self.failover.engine]
        return Shell(machine, f"systemctl kill -s KILL {unit} || true; systemctl stop {unit}", self._start)

    @property
    def _start(self) -> str:
        """The daemon, unless it is meant to be off."""
        unit = _UNITS[self.failover.engine]
        start = f"! systemctl -q is-enabled {unit} || systemctl start {unit}"
        return f"systemctl reset-failed {unit} 2>/dev/null || true\n{start}"

    def _before(self, *steps: Step) -> tuple[Step, ...]:
        """In manual mode the operator gives back when all else is mended: what is said first is undone last."""
        return ((GiveBack(),) if self._manual else ()) + steps

    def _noticed(self, *, silent: bool = False, force: bool = False) -> tuple[Step, ...]:
        """What follows when the primary serves no more: the engine finds out, or the operator acts."""
        if self._manual:
            return Measure(_MANUAL_S), Takeover(self.second, force), Measure(_MANUAL_S)
        return (Measure(window_s(self.failover, silent=silent)),)

    def _served_on(self, *, silent: bool = False) -> tuple[Step, ...]:
        """What follows when the primary goes on serving."""
        return (Measure(window_s(self.failover, silent=silent)),)

    def faults(self) -> tuple[Fault, ...]:
        """All of them, the plainest first."""
        unit = _UNITS[self.failover.engine]
        killed, crash = "the primary's DHCP daemon is killed", self._crash(self.primary)
        stop, stopped = (
            Shell(self.primary, f"systemctl stop {unit}", self._start),
            "the primary's DHCP service is stopped",
        )
        unheard, dark = self._noticed(silent=True), self._noticed(silent=True, force=True)
        unplugged = "the primary's cable to the internal network is unplugged"
        return (
            self._of_the_primary("crash-primary", f"{killed} (SIGKILL)", crash, self._noticed()),
            self._of_the_primary("stop-primary", f"{stopped} in order", stop, self._noticed()),
            self._of_the_primary("power-cut", "the primary's power is cut", PowerCut(self.primary), dark),
            self._of_the_primary("pause-primary", "the primary is frozen", Freeze(self.primary), dark),
            self._of_the_primary("cut-link", unplugged, Unplug(self.primary), unheard),
            self._split_brain(),
            self._both_down(),
            self._failback(),
            self._disk_full(),
            replace(
                self._of_the_primary("crash-under-load", f"{killed} under load (perfdhcp)", crash, self._noticed()),
                beside=(LOAD,),
                meanwhile=(*self._noticed(), LoadEnds()),
            ),
            self._pool_exhausted(),
        )

    def _of_the_primary(self, name: str, title: str, step: Step, meanwhile: tuple[Step, ...]) -> Fault:
        """It stops serving."""
        before = self._before(Well())
        return Fault(name, title, (self.primary,), (step,), before, meanwhile=meanwhile, needs=(self.whole,))

    def _split_brain(self) -> Fault:
        port = FAILOVER_PORTS[self.failover.engine]
        rules = [
            f"{chain} -p tcp --{end} {port} -m comment --comment lab-drill -j DROP"
            for chain in ("INPUT", "OUTPUT")
            for end in ("sport", "dport")
        ]
        part = "\n".join(f"iptables -I {rule}" for rule in rules)
        join = "\n".join(f"while iptables -D {rule} 2>/dev/null; do :; done" for rule in rules)
        connected = Need(
            met=not self.failover.cold_standby,
            brief="there is no drill split-brain in manual mode on ISC: its servers have no failover connection",
            resolution="labbuilder drill cut-link takes the primary's cable; docs/failover.md tells what the mode is",
        )
        return Fault(
            "split-brain",
            "only the failover connection is blocked: both live and can't talk",
            (self.primary, self.second),
            (Shell(self.primary, part, join),),
            self._before(Well()),
            meanwhile=self._served_on(silent=True),
            needs=(self.whole, connected),
        )

    def _both_down(self) -> Fault:
        return Fault(
            "both-down",
            "both DHCP daemons are killed, then started again",
            (self.primary, self.second),
            (self._crash(self.primary), self._crash(self.second)),
            self._before(Well()),
            meanwhile=(Measure(_AFTER_S),),
            needs=(self.whole,),
            counted="end",
        )

    def _failback(self) -> Fault:
        """The primary is down from the start, and its return is what is measured."""
        gone: Step = Takeover(self.second) if self._manual else TakenOver(self.second)
        back: tuple[Step, ...] = (Shell(self.primary, self._start),)
        return Fault(
            "failback",
            "the primary comes back after a takeover",
            (self.primary,),
            (*back, GiveBack(now=True)) if self._manual else back,
            self._before(self._crash(self.primary), gone),
            meanwhile=self._served_on(),
            needs=(self.whole,),
        )

    def _disk_full(self) -> Fault:
        """The leases stand on a file system of their own, so that it alone is filled."""
        folder, unit, aside = _LEASES[self.failover.engine], _UNITS[self.failover.engine], "/run/lab-leases"
        small = (
            f"systemctl stop {unit}; mkdir -p {aside}; cp -a {folder}/. {aside}/\n"
            f"size=$(($(du -sk {folder} | cut -f1) + 512))\n"
            f"mount -t tmpfs -o size=${{size}}k,mode=755 lab-drill {folder}; chown --reference={aside} {folder}\n"
            f"cp -a {aside}/. {folder}/; rm -r {aside}; systemctl start {unit}"
        )
        free = (
            f"findmnt -n -t tmpfs {folder} >/dev/null || exit 0\n"
            f"systemctl stop {unit}; rm -f {folder}/lab-drill; mkdir -p {aside}\n"
            f"cp -a {folder}/. {aside}/; umount -l {folder}\n"  # a copy to the cold standby may be under way
            f"cp -a {aside}/. {folder}/; rm -r {aside}; systemctl start {unit}"
        )
        full = f'[ "$(df --output=avail {folder} | tail -n 1)" -eq 0 ]'
        fill = f"dd if=/dev/zero of={folder}/lab-drill bs=1k 2>/dev/null || true\n{full}"
        return Fault(
            "disk-full",
            "the file system of the primary's leases is full",
            (self.primary,),
            (Shell(self.primary, fill),),
            self._before(Shell(self.primary, small, free), Well()),
            meanwhile=self._served_on(),
            needs=(self.whole,),
        )

    def _pool_exhausted(self) -> Fault:
        return Fault(
            "pool-exhausted",
            "a crowd takes all addresses but a few",
            (self.primary, self.second),
            (Crowd(_LEFT),),
            self._before(Well()),
            meanwhile=self._served_on(),
            needs=(self.whole,),
        )
