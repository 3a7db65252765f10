"""The wheel, installed alone, has the templates and renders the same files as the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from labbuilder.lab import Lab

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_all_of_provision_and_the_vagrantfile(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "provision", "Vagrantfile.j2"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    names = set(zipfile.ZipFile(wheel).namelist())
    assert tracked
    assert {f"labbuilder/_assets/{path}" for path in tracked} <= names
    assert "labbuilder/py.typed" in names
    assert {"labbuilder/report/texts.yaml", "labbuilder/report/templates/page.html.j2"} <= names


@pytest.mark.slow
def test_an_installed_wheel_renders_what_the_checkout_renders(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "-q", str(wheel)], check=True, capture_output=True)
    command = [str(tmp_path / "venv/bin/labbuilder"), "render", "out"]
    env = os.environ | {"LABBUILDER_HOME": str(tmp_path / "home")}  # no lab was made there, so it is the guide's
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, env=env)
    Lab().add_server().add_server().add_client().render(tmp_path / "own")
    own = sorted(p.relative_to(tmp_path / "own") for p in (tmp_path / "own").rglob("*") if p.is_file())
    assert own
    for path in own:
        assert (tmp_path / "out" / path).read_bytes() == (tmp_path / "own" / path).read_bytes()
