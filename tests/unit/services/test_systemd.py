"""What `systemctl show` tells of all units, judged for one."""

from __future__ import annotations

import pytest

from labbuilder.host.run import Result
from labbuilder.lab import Lab
from labbuilder.model.check import Check
from labbuilder.services.systemd import active, enabled

ASKED = Lab("t").add_server().plan()
SAID = """\
Id=named.service
MainPID=71
ActiveState=active
UnitFileState=enabled

Id=networking.service
MainPID=0
ActiveState=inactive
UnitFileState=masked

Id=kea-dhcp4-server.service
MainPID=0
ActiveState=inactive
UnitFileState=

/proc/1/comm:systemd
/proc/71/comm:named
/proc/7/comm:Id=x
"""


def judged(check: Check, said: str = SAID) -> tuple[bool, str]:
    judgement = check.judge(Result((), 0, said))
    return judgement.passed, judgement.observed


@pytest.mark.parametrize(
    ("unit", "state"), [("named", "enabled"), ("networking", "masked"), ("kea-dhcp4-server", "no unit file")]
)
def test_a_unit_starts_at_boot_when_systemd_says_enabled(unit: str, state: str) -> None:
    assert judged(enabled(ASKED, ASKED.machines[0], unit)) == (state == "enabled", state)


@pytest.mark.parametrize(
    ("said", "observed"),
    [
        (SAID, "active named"),
        (SAID.replace("71/comm:named", "71/comm:sleep"), "active sleep"),
        (SAID.replace("ActiveState=active", "ActiveState=failed").replace("MainPID=71", "MainPID=0"), "failed"),
    ],
)
def test_a_unit_is_active_when_its_main_process_is_the_program(said: str, observed: str) -> None:
    check = active(ASKED, ASKED.machines[0], "named", program="named")
    assert judged(check, said) == (observed == "active named", observed)


def test_all_units_of_a_machine_are_asked_by_one_question() -> None:
    server = ASKED.machines[0]
    asked = {enabled(ASKED, server, unit).command for unit in ("named", "networking", "netfilter-persistent")}
    assert asked == {active(ASKED, server, "named", program="named").command}
