"""Which releases of Kea may be meant, and what depends on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from labbuilder.errors import LintError
from labbuilder.lint import Config, lint_pair
from labbuilder.lint.versions import RELEASES, named, of_suite, releases

PAIR = Path(__file__).parents[2] / "pairs/kea-hot-standby"
_THREADS = '"multi-threading": {"enable-multi-threading": true, "thread-pool-size": 2, "packet-queue-size": 16},'


@pytest.mark.parametrize(
    ("said", "meant"),
    [("kea-2.2", (2, 2)), ("kea-2.6.3", (2, 6)), ("2.5.8", (2, 4)), ("kea-3.1", (3, 0)), ("9.9", (3, 2))],
)
def test_a_release_between_two_is_taken_for_the_one_before(said: str, meant: tuple[int, int]) -> None:
    assert releases(said) == (meant,)


@pytest.mark.parametrize("said", ["kea-1.8", "isc-4.4", "", "kea", "kea-2"])
def test_what_is_no_release_is_an_error(said: str) -> None:
    with pytest.raises(LintError, match=r"kea-2\.2"):
        releases(said)


def test_without_a_version_any_may_be_meant() -> None:
    assert releases(None) == RELEASES


def test_releases_are_named_as_people_do() -> None:
    assert named([(2, 2)]) == "Kea 2.2"
    assert named([(2, 4), (2, 2)]) == "Kea 2.2 and 2.4"
    assert named(RELEASES) == "Kea 2.2 to 3.2"


def test_the_lab_has_its_suites_kea() -> None:
    assert [releases(of_suite(suite)) for suite in ("bookworm", "trixie")] == [((2, 2),), ((2, 6),)]


@pytest.mark.parametrize(
    ("old", "new", "version", "rules"),
    [
        ('"id": 1,', "", "kea-2.2", set()),
        ('"id": 1,', "", "kea-2.6", {"kea-network"}),
        ('"id": 1,', "", None, {"kea-release"}),
        ('"id": 1,', '"id": 0,', "kea-2.4", set()),
        ('"id": 1,', '"id": 0,', "kea-3.0", {"kea-network"}),
        (_THREADS, "", "kea-2.2", {"ha-multi-threading"}),
        (_THREADS, "", "kea-2.4", set()),
        ('"id": 1,', '"id": 1, "reservation-mode": "all",', "kea-2.4", set()),
        ('"id": 1,', '"id": 1, "reservation-mode": "all",', "kea-2.6", {"kea-syntax"}),
        ('"id": 1,', '"id": 1, "allocator": "random",', "kea-2.2", {"kea-syntax"}),
        ('"id": 1,', '"id": 1, "allocator": "random",', "kea-2.4", set()),
        ('"id": 1,', '"id": 1, "adaptive-lease-time-threshold": 0.5,', "kea-3.0", {"kea-syntax"}),
        ('"id": 1,', '"id": 1, "adaptive-lease-time-threshold": 0.5,', "kea-3.2", set()),
    ],
)
def test_what_depends_on_the_release(old: str, new: str, version: str | None, rules: set[str]) -> None:
    assert _rules(old, new, new, version) == rules


@pytest.mark.parametrize(
    ("mine", "version", "rules"),
    [
        ("false", "kea-2.6", set()),
        ("false", "kea-3.0", {"ha-settings-differ"}),
        ("true", "kea-2.6", {"ha-settings-differ"}),
        ("true", "kea-3.0", set()),
    ],
)
def test_restrict_commands_is_on_since_3_0_unless_said_otherwise(mine: str, version: str, rules: set[str]) -> None:
    assert _rules('"mode":', f'"restrict-commands": {mine}, "mode":', '"mode":', version) == rules


def _rules(old: str, one: str, other: str, version: str | None) -> set[str]:
    pair = [(PAIR / f"{name}.json").read_text("utf-8") for name in ("primary", "secondary")]
    assert all(old in text for text in pair)
    a, b = (Config(name, text.replace(old, new)) for name, text, new in zip("ab", pair, (one, other), strict=True))
    return {finding.rule for finding in lint_pair(a, b, engine_version=version)}
