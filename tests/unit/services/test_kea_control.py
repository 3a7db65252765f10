"""What Kea answered in a real lab, read. The files were captured from a Kea 2.2 in that state."""

from __future__ import annotations

import os
import subprocess
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from labbuilder.services.dhcp.kea_control import Status, answers, both_are, state_matches, status

FACTS = Path(__file__).parents[2] / "facts/dhcp"
STATES = {
    "load-balancing": Status("load-balancing", "load-balancing", "load-balancing", "primary", ("server1",)),
    "after-restart": Status("waiting", "", "load-balancing", "primary", ()),
    "alone": Status("partner-down", "unavailable", "load-balancing", "secondary", ("server1", "server2")),
}


def captured(name: str) -> str:
    return (FACTS / f"kea-status-{name}.json").read_text()


@pytest.mark.parametrize(("name", "wanted"), STATES.items(), ids=STATES)
def test_the_pair_is_read_from_status_get(name: str, wanted: Status) -> None:
    (answer,) = answers(captured(name))
    assert status(answer) == wanted


def test_answers_that_follow_each_other_are_read_one_by_one() -> None:
    both = answers(captured("alone") + "\n " + captured("load-balancing") + "\n")
    assert [status(answer).state for answer in both] == ["partner-down", "load-balancing"]


def test_a_kea_without_a_partner_has_no_status_of_a_pair() -> None:
    (answer,) = answers(captured("single"))
    with pytest.raises(ValueError, match="no status of a pair"):
        status(answer)


@pytest.mark.parametrize("printed", [(FACTS / "kea-no-kea.txt").read_text(), "[]", "{", "nonsense"])
def test_what_is_no_answer_is_told(printed: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        answers(printed)


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """Where nc is what says that of this Kea and of its partner."""
    nc = tmp_path / "nc"
    answer = f'case "$*" in *" -U "*) cat {tmp_path}/mine ;; *) cat {tmp_path}/theirs ;; esac'
    nc.write_text(f"#!/bin/sh\ncat >/dev/null\n{answer}\n")
    nc.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def holds(predicate: str, shell: dict[str, str]) -> bool:
    return subprocess.run(["sh", "-c", predicate], env=shell, check=False, stderr=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize(
    ("mine", "theirs", "right"),
    [
        ("load-balancing", "load-balancing", True),
        ("load-balancing", "alone", False),
        ("after-restart", "load-balancing", False),
        ("load-balancing", "single", False),
    ],
)
def test_the_machine_itself_waits_for_both_peers(
    *, mine: str, theirs: str, right: bool, shell: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text(captured(mine))
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    (tmp_path / "theirs").write_text(f"{head}[ {captured(theirs)} ]")
    assert holds(both_are("load-balancing", IPv4Address("192.168.1.2"), 8000), shell) is right


def test_a_partner_that_has_not_met_this_kea_since_it_started_does_not_count(
    shell: dict[str, str], tmp_path: Path
) -> None:
    """Its heartbeat may be older than this Kea: it will trip over the dead connection."""
    (tmp_path / "mine").write_text(captured("load-balancing").replace('"uptime": 5', '"uptime": 0'))
    (tmp_path / "theirs").write_text(captured("load-balancing"))
    assert not holds(both_are("load-balancing", IPv4Address("192.168.1.2"), 8000), shell)


def test_a_state_is_matched_by_its_beginning(shell: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine").write_text(captured("alone"))
    assert holds(state_matches("partner-d"), shell)
    assert not holds(state_matches("partner-in-m"), shell)
