"""The formats: what a program reads is what the lint found."""

from __future__ import annotations

from pathlib import Path

import pytest

from labbuilder.errors import LintError
from labbuilder.lint import Config, Finding, Place, Severity, lint_pair
from labbuilder.lint.formats.github import github
from labbuilder.lint.formats.sarif import sarif
from labbuilder.lint.formats.text import Text
from labbuilder.lint.outcome import Outcome, exit_status
from labbuilder.lint.rules import RULES
from labbuilder.lint.words import Words

ISC = Path(__file__).parents[2] / "pairs/isc"
ERROR = LintError(brief="x y:3:7: '}' was not expected", resolution="mend it", file="x y", line=3, column=7)


def made(severity: Severity = Severity.ERROR, what: str = "a, b: 100%\nc", other: Place | None = None) -> Finding:
    return Finding("roles", severity, Place("x y", 3, 7), what, "because", "mend it", "a book", other)


@pytest.fixture
def found() -> Outcome:
    texts = [(ISC / f"{name}.conf").read_text() for name in ("primary", "secondary")]
    pair = [Config("a.conf", texts[0]), Config("b.conf", texts[1].replace("192.168.1.200", "192.168.1.199"))]
    return Outcome(("a.conf", "b.conf"), lint_pair(*pair, clients=50))


def test_a_github_command_is_one_line_whatever_is_in_it() -> None:
    other = Place("z", 9)
    said = github([Outcome(("x y",), (made(), made(Severity.WARNING, "w"), made(Severity.NOTE, "n", other)))], Words())
    first, second, third = said.splitlines()
    assert first == ("::error file=x y,line=3,col=7,title=roles::a, b: 100%25%0Ac%0Awhy: because%0Amend: mend it")
    assert second.startswith("::warning ")
    assert third == "::notice file=x y,line=3,col=7,title=roles::n%0Athere: z:9%0Awhy: because%0Amend: mend it"


def test_a_name_with_colon_and_comma_ends_no_property() -> None:
    finding = Finding("roles", Severity.ERROR, Place("a:b,c", 1), "w", "y", "m", "s")
    assert "file=a%3Ab%2Cc,line=1" in github([Outcome(("a",), (finding,))], Words())


def test_what_can_not_be_read_is_shown_at_its_line_too() -> None:
    outcome = Outcome(("x y",), error=ERROR)
    told = "::error file=x y,line=3,col=7,title=unreadable::x y:3:7: '}' was not expected%0Amend it"
    assert github([outcome], Words()) == told
    (run,) = sarif([outcome], Words(), "1.0")["runs"]
    (result,) = run["results"]
    assert (result["level"], run["invocations"][0]["executionSuccessful"]) == ("error", False)
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 3, "startColumn": 7}


def test_sarif_names_rule_file_and_line(found: Outcome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (run,) = sarif([found], Words(), "1.0")["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]][:-1] == [rule.id for rule in RULES]
    (result,) = run["results"]
    where = result["locations"][0]["physicalLocation"]
    assert (result["ruleId"], result["level"]) == ("pool-differs", "error")
    assert where["artifactLocation"] == {"uri": "a.conf", "uriBaseId": "%SRCROOT%"}
    assert where["region"]["startLine"] == 32
    assert result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "b.conf"


def test_sarif_writes_a_path_as_a_uri(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    def artifact(name: str) -> dict[str, str]:
        finding = Finding("roles", Severity.ERROR, Place(name), "w", "y", "m", "s")
        (result,) = sarif([Outcome((name,), (finding,))], Words(), "1")["runs"][0]["results"]
        located: dict[str, str] = result["locations"][0]["physicalLocation"]["artifactLocation"]
        return located

    assert artifact(f"{tmp_path}/a ü.conf") == {"uri": "a%20%C3%BC.conf", "uriBaseId": "%SRCROOT%"}
    assert artifact("/etc/dhcp/dhcpd.conf") == {"uri": "file:///etc/dhcp/dhcpd.conf"}
    assert artifact("root@one:/etc/a b") == {"uri": "ssh://root@one/etc/a%20b"}
    assert artifact("/dev/fd/63") == {"uri": "file:///dev/fd/63"}


def test_a_finding_keeps_its_fingerprint_when_its_line_moves(found: Outcome) -> None:
    def fingerprint(finding: Finding) -> dict[str, str]:
        (result,) = sarif([Outcome(("a",), (finding,))], Words(), "1")["runs"][0]["results"]
        prints: dict[str, str] = result["partialFingerprints"]
        return prints

    one, moved = made(), Finding("roles", Severity.ERROR, Place("x y", 30), one_what(), "", "", "")
    assert fingerprint(one) == fingerprint(moved) != fingerprint(made(what="other"))


def one_what() -> str:
    return made().what


@pytest.mark.parametrize("width", [None, 80])
def test_text_wraps_for_terminals_alone(width: int | None) -> None:
    long = made(what=" ".join(["word"] * 60))
    said = Text(Words(), lambda text, _: text, width)([Outcome(("a", "b"), (long,))])
    assert (max(map(len, said.splitlines())) <= 80) is (width is not None)
    assert said.startswith("error: roles\n  x y:3: word word")


@pytest.mark.parametrize(
    ("severities", "strict", "status"),
    [
        ([], True, 0),
        (["note"], True, 0),
        (["warning"], False, 0),
        (["warning"], True, 1),
        (["note", "error"], False, 1),
    ],
)
def test_the_exit_status(severities: list[str], strict: bool, status: int) -> None:  # noqa: FBT001
    outcomes = [Outcome(("a",), (made(Severity(severity)),)) for severity in severities]
    assert exit_status(outcomes, strict=strict) == status
    assert exit_status([*outcomes, Outcome(("b",), error=ERROR)], strict=strict) == 2
