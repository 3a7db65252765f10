"""The Vagrantfile as it was read and found right. LABBUILDER_UPDATE=1 writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labbuilder.errors import HostError
from labbuilder.host.render import ruby
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.lifecycle.handout import up_order
from labbuilder.plan import Plan
from labbuilder.providers.vagrant.vagrantfile import Box, vagrantfile

GOLDEN = Path(__file__).parents[2] / "golden/vagrant"
OWN = Box("labbuilder/bookworm-0123456789ab", file="lab.box", sha256="ab" * 32)
USERS = Box("debian/bookworm64", own=False, version="12.20240905.1")


def plan(**sections: object) -> Plan:
    return Lab().add_server().add_server().add_client().set(provider="vagrant", **sections).plan()  # type: ignore[arg-type]


CASES = {
    "managed": lambda: vagrantfile(plan(), OWN, mark="5eed1e55", bridge="eth0"),
    "standalone": lambda: vagrantfile(plan(), OWN, mark="5eed1e55", bridge="auto", standalone=True),
    "users-box": lambda: vagrantfile(
        plan(
            virtualbox={
                "memory_mib": 320,
                "clones": "linked",
                "modifyvm": ["--hpet", "on"],
                "extradata": {"a#{1}": "b"},
            }
        ),
        USERS,
        mark="5eed1e55",
        bridge=None,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_vagrantfile_is_the_golden_one(name: str) -> None:
    text, golden = CASES[name](), GOLDEN / f"{name}.rb"
    if os.environ.get("LABBUILDER_UPDATE"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_a_string_of_ours_is_never_code_of_rubys() -> None:
    assert ruby('a"b#{`x`}\n\\') == '"a\\"b\\#{`x`}\\n\\\\"'


@pytest.mark.parametrize(
    ("engine", "mode", "expected"),
    [
        ("isc", "load-balancing", ["server1", "server2", "client1"]),
        ("isc", "hot-standby", ["server1", "server2", "client1"]),
        ("isc", "round-robin", ["server1", "server2", "client1"]),
        ("isc", "manual", ["server2", "server1", "client1"]),  # the first serves only while the second waits
        ("kea", "load-balancing", ["server1", "server2", "client1"]),
        ("kea", "hot-standby", ["server1", "server2", "client1"]),
        ("kea", "manual", ["server1", "server2", "client1"]),
    ],
)
def test_machines_come_up_in_an_order_in_which_none_waits_for_a_later_one(
    engine: str, mode: str, expected: list[str]
) -> None:
    lab = Lab().add_server().add_server().add_client().failover(engine=engine, mode=mode)
    assert [machine.name for machine in up_order(lab.plan().machines)] == expected


def test_a_folder_whose_box_nobody_can_pack_is_refused_before_a_disk_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="VBoxManage is not installed") as caught:
        Lab("class", home=Home(tmp_path / "home")).add_server().hand_out(tmp_path / "lab")
    assert "vagrant: {box: debian/bookworm64}" in str(caught.value)
    assert list(tmp_path.iterdir()) == []
