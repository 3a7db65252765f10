"""What omshell printed in a real lab, read. The files were captured beside a dhcpd 4.4.3 in that state."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from labbuilder.services.dhcp import omapi

FACTS = Path(__file__).parents[2] / "facts/dhcp"
STATES = {
    "normal": ("normal", "normal"),
    "startup": ("startup", "normal"),  # the partner's is what was remembered: alone it proves nothing
    "interrupted": ("communications-interrupted", "normal"),
    "partner-down": ("partner-down", "normal"),
    "recover": ("recover", "partner-down"),
    "no-dhcpd": ("", ""),
}


@pytest.mark.parametrize(("captured", "states"), STATES.items(), ids=STATES)
def test_the_states_are_read_from_what_omshell_prints(captured: str, states: tuple[str, str]) -> None:
    found = omapi.parse((FACTS / f"omshell-{captured}.txt").read_text())
    assert (found.local, found.partner) == states


def test_all_attributes_are_read_as_they_are_printed() -> None:
    found = omapi.parse((FACTS / "omshell-normal.txt").read_text()).attributes
    assert found["mclt"] == "00:00:00:3c"
    assert found["load-balance-hba"].startswith("ff:ff:")
    assert found["max-response-delay"] == "00:00:00:05"


@pytest.mark.parametrize("printed", ["", "local-state = 2\n", "local-state = \n", "nonsense"])
def test_what_is_no_state_is_none(printed: str) -> None:
    assert omapi.parse(printed).local == ""


def test_a_state_without_a_name_is_told_by_its_number() -> None:
    assert omapi.parse("local-state = 00:00:00:63\npartner-state = 0:0:0:fe\n").local == "state 99"
    assert omapi.parse("local-state = 00:00:00:63\npartner-state = 0:0:0:fe\n").partner == "recover-wait"


@pytest.mark.parametrize(("captured", "states"), STATES.items(), ids=STATES)
def test_the_machine_itself_waits_for_both_peers(captured: str, states: tuple[str, str], tmp_path: Path) -> None:
    """What provisioning awaits in the machine agrees with what is read here."""
    omshell = tmp_path / "omshell"
    omshell.write_text(f"#!/bin/sh\ncat >/dev/null; cat {FACTS}/omshell-{captured}.txt\n")
    omshell.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(["sh", "-c", omapi.BOTH_NORMAL], env={"PATH": path}, check=False, stderr=subprocess.DEVNULL)
    assert (done.returncode == 0) is (states == ("normal", "normal"))
