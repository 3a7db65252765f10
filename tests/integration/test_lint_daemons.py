"""What the lint calls good, dhcpd takes as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from labbuilder.lab import Lab

pytestmark = pytest.mark.needs_root

FILES = sorted((Path(__file__).parents[1] / "pairs").glob("isc*/*.conf"))


def taken(lab: Lab, text: str) -> tuple[bool, str]:
    lab.run("server1", "mkdir -p /run/golden")
    lab.session().shell("server1").put(text.encode(), "/run/golden/dhcpd.conf")
    said = lab.run("server1", "dhcpd -4 -t -cf /run/golden/dhcpd.conf")
    return said.ok, said.stdout + said.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_dhcpd_takes_a_good_pair(lab: Lab, file: Path) -> None:
    ok, said = taken(lab, file.read_text())
    assert ok, said
    assert " line " not in said


@pytest.mark.parametrize("broken", ["a;;", "subnet 10.0.0.0 netmask 255.0.0.0 { };", 'option domain-name "x', "}"])
def test_what_the_parser_refuses_dhcpd_refuses_too(lab: Lab, broken: str) -> None:
    assert not taken(lab, FILES[0].read_text() + broken)[0]
