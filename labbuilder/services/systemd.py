"""What several services tell systemctl, and ask it."""

from __future__ import annotations

from collections.abc import Mapping

from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan, Plan

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


def enabled(lab: Plan, me: MachinePlan, unit: str) -> Check:
    """Return the check that a unit starts at boot."""

    def judge(result: Result) -> Judgement:
        state = _units(result)[unit]["UnitFileState"] or "no unit file"
        return Judgement(state == "enabled", "enabled", state)

    return Check(f"{unit}.enabled", me.name, f"{unit} is enabled", _ask(lab), judge)


def active(lab: Plan, me: MachinePlan, unit: str, *, program: str) -> Check:
    """Return the check that a unit is active and its main process is that program."""
    return Check(f"{unit}.active", me.name, f"{unit} is active", _ask(lab), _lives(unit, program))


def _lives(unit: str, program: str) -> Judge:
    def judge(result: Result) -> Judgement:
        seen = _units(result)[unit]
        comm = f"/proc/{seen['MainPID']}/comm:"
        running = [line.removeprefix(comm) for line in result.stdout.splitlines() if line.startswith(comm)]
        return Judgement(
            (seen["ActiveState"], running) == ("active", [program]),
            f"active {program}",
            " ".join([seen["ActiveState"], *running]),
        )

    return judge


def _ask(lab: Plan) -> str:
    """Shell that tells all units of the lab's services, and the programs that run: asked once for all checks.

    Each question to systemctl costs a sixtieth of a second of CPU time.
    """
    units = " ".join(lab.image.units_off)
    return f"systemctl show -p Id,ActiveState,MainPID,UnitFileState {units}; echo; grep -s . /proc/[0-9]*/comm"


def _units(result: Result) -> Mapping[str, Mapping[str, str]]:
    """What `systemctl show` told, by the unit's name and the property's."""
    blocks = [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in result.stdout.split("\n\n")
    ]
    return {block["Id"].removesuffix(".service"): block for block in blocks if "Id" in block}
