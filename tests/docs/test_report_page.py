"""The Python of docs/drills.md, run on a recorded drill."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from drills import recorded

from labbuilder import report

PAGE = Path(__file__).resolve().parents[2] / "docs/drills.md"


def test_a_kept_report_is_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"(?:^    (?:from|report|results).*\n|^\n(?=    r))+", PAGE.read_text("utf-8"), re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    report.write([recorded()], "report.json")
    exec(textwrap.dedent(block), {})
    assert '<html lang="es">' in Path("page.html").read_text("utf-8")
