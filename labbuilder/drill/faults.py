"""The faults: each breaks one thing of the primary on purpose, and mends it. Every method may be called again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labbuilder.errors import SpecError
from labbuilder.failover.operator import unit
from labbuilder.lifecycle.session import Session
from labbuilder.plan.dhcp_isc import LEASES
from labbuilder.plan.services import FAILOVER_PORTS
from labbuilder.providers.base import MachineState
from labbuilder.spec.models import LabSpec

Act = Callable[[Session], None]
_LEASES = {"isc": str(LEASES.parent), "kea": "/var/lib/kea"}


def _nothing(session: Session) -> None:
    del session


@dataclass(frozen=True)
class Fault:
    """One way to break a lab.

    Attributes:
        title: What it does, in words.
        break_it: Does it, at once.
        mend: Undoes it, wholly, also when it was never done.
        prepare: Done before the baseline, where the fault needs it.
        silent: No RST tells the partner: it finds out by silence.
        dark: The primary can't be asked for its state meanwhile: the question would hang.
        takes_over: The primary stops serving, so in manual mode the operator is needed.
        crowd: So many addresses of the pool are left free by clients that come with the fault; None: no crowd.
        mended_early: The repair is part of what is measured: it comes a few seconds after the fault.
        after_takeover: The primary is down from the start, and its return is what is measured.
        load: perfdhcp asks beside the clients, from the baseline on.
        needs_link: It is about the connection between the servers, so there must be one.
    """

    title: str
    break_it: Act
    mend: Act
    prepare: Act = _nothing
    silent: bool = False
    dark: bool = False
    takes_over: bool = True
    crowd: int | None = None
    mended_early: bool = False
    after_takeover: bool = False
    load: bool = False
    needs_link: bool = False


def _primary(session: Session) -> str:
    return session.plan.servers[0].name


def _crash(session: Session, index: int = 0) -> None:
    """SIGKILL; systemd, which would start it again after a second, is told not to."""
    name = unit(session)
    session.sure(session.plan.servers[index].name, f"systemctl kill -s KILL {name} || true; systemctl stop {name}")


def _stop(session: Session) -> None:
    session.sure(_primary(session), f"systemctl stop {unit(session)}")


def _start(session: Session, index: int = 0) -> None:
    """Start the daemon, unless it is meant to be off."""
    name = unit(session)
    start = f"! systemctl -q is-enabled {name} || systemctl start {name}"
    session.sure(session.plan.servers[index].name, f"systemctl reset-failed {name} 2>/dev/null || true; {start}")


def _crash_both(session: Session) -> None:
    for index in range(2):
        _crash(session, index)


def _start_both(session: Session) -> None:
    for index in range(2):
        _start(session, index)


def _cut_power(session: Session) -> None:
    session.drop(_primary(session))
    session.provider.kill(_primary(session))


def _power_on(session: Session) -> None:
    states = {machine.name: machine.state for machine in session.provider.status()}
    if states[_primary(session)] is MachineState.STOPPED:
        session.drop(_primary(session))
        session.provider.start(_primary(session))
    session.provider.wait_ready(_primary(session))


def _pause(session: Session) -> None:
    session.provider.pause(_primary(session))


def _resume(session: Session) -> None:
    session.provider.resume(_primary(session))


def _cut_link(session: Session) -> None:
    session.provider.set_link(_primary(session), "internal", up=False)


def _plug_link(session: Session) -> None:
    session.provider.set_link(_primary(session), "internal", up=True)


def _rules(session: Session) -> tuple[str, ...]:
    port = FAILOVER_PORTS[session.spec.dhcp.failover.engine]
    return tuple(
        f"{chain} -p tcp --{end} {port} -m comment --comment lab-drill -j DROP"
        for chain in ("INPUT", "OUTPUT")
        for end in ("sport", "dport")
    )


def _part_servers(session: Session) -> None:
    session.sure(_primary(session), "\n".join(f"iptables -I {rule}" for rule in _rules(session)))


def _join_servers(session: Session) -> None:
    script = "\n".join(f"while iptables -D {rule} 2>/dev/null; do :; done" for rule in _rules(session))
    session.sure(_primary(session), script)


def _small_disk(session: Session) -> None:
    """The leases onto a file system of their own, so that it alone is filled."""
    folder, name = _LEASES[session.spec.dhcp.failover.engine], unit(session)
    session.sure(
        _primary(session),
        f"systemctl stop {name}; mkdir -p /run/lab-leases; cp -a {folder}/. /run/lab-leases/\n"
        f"size=$(($(du -sk {folder} | cut -f1) + 512))\n"
        f"mount -t tmpfs -o size=${{size}}k,mode=755 lab-drill {folder}; chown --reference=/run/lab-leases {folder}\n"
        f"cp -a /run/lab-leases/. {folder}/; rm -r /run/lab-leases; systemctl start {name}",
    )


def _fill_disk(session: Session) -> None:
    folder = _LEASES[session.spec.dhcp.failover.engine]
    full = f'[ "$(df --output=avail {folder} | tail -n 1)" -eq 0 ]'
    session.sure(_primary(session), f"dd if=/dev/zero of={folder}/lab-drill bs=1k 2>/dev/null || true\n{full}")


def _free_disk(session: Session) -> None:
    folder, name = _LEASES[session.spec.dhcp.failover.engine], unit(session)
    session.sure(
        _primary(session),
        f"findmnt -n -t tmpfs {folder} >/dev/null || exit 0\n"
        f"systemctl stop {name}; rm -f {folder}/lab-drill; mkdir -p /run/lab-leases\n"
        f"cp -a {folder}/. /run/lab-leases/; umount -l {folder}\n"  # a copy to the cold standby may be under way
        f"cp -a /run/lab-leases/. {folder}/; rm -r /run/lab-leases; systemctl start {name}",
    )


FAULTS = {
    "crash-primary": Fault("the primary's DHCP daemon is killed (SIGKILL)", _crash, _start),
    "stop-primary": Fault("the primary's DHCP service is stopped in order", _stop, _start),
    "power-cut": Fault("the primary's power is cut", _cut_power, _power_on, silent=True, dark=True),
    "pause-primary": Fault("the primary is frozen", _pause, _resume, silent=True, dark=True),
    "cut-link": Fault("the primary's cable to the internal network is unplugged", _cut_link, _plug_link, silent=True),
    "split-brain": Fault(
        "only the failover connection is blocked: both live and can't talk",
        _part_servers,
        _join_servers,
        silent=True,
        takes_over=False,
        needs_link=True,
    ),
    "both-down": Fault(
        "both DHCP daemons are killed, then started again",
        _crash_both,
        _start_both,
        takes_over=False,
        mended_early=True,
    ),
    "failback": Fault(
        "the primary comes back after a takeover", _start, _start, prepare=_crash, takes_over=False, after_takeover=True
    ),
    "disk-full": Fault(
        "the file system of the primary's leases is full", _fill_disk, _free_disk, prepare=_small_disk, takes_over=False
    ),
    "crash-under-load": Fault("the primary's DHCP daemon is killed under load (perfdhcp)", _crash, _start, load=True),
    "pool-exhausted": Fault("a crowd takes all addresses but a few", _nothing, _nothing, takes_over=False, crowd=4),
}


def known(names: Sequence[str]) -> tuple[str, ...]:
    """These drills; of no names, all.

    Raises:
        SpecError: There is none of that name.
    """
    for name in names:
        if name not in FAULTS:
            raise SpecError(brief=f"there is no drill {name!r}", resolution=f"use one of: {', '.join(FAULTS)}")
    return tuple(names) or tuple(FAULTS)


def fits(spec: LabSpec, name: str) -> bool:
    """The lab's mode has what the drill breaks."""
    return not (FAULTS[name].needs_link and spec.dhcp.failover.cold_standby)


def fault_of(session: Session, name: str) -> Fault:
    """The fault of this name, for this lab.

    Raises:
        SpecError: There is none of that name, or the lab has no pair, no client or no connection that it breaks.
    """
    known([name])
    pair_and_client(session)
    if not fits(session.spec, name):
        raise SpecError(
            brief=f"there is no drill {name} in manual mode on ISC: its servers have no failover connection",
            resolution="labbuilder drill cut-link takes the primary's cable; docs/failover.md tells what the mode is",
        )
    return FAULTS[name]


def pair_and_client(session: Session) -> None:
    """Nothing, where there are two servers and a client.

    Raises:
        SpecError: There are not.
    """
    if len(session.plan.servers) == 1 or not session.plan.clients:
        raise SpecError(
            brief="a drill needs two servers and a client",
            details=f"The lab {session.lab.name} has {len(session.plan.servers)} and {len(session.plan.clients)}.",
            resolution="labbuilder up --servers 2 --clients 1 --reconfigure",
        )
