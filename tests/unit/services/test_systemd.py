"""What `systemctl show` tells of all units, judged for one."""

from __future__ import annotations

import pytest

from labbuilder.host.run import Result
from labbuilder.lab import Lab
from labbuilder.model.check import Check
from labbuilder.services.systemd import active, boots, comes_back, enabled

ASKED = Lab("t").add_server().plan()
SAID = """\
Id=named.service
MainPID=71
ActiveState=active
Restart=on-failure

Id=networking.service
MainPID=0
ActiveState=inactive
Restart=no

/etc/systemd/system/multi-user.target.wants/named.service -> /lib/systemd/system/named.service
/etc/systemd/system/multi-user.target.wants/networking.service -> /lib/systemd/system/networking.service
/etc/systemd/system/bind9.service -> /lib/systemd/system/named.service
/etc/systemd/system/network-online.target.wants/netfilter-persistent.service -> /dev/null
1 (systemd) S 0 1 1
71 (named) S 1 71 71
7 (Id=x) R 1 7 7
"""
ETC = "/etc/systemd/system"
DROP_IN = f"{ETC}/named.service.d/x.conf -> \n"


def judged(check: Check, said: str = SAID) -> tuple[bool, str]:
    judgement = check.judge(Result((), 0, said))
    return judgement.passed, judgement.observed


@pytest.mark.parametrize(
    ("unit", "more", "seen"),
    [
        ("named", "", "enabled"),
        ("networking", "", "enabled"),
        ("netfilter-persistent", "", "disabled: no target of the boot wants it"),
        ("networking", f"{ETC}/networking.service -> /dev/null\n", f"masked by {ETC}/networking.service"),
        ("named", DROP_IN, f"{ETC}/named.service.d/x.conf is not of the plan"),
        ("networking", DROP_IN, "enabled"),
        ("named", f"{ETC}/service.d/all.conf -> \n", f"{ETC}/service.d/all.conf is not of the plan"),
        ("named", "/run/systemd/system/named.service -> \n", "/run/systemd/system/named.service is not of the plan"),
        ("named", f"{ETC}/named.service.d/kept.conf~ -> \n", "enabled"),
    ],
)
def test_a_unit_starts_at_boot_when_a_target_wants_it_and_nothing_foreign_lies_over_it(
    unit: str, more: str, seen: str
) -> None:
    assert judged(enabled(ASKED, ASKED.machines[0], unit), SAID + more) == (seen == "enabled", seen)


@pytest.mark.parametrize(
    ("more", "seen"),
    [
        ("", "graphical.target"),
        (f"{ETC}/default.target -> /lib/systemd/system/multi-user.target\n", "multi-user.target"),
        (f"{ETC}/default.target -> /lib/systemd/system/rescue.target\n", "rescue.target"),
        (f"{ETC}/multi-user.target -> /dev/null\n", f"masked by {ETC}/multi-user.target"),
    ],
)
def test_a_machine_boots_to_the_target_that_starts_its_units(more: str, seen: str) -> None:
    right = seen in {"graphical.target", "multi-user.target"}
    assert judged(boots(ASKED, ASKED.machines[0]), SAID + more) == (right, seen)


@pytest.mark.parametrize("unit", ["named", "networking"])
def test_a_daemon_that_died_is_started_again_when_its_unit_says_so(unit: str) -> None:
    assert judged(comes_back(ASKED, ASKED.machines[0], unit))[0] is (unit == "named")


@pytest.mark.parametrize(
    ("said", "observed"),
    [
        (SAID, "active named"),
        (SAID.replace("71 (named)", "71 (sleep)"), "active sleep"),
        (SAID.replace("71 (named) S", "71 (named) T"), "active named (stopped by a signal)"),
        (SAID.replace("ActiveState=active", "ActiveState=failed").replace("MainPID=71", "MainPID=0"), "failed"),
    ],
)
def test_a_unit_is_active_when_its_main_process_is_the_program_and_runs(said: str, observed: str) -> None:
    check = active(ASKED, ASKED.machines[0], "named", program="named")
    assert judged(check, said) == (observed == "active named", observed)


def test_all_units_of_a_machine_are_asked_by_one_question() -> None:
    server = ASKED.machines[0]
    asked = {enabled(ASKED, server, unit).command for unit in ("named", "networking", "netfilter-persistent")}
    assert asked == {active(ASKED, server, "named", program="named").command}
