"""The installed Kea says for which release the lint looks, unless another is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labbuilder.cli import linting
from labbuilder.cli.kea_version import installed

FILE = Path(__file__).parents[2] / "pairs/kea-hot-standby/primary.json"


def fake(folder: Path, body: str) -> None:
    program = folder / "kea-dhcp4"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(("body", "said"), [("echo 2.6.3", "2.6.3"), ("exit 1", None), ("true", None)])
def test_the_daemon_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str | None) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert installed() is None
    fake(tmp_path, body)
    assert installed() == said


@pytest.mark.parametrize(("words", "status"), [([], 1), (["--engine-version", "kea-2.2"], 0)])
def test_what_its_release_refuses_is_an_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    status: int,
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    fake(tmp_path, "echo 2.6.3")
    file = tmp_path / "a.json"
    file.write_text(FILE.read_text().replace('"id": 1,', ""))
    assert linting.main([str(file), "--json", *words]) == status
    rules = {finding["rule"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert rules == ({"kea-network"} if status else set())
