"""Reports written to files."""

from __future__ import annotations

from pathlib import Path

import pytest
from drills import recorded

from labbuilder import report
from labbuilder.errors import HostError, SpecError


def test_a_folder_gets_all_three(tmp_path: Path) -> None:
    written = report.write([recorded()], tmp_path / "a/b", language="es")
    assert [path.name for path in written] == ["report.html", "report.json", "report.xml"]
    html, json, xml = (path.read_text(encoding="utf-8") for path in written)
    assert '<html lang="es">' in html
    assert json.startswith("{")
    assert "<testsuites" in xml


@pytest.mark.parametrize("name", ["one.html", "one.json", "one.xml"])
def test_a_files_ending_says_what_it_gets(tmp_path: Path, name: str) -> None:
    assert report.write([recorded()], tmp_path / name) == (tmp_path / name,)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_another_ending_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no report is written as '\.pdf'"):
        report.write([recorded()], tmp_path / "one.pdf")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_takes_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("", encoding="utf-8")
    with pytest.raises(HostError, match="can't be written"):
        report.write([recorded()], tmp_path / "plain/report.html")
