"""The image comes from the mirror that the host itself uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from labbuilder.model.lab import ImageRecipe
from labbuilder.providers.debian import DEBIAN, archives, host_mirror

CASES = {
    "nothing": ({}, f"{DEBIAN}/debian"),
    "one line": ({"sources.list": "deb http://a.test/debian bookworm main\n"}, "http://a.test/debian"),
    "with options": (
        {"sources.list": "deb [signed-by=/x.gpg arch=amd64] http://b.test/debian/ bookworm main\n"},
        "http://b.test/debian/",
    ),
    "commented out": ({"sources.list": "# deb http://a.test/debian bookworm main\n"}, f"{DEBIAN}/debian"),
    "deb822": (
        {"sources.list.d/debian.sources": "Types: deb\nURIs: http://c.test/debian\nSuites: bookworm\n"},
        "http://c.test/debian",
    ),
    "the suite's own before another's": (
        {"sources.list": "deb http://old.test/debian bullseye main\ndeb http://d.test/debian bookworm main\n"},
        "http://d.test/debian",
    ),
    "security is no mirror": (
        {"sources.list": "deb http://a.test/debian-security bookworm-security main\n"},
        f"{DEBIAN}/debian",
    ),
}


@pytest.mark.parametrize(("files", "expected"), CASES.values(), ids=CASES)
def test_the_hosts_own_mirror_is_found(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert host_mirror("bookworm", apt=tmp_path) == expected


def lines_for(apt: Path, suite: str = "bookworm", mirror: str | None = None) -> tuple[str, ...]:
    return archives(ImageRecipe(suite, mirror, (), (), ""), apt)


def test_updates_and_security_come_from_where_the_host_has_them(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(
        "deb http://a.test/debian bookworm main\ndeb http://s.test/debian-security bookworm-security main\n"
    )
    assert lines_for(tmp_path) == (
        "deb http://a.test/debian bookworm main",
        "deb http://a.test/debian bookworm-updates main",
        "deb http://s.test/debian-security bookworm-security main",
    )
    assert lines_for(tmp_path, mirror="file:///srv/debian") == ("deb file:///srv/debian bookworm main",)
