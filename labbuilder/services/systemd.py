"""What several services tell systemctl, and ask it."""

from __future__ import annotations

from labbuilder.model.check import Check
from labbuilder.model.lab import MachinePlan
from labbuilder.services.judges import says

# Debian's init scripts of the same names would be switched on too, by Perl, which takes a tenth of a second for each.
_SYSTEMCTL = "SYSTEMCTL_SKIP_SYSV=1 systemctl -q"
ENABLE = f"{_SYSTEMCTL} enable --no-reload"
ENABLE_NOW = f"{_SYSTEMCTL} enable --now"
DISABLE_NOW = f"{_SYSTEMCTL} disable --now"
RELOAD = '[ "$(systemctl show -P NeedDaemonReload {})" = no ] || systemctl daemon-reload'

# Who tries things restarts a daemon more often than systemd's start limit takes (five times in ten seconds).
RESTART = "{{ systemctl reset-failed {0} 2>/dev/null || true; }}; systemctl restart {0}"


def off(*units: str) -> str:
    """Shell that stops units now and at boot; quick where they are off already."""
    return "; ".join(
        f"! systemctl -q is-active {unit} || systemctl stop {unit}; "
        f"! systemctl -q is-enabled {unit} 2>/dev/null || {_SYSTEMCTL} disable {unit}"
        for unit in units
    )


def enabled(me: MachinePlan, unit: str) -> Check:
    """Return the check that a unit starts at boot."""
    return Check(f"{unit}.enabled", me.name, f"{unit} is enabled", f"systemctl is-enabled {unit}", says("enabled"))


def active(me: MachinePlan, unit: str, *, program: str) -> Check:
    """Return the check that a unit is active and its main process is that program."""
    living = f"eval $(systemctl show -p ActiveState,MainPID {unit}); echo $ActiveState; cat /proc/$MainPID/comm"
    return Check(f"{unit}.active", me.name, f"{unit} is active", living, says(f"active {program}"))
