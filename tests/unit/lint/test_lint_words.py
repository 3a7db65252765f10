"""Spanish: a catalogue from the English text, holes filled, and what is not in it stays English."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from labbuilder.lint import Config, Finding, Place, Severity, lint_pair
from labbuilder.lint.explain import explained
from labbuilder.lint.formats.text import Text
from labbuilder.lint.outcome import Outcome
from labbuilder.lint.words import LANGUAGES, Words, language_of

LINT = Path(__file__).parents[3] / "labbuilder/lint"
PAIRS = Path(__file__).parents[2] / "pairs"
HOLES = re.compile(r"\{(\w+)\}")


def test_a_translation_has_the_holes_of_its_text() -> None:
    said = yaml.safe_load((LINT / "es.yaml").read_text("utf-8"))
    assert [
        text for text, spanish in said.items() if sorted(HOLES.findall(text)) != sorted(HOLES.findall(spanish))
    ] == []


@pytest.mark.parametrize(
    ("text", "spanish"),
    [
        ("error", "error"),
        ("split is said on the secondary", "split se indica en el secundario"),
        ("peer port is 1 here, the partner listens on 2", "peer port es 1 aquí, el compañero escucha en 2"),
        (
            "option routers is not said here, 1.2.3.4, 5.6.7.8 there",
            "option routers es no se indica aquí, 1.2.3.4, 5.6.7.8 allí",
        ),
        ("nobody translated {this} yet", "nobody translated {this} yet"),
        ("the router {x} is in {0}", "el router {x} está en {0}"),
    ],
)
def test_a_text_keeps_its_values(text: str, spanish: str) -> None:
    assert Words("es")(text) == spanish
    assert Words("en")(text) == text


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "es_ES.UTF-8"}, "es"),
        ({"LANG": "es"}, "es"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "est_EE"}, "en"),
        ({"LANG": "es_MX", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US", "LC_MESSAGES": "es_AR@x"}, "es"),
        ({"LANG": "es_ES", "LC_ALL": ""}, "es"),
    ],
)
def test_the_language_of_a_terminal(environment: dict[str, str], language: str) -> None:
    assert language_of(environment) == language


def test_a_finding_is_told_in_spanish() -> None:
    texts = [(PAIRS / f"isc/{role}.conf").read_text() for role in ("primary", "secondary")]
    pair = Config("a", texts[0]), Config("b", texts[1].replace("  secondary;", "  secondary; split 128;"))
    said = Text(Words("es"), lambda text, _: text, 80)([Outcome(("a", "b"), lint_pair(*pair, clients=50))])
    assert said.splitlines()[:2] == ["error: split-on-secondary", "  b:15: split se indica en el secundario"]
    assert "remedio: quite split y hba del secundario" in said
    assert said.endswith("1 error.")
    warned = Finding("x", Severity.WARNING, Place("a"), "w", "y", "m", "s")
    assert "2 avisos." in Text(Words("es"), lambda text, _: text, None)([Outcome(("a",), (warned, warned))])


def test_a_rule_is_explained_in_spanish() -> None:
    said = explained("mclt-missing", Words("es"))
    assert "causa: dhcpd no arranca un primario sin él" in said
    assert "mal (primario):" in said


def test_there_is_a_catalogue_for_each_language() -> None:
    assert {path.stem for path in LINT.glob("??.yaml")} == set(LANGUAGES) - {"en"}
