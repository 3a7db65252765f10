"""The faults of a failover pair, as data: each breaks one thing of it on purpose."""

from __future__ import annotations

from dataclasses import dataclass, replace

from labbuilder.model.fault import (
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
from labbuilder.model.lab import Plan
from labbuilder.services.dhcp.base import Engine
from labbuilder.spec.failover import Failover

LOAD = Load(exchanges=2000, per_second=100)
_LEFT = 4  # addresses, by the crowd
_AFTER_S = 2.0
_MANUAL_S = 4.0  # so long nobody is served before the operator acts
_MARGIN_S = 5.0  # of measuring, beyond the moment at which the engine should have found out


def faults_of_the_pair(lab: Plan, engine: Engine) -> tuple[Fault, ...]:
    """Return every way to break the pair, the plainest first; a lab without one does not meet what they need."""
    primary, *others = (server.name for server in lab.servers)
    second = (others or [primary])[0]
    return _Pair(primary, second, lab.served.name, engine, lab.dhcp.failover, pair_and_client(lab)).faults()


def pair_and_client(lab: Plan) -> Need:
    """Return the need of two servers and a client."""
    return Need(
        met=lab.pair is not None and bool(lab.clients),
        brief="a drill needs two servers and a client",
        details=f"The lab {lab.lab} has {len(lab.servers)} and {len(lab.clients)}.",
        resolution="labbuilder up --servers 2 --clients 1 --reconfigure",
    )


@dataclass(frozen=True)
class _Pair:
    """What the faults hit, and how its engine is spoken to."""

    primary: str
    second: str
    network: str
    engine: Engine
    failover: Failover
    whole: Need

    @property
    def _manual(self) -> bool:
        return self.failover.mode == "manual"

    def _window_s(self, *, silent: bool) -> float:
        """How long a fault is measured: longer than the engine takes to find out, after a RST or after silence."""
        return self.engine.finds_out_within_s(self.failover, silent=silent) + _MARGIN_S

    def _crash(self, machine: str) -> Shell:
        """SIGKILL; systemd, which would start it again after a second, is told not to."""
        unit = self.engine.unit
        return Shell(machine, f"systemctl kill -s KILL {unit} || true; systemctl stop {unit}", self._start)

    @property
    def _start(self) -> str:
        """The daemon, unless it is meant to be off."""
        unit = self.engine.unit
        start = f"! systemctl -q is-enabled {unit} || systemctl start {unit}"
        return f"systemctl reset-failed {unit} 2>/dev/null || true\n{start}"

    def _before(self, *steps: Step) -> tuple[Step, ...]:
        """In manual mode the operator gives back when all else is mended: what is said first is undone last."""
        return ((GiveBack(),) if self._manual else ()) + steps

    def _noticed(self, *, silent: bool = False, force: bool = False) -> tuple[Step, ...]:
        """What follows when the primary serves no more: the engine finds out, or the operator acts."""
        if self._manual:
            return Measure(_MANUAL_S), Takeover(self.second, force), Measure(_MANUAL_S)
        return (Measure(self._window_s(silent=silent)),)

    def _served_on(self, *, silent: bool = False) -> tuple[Step, ...]:
        """What follows when the primary goes on serving."""
        return (Measure(self._window_s(silent=silent)),)

    def faults(self) -> tuple[Fault, ...]:
        """All of them, the plainest first."""
        unit = self.engine.unit
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
            self._of_the_primary("cut-link", unplugged, Unplug(self.primary, self.network), unheard),
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
        port = self.engine.port
        rules = [
            f"{chain} -p tcp --{end} {port} -m comment --comment lab-drill -j DROP"
            for chain in ("INPUT", "OUTPUT")
            for end in ("sport", "dport")
        ]
        part = "\n".join(f"iptables -I {rule}" for rule in rules)
        join = "\n".join(f"while iptables -D {rule} 2>/dev/null; do :; done" for rule in rules)
        connected = Need(
            met=not self.engine.cold,
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
        folder, unit, aside = self.engine.leases.parent, self.engine.unit, "/run/lab-leases"
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
