"""What several services tell systemctl, and ask it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

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

# Where a unit is put in the place of Debian's, or extended; and what the boot wants, beside what it is told there.
_PLACES = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system")
_WANTED = ("/usr/lib/systemd/system/sysinit.target.wants", "/usr/lib/systemd/system/multi-user.target.wants")
_BOOTED = ("multi-user.target", "graphical.target")
_TARGETS = (*_BOOTED, "default.target", "basic.target", "sysinit.target", "network.target", "sockets.target")
_DEBIANS_TARGET = "graphical.target"
OF_THE_BOOT = (*(target for target in _TARGETS if target != "default.target"), "service")
"""What a step clears, as it does a unit, so that the machine boots to where units are started; and for all services."""
NO_OTHER_TARGET = (
    "it=/etc/systemd/system/default.target; case $(readlink $it) in "
    f"{'|'.join(f'*/{target}' for target in _BOOTED)}) ;; *) rm -rf $it;; esac"
)
"""Shell that lets the machine boot to what Debian's own default is, unless the chosen one is as good."""
_RESTARTS = ("on-failure", "on-abnormal", "always")  # each of them after a signal
_STOPPED = "(stopped by a signal)"


def off(*units: str) -> str:
    """Shell that stops units now and at boot; quick where they are off already."""
    return "; ".join(
        f"! systemctl -q is-active {unit} || systemctl stop {unit}; "
        f"! systemctl -q is-enabled {unit} 2>/dev/null || {_SYSTEMCTL} disable {unit}"
        for unit in units
    )


def enabled(lab: Plan, me: MachinePlan, unit: str) -> Check:
    """Return the check that a unit starts at boot, as its files on the disk say.

    What systemd says of it may be older than they: it reads them again at the next start.
    """

    def judge(result: Result) -> Judgement:
        links = _links(result)
        wrong = _foreign(full_name(unit), links, me)
        if not any(path.endswith(f"/{target}.wants/{full_name(unit)}") for target in _TARGETS for path in links):
            wrong.append("disabled: no target of the boot wants it")
        return Judgement(not wrong, "enabled", "\n".join(wrong) or "enabled")

    title, look = f"{unit} is enabled", f"systemctl is-enabled {unit}; systemctl cat {unit}"
    return Check(f"{unit}.enabled", me.name, title, _ask(lab), judge, look=look)


def boots(lab: Plan, me: MachinePlan) -> Check:
    """Return the check that the machine boots to where its units are started."""

    def judge(result: Result) -> Judgement:
        links = _links(result)
        chosen = [target for path, target in links.items() if path.endswith("/system/default.target")]
        target = PurePosixPath(chosen[0]).name if chosen else _DEBIANS_TARGET
        wrong = [line for name in _TARGETS for line in _foreign(name, links, me)]
        wrong += [] if target in _TARGETS else [target]
        return Judgement(not wrong, " or ".join(_BOOTED), "\n".join(wrong) or target)

    return Check("boot", me.name, "it boots to multi-user.target", _ask(lab), judge, look="systemctl get-default")


def runs_on(lab: Plan, me: MachinePlan) -> Check:
    """Return the check that no process is stopped by a signal; what a user stopped at a terminal is the user's."""

    def judge(result: Result) -> Judgement:
        stopped = re.findall(r"^(\d+) \((.*)\) [Tt] \d+ \d+ \d+ 0 ", result.stdout, re.MULTILINE)
        return Judgement(not stopped, "none", "\n".join(f"{name} ({pid})" for pid, name in stopped) or "none")

    return Check(
        "processes", me.name, "no process is stopped by a signal", _ask(lab), judge, look="ps -eo stat,pid,comm"
    )


def active(lab: Plan, me: MachinePlan, unit: str, *, program: str, rests_on: tuple[str, ...] = ()) -> Check:
    """Return the check that a unit is active and its main process is that program, which is not stopped."""
    title, judge, look = f"{unit} is active", _lives(unit, program), f"systemctl status {unit}"
    rests_on = ("processes", *rests_on)
    return Check(f"{unit}.active", me.name, title, _ask(lab), judge, look=look, rests_on=rests_on)


def comes_back(lab: Plan, me: MachinePlan, unit: str) -> Check:
    """Return the check that systemd starts a daemon again that died."""

    def judge(result: Result) -> Judgement:
        seen = _units(result)[unit]["Restart"]
        return Judgement(seen in _RESTARTS, " or ".join(_RESTARTS), seen)

    title, look = f"systemd starts {unit} again when it dies", f"systemctl show -p Restart {unit}"
    rests_on = (f"{unit}.enabled",)
    return Check(f"{unit}.restart", me.name, title, _ask(lab), judge, look=look, rests_on=rests_on)


def full_name(unit: str) -> str:
    """Return the unit's name with its kind; without one it is a service."""
    return unit if PurePosixPath(unit).suffix else f"{unit}.service"


def _lives(unit: str, program: str) -> Judge:
    def judge(result: Result) -> Judgement:
        seen = _units(result)[unit]
        stat = re.search(rf"^{seen['MainPID']} \((.*)\) (\S)", result.stdout, re.MULTILINE)
        running = [stat[1], *([_STOPPED] if stat[2] in "Tt" else [])] if stat else []
        return Judgement(
            (seen["ActiveState"], running) == ("active", [program]),
            f"active {program}",
            " ".join([seen["ActiveState"], *running]),
        )

    return judge


def _ask(lab: Plan) -> str:
    """Shell that tells all units of the lab's services, what lies on disk of units, and the processes: asked once.

    Each question to systemctl costs a sixtieth of a second of CPU time.
    """
    units = " ".join(lab.image.units_off)
    return (
        f"systemctl show -p Id,ActiveState,MainPID,Restart {units}; echo; "
        f"find {' '.join((*_PLACES, *_WANTED))} ! -type d -printf '%p -> %l\\n' 2>/dev/null; cat /proc/[0-9]*/stat"
    )


def _units(result: Result) -> Mapping[str, Mapping[str, str]]:
    """What `systemctl show` told, by the unit's name and the property's."""
    blocks = [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in result.stdout.split("\n\n")
    ]
    return {block["Id"].removesuffix(".service"): block for block in blocks if "Id" in block}


def _links(result: Result) -> dict[str, str]:
    """What lies on disk of units, where it overrides or extends what Debian has: of links, where they lead to."""
    return dict(re.findall(r"^(/\S+) -> (.*)$", result.stdout, re.MULTILINE))


def _foreign(unit: str, links: Mapping[str, str], me: MachinePlan) -> list[str]:
    """What takes a unit's place, or adds to it, and is not of the plan."""
    kind, planned = PurePosixPath(unit).suffix[1:], {file.path for file in me.files}
    extended = tuple(f"{place}/{name}.d/" for place in _PLACES for name in (unit, kind))
    said = []
    for path, target in links.items():
        if path in {f"{place}/{unit}" for place in _PLACES} and path not in planned and unit != "default.target":
            said.append(f"masked by {path}" if target == "/dev/null" else f"{path} is not of the plan")
        elif path.startswith(extended) and path.endswith(".conf") and path not in planned:
            said.append(f"{path} is not of the plan")
    return said
