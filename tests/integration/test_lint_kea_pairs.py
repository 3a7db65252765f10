"""What the lint calls an error is one: the real servers do not start, or the real pair never serves as a pair."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from kea_changes import CHANGES, KEA, Change
from kea_pair import Pair, running

from labbuilder.host.parallel import for_each
from labbuilder.host.wait import wait_until
from labbuilder.lint import Config, Severity, lint_pair
from labbuilder.lint.rules import RULES
from labbuilder.lint.versions import of_suite

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

PAIRS = Path(__file__).parents[1] / "pairs"
ADDRESSES = "192.168.1.2 192.168.1.3"
# Longer than two servers need to be a pair: heartbeats each second, a dead partner after three.
LIMIT_S = 60.0
AT_ONCE = 6
ERRORS = {rule.id for rule in RULES if rule.severity is Severity.ERROR}
# These start, and are no pair: how that shows on one of the two. The others do not start.
NO_PAIR: Mapping[str, set[str]] = {
    "ha-peers-differ": {"partner-down"},
    "ha-urls": {"partner-down"},
    "ha-multi-threading": {"partner-down"},
    "ha-lease-cmds": {"syncing"},
    "ha-never-ready": {"waiting", "syncing"},
}
# Clients are needed to see these, or a second machine: the drills and the measured facts of the rules have them.
WITH_CLIENTS = {"ha-pool-classes", "pool-classes-differ", "subnet-id-differs", "ha-missing", "kea-relay-differs"}
SAME_NAME = '"this-server-name": "server1"'


class Seen(NamedTuple):
    """What became of a changed pair."""

    change: Change
    ended: bool
    states: set[str]
    log: str


def texts(change: Change | None) -> dict[str, str]:
    pair = {path.stem: path.read_text("utf-8") for path in sorted((PAIRS / (change[1] if change else KEA)).iterdir())}
    if change is not None:
        _, _, files, old, new = change
        pair |= {name: pair[name].replace(old, new) for name in files}
    return pair


NO_PORT = "192.168.1.3/"


def starts(change: Change) -> bool:
    return change[0] in NO_PAIR and (change[0] != "ha-urls" or change[4] == NO_PORT)


# A URL for both is none on one machine, and so is a name for both.
ON_ONE = [
    c for c in CHANGES if c[1] == KEA and c[4] != SAME_NAME and not (c[0] == "ha-urls" and c[4].endswith("2:8000"))
]
SHOWN = [change for change in ON_ONE if change[0] in ERRORS - WITH_CLIENTS]
STARTS = [change for change in SHOWN if starts(change)]
DOES_NOT = [change for change in SHOWN if not starts(change)]


def told(change: Change) -> set[str]:
    a, b = (Config(name, text) for name, text in texts(change).items())
    return {
        finding.rule for finding in lint_pair(a, b, engine_version=of_suite("bookworm")) if finding.severity == "error"
    }


def test_a_good_pair_becomes_one(tmp_path: Path) -> None:
    """All that follows is the same pair with one thing changed."""
    with running("bookworm", texts(None), tmp_path, ADDRESSES) as pair:
        wait_until("both are in hot-standby", lambda: _states(pair) == {"hot-standby"}, within_s=LIMIT_S)


def test_servers_with_an_error_do_not_start(tmp_path: Path) -> None:
    """More than thirty kinds; each server alone, without its partner."""

    def start(numbered: tuple[int, Change]) -> Seen:
        number, change = numbered
        name = change[2][-1]
        folder = tmp_path / str(number)
        folder.mkdir()
        with running("bookworm", {name: texts(change)[name]}, folder, ADDRESSES) as pair:
            wait_until(
                f"the server with {change[0]} ends",
                lambda: pair.ended(name) or bool(pair.state(name)),
                within_s=LIMIT_S,
            )
            return Seen(change, pair.ended(name), {pair.state(name)}, pair.log(name))

    assert len(DOES_NOT) > 30
    assert [change for change in DOES_NOT if told(change) != {change[0]}] == []
    seen = for_each(enumerate(DOES_NOT), start, at_once=AT_ONCE)
    assert [one.change for one in seen if not one.ended] == []
    assert all("DHCP4_INIT_FAIL" in one.log for one in seen)


def test_pairs_with_an_error_are_none(tmp_path: Path) -> None:
    """Each is watched until it shows: one counts its partner as dead though it runs, or is stuck."""

    def start(numbered: tuple[int, Change]) -> Seen:
        number, change = numbered
        folder = tmp_path / str(number)
        folder.mkdir()
        with running("bookworm", texts(change), folder, ADDRESSES) as pair:
            wait_until(f"the pair with {change[0]} fails", lambda: _fails(pair, NO_PAIR[change[0]]), within_s=LIMIT_S)
            return Seen(change, pair.ended("primary") or pair.ended("secondary"), _states(pair), pair.log("primary"))

    assert {change[0] for change in STARTS} == set(NO_PAIR)
    assert [change for change in STARTS if told(change) != {change[0]}] == []
    seen = for_each(enumerate(STARTS), start, at_once=AT_ONCE)
    assert [one.change for one in seen if one.ended or one.states == {"hot-standby"}] == []


def _states(pair: Pair) -> set[str]:
    return {pair.state(name) for name in ("primary", "secondary")}


def _fails(pair: Pair, how: set[str]) -> bool:
    """It shows now; a state through which a good pair goes too must last: ten heartbeats in it, by the log's times."""
    states = _states(pair)
    return bool(states & how) and ("partner-down" in states or pair.seconds() > STUCK_S)


STUCK_S = 10.0
