"""Kea's own account of what it runs, as 2.2 and 2.6 gave it, against the files from which they read it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labbuilder.host.run import Result
from labbuilder.lab import Lab
from labbuilder.model.check import Judgement
from labbuilder.verify.checks import checks_for

FACTS = Path(__file__).parents[2] / "facts/dhcp"
CONF = "/etc/kea/kea-dhcp4.conf"
BY_HAND = (FACTS / "kea-by-hand.conf").read_text()


def judged(file: str, told: str) -> Judgement:
    lab = Lab("kea").add_server().failover(engine="kea")
    (found,) = [check for check in checks_for(lab.plan()) if check.id == "kea.running"]
    printed = f"{CONF}\n" + "".join(f" {line}\n" for line in file.splitlines())
    made = found.judge(Result(("sh",), 0, printed), Result(("sh",), 0, told))
    assert isinstance(made, Judgement)
    return made


@pytest.mark.parametrize("mode", ["hot-standby", "load-balancing"])
def test_kea_of_debian_13_runs_what_we_write(mode: str) -> None:
    """It tells a hook's whole path where the file has the bare name."""
    lab = Lab().add_server().add_server().add_client().set(suite="trixie").failover(engine="kea", mode=mode)
    (file,) = [file for file in lab.plan().machine("server1").files if file.path == CONF]
    told = (FACTS / f"kea-2.6-{mode}.json").read_text()
    assert judged(file.text, told).observed == "what the file says"
    elsewhere = told.replace("/kea/hooks/libdhcp_ha.so", "/else/libdhcp_ha.so")
    assert "libdhcp_ha.so, Kea runs /usr" in judged(file.text, elsewhere).observed


@pytest.mark.parametrize("release", ["2.2", "2.6"])
def test_what_a_hand_wrote_in_its_own_way_is_the_same_to_kea(release: str) -> None:
    assert judged(BY_HAND, (FACTS / f"kea-{release}-by-hand.json").read_text()).observed == "what the file says"


@pytest.mark.parametrize("release", ["2.2", "2.6"])
@pytest.mark.parametrize(
    ("one", "other", "seen"),
    [
        ('"by hand"', '"by foot"', "/Dhcp4/comment: "),
        ('"t1-percent": .5', '"t1-percent": .6', "/Dhcp4/t1-percent: "),
        ("192.168.1.100 -", "192.168.1.101 -", "/pools/1/pool: the file says 192.168.1.101 -192.168.1.120, Kea runs"),
        ("AA:BB:CC", "AA:BB:CD", "/reservations/0/hw-address: the file says AA:BB:CD"),
        ('"always-send": true', '"always-send": false', "/option-data/1/always-send: "),
        ('"name": "b"', '"name": "c"', "/client-classes/0/name: "),
        ('"id": 7', '"id": 9', "/subnet4/0/id: the file says 9, Kea runs 7"),
    ],
)
def test_one_other_value_is_told_at_its_place(release: str, one: str, other: str, seen: str) -> None:
    assert BY_HAND.count(one) == 1
    found = judged(BY_HAND.replace(one, other), (FACTS / f"kea-{release}-by-hand.json").read_text())
    assert not found.passed
    assert re.findall(rf".*{re.escape(seen)}.*", found.observed) == [found.observed]  # that one and no other


def test_classes_are_tried_in_their_order() -> None:
    turned = BY_HAND.replace('"name": "b"', '"name": "x"').replace('"name": "a"', '"name": "b"')
    found = judged(turned.replace('"name": "x"', '"name": "a"'), (FACTS / "kea-2.6-by-hand.json").read_text())
    assert "/client-classes/0/name: the file says a, Kea runs b" in found.observed
