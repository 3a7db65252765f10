"""Every labbuilder command in the docs is run, in the order of its page; so is the README's Python."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from pages import commands

from labbuilder.host.store import Home

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.measures]

PAGES = ("README.md", "docs/first-steps.md", "docs/failover.md", "docs/gateway.md", "docs/drills.md")
# Too long to be run again: tests/drill runs each drill, and another set of timers.
ELSEWHERE = {"labbuilder drill --all --report reports", "labbuilder drill power-cut --timers engine"}
STATUS = {"labbuilder verify": 1}  # the pages break something and look


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_page_work(home: Home, tmp_path: Path, lost_labs_turn: FileLock, page: str) -> None:
    own = tmp_path / "home"
    own.mkdir()
    (own / "images").symlink_to(home.images.resolve())
    env = os.environ | {"LABBUILDER_HOME": str(own)}
    found = [command for command in commands(page) if command not in {"labbuilder", *ELSEWHERE}]
    assert len(found) > 5
    try:
        for command in found:
            words = shlex.split(command.replace("make up", "labbuilder up"))
            if words == ["labbuilder", "ssh", "client1"]:
                words += ["--", "true"]  # a shell of its own wants a terminal
            done = subprocess.run(
                [sys.executable, "-m", *words], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
            )
            told = f"{command}\n{done.stdout}\n{done.stderr}"
            assert done.returncode == STATUS.get(command, 0), told
    finally:
        with lost_labs_turn:
            subprocess.run([sys.executable, "-m", "labbuilder", "down", "--all"], env=env, check=True)
