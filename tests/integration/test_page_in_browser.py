"""The report's page in a real Chromium that has no network."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import browser
import pytest
from drills import NAMES, recorded

from labbuilder import report
from labbuilder.host.run import run

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]  # the first run installs Debian's chromium


@pytest.fixture(scope="module", params=["en", "es"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = report.write(
        [recorded(name) for name in NAMES],
        tmp_path_factory.mktemp("page") / "report.html",
        language=request.param,
        limit_s=0.5,
    )
    return path


@pytest.mark.parametrize(("width", "scheme"), [(1100, "light"), (390, "dark")], ids=["desk, light", "phone, dark"])
def test_the_page_opens_without_network_and_its_pictures_are_drawn(
    page: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    seen = browser.look(page, tmp_path, width=width, scheme=scheme)
    assert seen["console"] == []
    assert [url for url in seen["requests"] if url != "data:,"] == [page.as_uri()]
    assert seen["foreign"] == 0
    assert seen["wide"] == 0, "the page itself never scrolls sideways"
    assert [picture["kind"] for picture in seen["pictures"]] == ["timeline", "ladder", "ladder"] * len(NAMES)
    for picture in seen["pictures"]:
        assert picture["width"] > 250
        assert picture["height"] > 100
        assert picture["marks"] == picture["drawn"] > 3
        assert picture["outside"] == []
        assert all(picture["named"])
    assert "server1" in seen["pictures"][0]["texts"]
    brightness = sum(map(int, re.findall(r"\d+", seen["paper"])[:3])) / 3
    assert brightness < 40 if scheme == "dark" else brightness > 230


def test_it_prints(tmp_path: Path) -> None:
    (path,) = report.write([recorded()], tmp_path / "report.html", language="es")
    browser.look(path, tmp_path, scheme="dark")
    text = run("pdftotext", "-layout", tmp_path / "page.pdf", "-").stdout
    for said in ("Qué pasó", "communications-interrupted", "DISCOVER", "iptables -t nat", "labbuilder drill"):
        assert said in text, "the checks are printed though they are folded on the screen"
    assert "06:" not in text.partition("Sucesos")[2], "the messages are not"
    run("pdftoppm", "-r", "20", "-f", "1", "-l", "1", tmp_path / "page.pdf", tmp_path / "sheet")
    (sheet,) = tmp_path.glob("sheet*.ppm")
    pixels = sheet.read_bytes()[-3000:]
    assert sum(pixels) / len(pixels) > 240, "the paper is white also for who reads in the dark"


def test_hostile_names_are_only_text(tmp_path: Path) -> None:
    script = "<img src=x onerror=document.title='owned'><script>document.body.innerHTML=''</script>"
    (path,) = report.write([replace(recorded(), drill=script, lab=script, mode=script)], tmp_path / "report.html")
    seen = browser.look(path, tmp_path)
    assert (seen["foreign"], seen["console"]) == (0, [])
    assert script in seen["text"]
