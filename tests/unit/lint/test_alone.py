"""One server by itself: the rules that need no partner, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from labbuilder.lint import Config, lint_server

PAIRS = Path(__file__).parents[2] / "pairs"
FILES = sorted(path for folder in PAIRS.iterdir() if folder.name != "kea-hub" for path in folder.iterdir())
ISC, KEA = PAIRS / "isc/primary.conf", PAIRS / "kea-hot-standby/primary.json"


@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_good_server_has_no_finding(file: Path) -> None:
    assert lint_server(file, clients=50) == ()


def test_a_server_that_is_none_of_a_pair_has_no_finding() -> None:
    text = "subnet 192.168.1.0 netmask 255.255.255.0 { range 192.168.1.100 192.168.1.200; }"
    assert lint_server(Config("x", text)) == ()


@pytest.mark.parametrize(
    ("file", "old", "new", "rule"),
    [
        (ISC, "  mclt 60;\n", "", "mclt-missing"),
        (ISC, "  primary;\n", "", "role-missing"),
        (ISC, "routers 192.168.1.1;", "routers 192.168.1.100;", "router-in-pool"),
        (ISC, "omapi-key omapi_key;", "", "omapi-without-key"),
        (KEA, '"max-response-delay": 3000', '"max-response-delay": 70000', "ha-parameters"),
        (KEA, '"this-server-name": "server1"', '"this-server-name": "server3"', "ha-server-name"),
    ],
)
def test_what_needs_no_partner_is_found_once(file: Path, old: str, new: str, rule: str) -> None:
    text = file.read_text()
    assert old in text
    found = [finding for finding in lint_server(Config("x", text.replace(old, new))) if finding.severity != "note"]
    assert [finding.rule for finding in found] == [rule]
    assert found[0].other != found[0].where
