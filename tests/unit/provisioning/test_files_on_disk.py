"""What a machine says of its files, read against its plan: on real files, by the very question."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from labbuilder.model.lab import MachinePlan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.provisioning import files

TEXT = "one\ntwo\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MachinePlan:
    """Its files are there, as planned, and belong to who runs the tests."""
    monkeypatch.setattr(files, "_OWNER", f"{os.getuid()}:{os.getgid()}")
    planned = RenderedFile(f"{tmp_path}/a file", TEXT), RenderedFile(f"{tmp_path}/b", "b\n", 0o600)
    own, seed = RenderedFile(f"{tmp_path}/own", "by hand\n", 0o640), RenderedFile(f"{tmp_path}/seed", "first\n")
    for file in (*planned, own, seed):
        Path(file.path).write_text(file.text)
        Path(file.path).chmod(file.mode)
    Path(own.path).write_text("its own\n")
    Path(seed.path).write_text("the daemon's\n")
    return MachinePlan("one", ("server",), (), (Step("s", "s", "true", "true", planned, own=(own,), seeds=(seed,)),))


def seen(machine: MachinePlan, *, texts: bool = True, secrets: tuple[str, ...] = ()) -> dict[str, str]:
    asked = ["sh", "-c", files.question(machine, texts=texts)]
    said = subprocess.run(asked, capture_output=True, text=True, check=True, errors="replace").stdout
    found = files.differences(machine, said)
    shown = files.shown(machine, found, dict.fromkeys(secrets, "ddns"))
    return {Path(diff.path).name: diff.diff for diff in shown}


def test_files_as_planned_differ_in_nothing(machine: MachinePlan) -> None:
    assert seen(machine) == seen(machine, texts=False) == {}


@pytest.mark.parametrize(
    ("name", "text", "diff"),
    [
        ("a file", "one\n", " one\n+two\n"),
        ("a file", "one\ntwo\nthree", " one\n two\n-three\n"),
        (
            "a file",
            "differs /etc/b\n81a4 0:0 /etc/c\n\n x\n",
            "-differs /etc/b\n-81a4 0:0 /etc/c\n-\n- x\n+one\n+two\n",
        ),
        ("a file", "", "+one\n+two\n"),
        ("a file", "one\ntwo", "it differs in bytes that can't be shown\n"),
        ("b", "other\n", "-other\n+b\n"),
    ],
)
def test_another_text_is_shown_against_the_planned_one(
    machine: MachinePlan, tmp_path: Path, name: str, text: str, diff: str
) -> None:
    (tmp_path / name).write_text(text)
    found = seen(machine)
    assert list(found) == [name]
    assert found[name].endswith(diff)
    assert list(seen(machine, texts=False)) == [name]


def test_bytes_that_are_no_text_are_read_too(machine: MachinePlan, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"\xff\xfe\x00b")
    assert "+b\n" in seen(machine)["b"]


def test_a_secret_is_not_shown(machine: MachinePlan, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("k3y\n")
    (tmp_path / "b").chmod(0o644)
    found = seen(machine, secrets=(f"{tmp_path}/b",))
    assert found == {"b": "mode 644, not 600\n(it has the secret ddns, so it is not shown)\n"}


@pytest.mark.parametrize("name", ["a file", "b", "own", "seed"])
def test_a_file_that_is_gone_is_missing(machine: MachinePlan, tmp_path: Path, name: str) -> None:
    (tmp_path / name).unlink()
    assert seen(machine) == {name: "missing\n"}


def test_mode_and_owner_count_and_a_daemons_own_file_may_be_as_it_likes(
    machine: MachinePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a file", "own", "seed"):
        (tmp_path / name).chmod(0o755)
    assert seen(machine) == {"a file": "mode 755, not 644\n", "own": "mode 755, not 640\n"}
    monkeypatch.setattr(files, "_OWNER", "77:77")
    mine = f"{os.getuid()}:{os.getgid()}"
    assert seen(machine)["b"] == f"owner {mine}, not 77:77\n"


def test_a_link_and_a_folder_are_no_files(machine: MachinePlan, tmp_path: Path) -> None:
    (tmp_path / "a file").rename(tmp_path / "elsewhere")
    (tmp_path / "a file").symlink_to("elsewhere")
    (tmp_path / "b").unlink()
    (tmp_path / "b").mkdir()
    found = seen(machine)
    assert found["a file"] == "no regular file\n"
    assert found["b"].startswith("no regular file\n")
