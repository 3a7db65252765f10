"""Several labs by one command, each from a spec of its own: side by side, and one that fails harms no other."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from labbuilder.host.journal import Journal
from labbuilder.host.store import Home
from labbuilder.host.wait import wait_until
from labbuilder.lab import Lab

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]


@pytest.fixture
def folder(home: Home, tmp_path: Path, lost_labs_turn: FileLock) -> Iterator[Path]:
    """Where the specs lie; what was made of them is gone at the end."""
    own = tmp_path / "home"
    own.mkdir()
    (own / "images").symlink_to(home.images.resolve())
    yield tmp_path
    with lost_labs_turn:
        assert command(tmp_path, "down", "--all").returncode == 0


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "labbuilder", *words], **ways(folder), check=False)


def ways(folder: Path) -> dict[str, Any]:
    env = os.environ | {"LABBUILDER_HOME": str(folder / "home")}
    return {"cwd": folder, "env": env, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def write(folder: Path, name: str, **values: object) -> str:
    """A spec of one server and no client; JSON is YAML too."""
    spec = {"name": name, "provider": "nspawn", "servers": 1, "clients": 0, **values}
    (folder / f"{name}.yaml").write_text(json.dumps(spec))
    return f"{name}.yaml"


def opened(folder: Path, name: str) -> Lab:
    own = Home(folder / "home")
    return Lab.from_file(own.lab(name).spec, home=own)


def test_each_file_is_a_lab_of_its_own_and_a_second_time_nothing_changes(folder: Path) -> None:
    files = write(folder, "red", clients=["pupil"]), write(folder, "blue", dhcp={"default_lease_s": 120})
    said = command(folder, "up", *files, "--json")
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    assert [set(lab) for lab in told["labs"]] == [{"lab", "seconds"}] * 2
    assert [lab["lab"] for lab in told["labs"]] == ["red", "blue"]  # in the files' order, whoever is up first
    assert all(0 < lab["seconds"] <= told["seconds"] for lab in told["labs"])
    labs = [opened(folder, name) for name in ("red", "blue")]
    assert [[m.name for m in lab.status()] for lab in labs] == [["pupil", "server1"], ["server1"]]
    texts = [lab.run("server1", "cat /etc/dhcp/dhcpd.conf").stdout for lab in labs]
    assert ["default-lease-time 120;" in text for text in texts] == [False, True]
    boots = [(m.pid, m.boots) for lab in labs for m in lab.status()]
    again = command(folder, "up", *files)
    assert again.returncode == 0
    assert again.stdout.startswith("2 of 2 labs are up")
    assert [(m.pid, m.boots) for lab in labs for m in lab.status()] == boots


def test_a_lab_that_fails_is_told_with_its_reason_and_the_others_are_up(folder: Path) -> None:
    files = write(folder, "one"), write(folder, "two", mirror="file:///nowhere"), write(folder, "three")
    said = command(folder, "up", *files, "--at-once", "1", "--json")  # two that are begun before it, and one after
    assert said.returncode == 4
    one, two, three = json.loads(said.stdout)["labs"]
    assert set(one) == set(three) == {"lab", "seconds"}
    assert set(two) == {"lab", "seconds", "error", "brief", "details", "resolution", "exit_code"}
    assert (two["brief"], two["exit_code"]) == ("the image could not be built", 4)
    assert "/nowhere" in two["details"]
    assert set(Home(folder / "home").lab_names()) == {"one", "three"}
    for name in ("one", "three"):
        opened(folder, name).verify().raise_for_failures()
    people = command(folder, "up", *files)
    assert people.returncode == 4
    assert people.stdout.startswith("2 of 3 labs are up")
    assert "two: up failed: the image could not be built" in people.stderr
    assert "Traceback" not in people.stderr


def test_labs_that_would_be_one_and_specs_that_are_none_are_told_before_anything_is_made(folder: Path) -> None:
    good, other = write(folder, "good"), write(folder, "other")
    wrong = write(folder, "wrong", servers=9)
    for words, told in (
        ([good, wrong], "wrong.yaml:1: servers: 9: 9 servers; allowed: at least 1, at most 2"),
        ([good, "nowhere.yaml"], "nowhere.yaml can't be read"),
        ([good, other, good], "two labs are called good"),
        ([good, other, "--name", "same"], "two labs are called same"),
        ([good, other, good, "--count", "2"], "two labs are called good-1, good-2"),
        (["--name", "a" * 30, "--count", "2"], f"name: '{'a' * 30}-1'"),
        ([good, "--count", "0"], "Invalid value for '--count'"),
        ([good, other, "--at-once", "0"], "Invalid value for '--at-once'"),
    ):
        said = command(folder, "up", *words)
        assert said.returncode == 2, words
        assert told in said.stderr
        assert "Traceback" not in said.stderr
    assert json.loads(command(folder, "up", good, good, "--json").stdout)["brief"] == "two labs are called good"
    assert Home(folder / "home").lab_names() == ()


def test_ctrl_c_says_what_exists_of_each_lab_that_was_begun(folder: Path) -> None:
    files = [write(folder, name) for name in ("left", "right", "never")]
    journals = [Home(folder / "home").lab(name).journal for name in ("left", "right")]
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore it
    words = [sys.executable, "-m", "labbuilder", "up", *files, "--at-once", "2"]
    up = subprocess.Popen(words, **ways(folder), preexec_fn=heard)  # noqa: PLW1509  no threads
    try:
        wait_until(
            "both are provisioning",
            lambda: all(j.exists() and any(r.effect == "provision" for r in Journal(j).records()) for j in journals),
            within_s=60.0,
        )
        up.send_signal(signal.SIGINT)
        _, said = up.communicate(timeout=30)
    finally:
        up.kill()
    assert up.returncode == 130
    assert "Traceback" not in said
    for name in ("left", "right"):
        assert f"{name}: server1 is " in said
        assert f"labbuilder down --lab {name} removes it" in said
    assert "never" not in said
