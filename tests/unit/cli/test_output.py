"""Progress: live on a terminal, one plain line a step elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

STEPS = """
from labbuilder.host import progress
from labbuilder.cli import output
with output.progress_on_stderr(verbose=False):
    with progress.step("boot", "server1") as step:
        step.advance(0.5)
        step.detail = "[red]fine"
    with progress.step("verify"):
        raise RuntimeError
"""


def test_elsewhere_it_is_one_line_a_step() -> None:
    said = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=False).stderr
    first, second = said.splitlines()[:2]
    assert first.endswith("s  server1: boot [red]fine")
    assert second.endswith("s  verify failed: RuntimeError")
    assert "\033" not in said


LONG = """
import time
from labbuilder.host import progress
from labbuilder.cli import output
output._LINE_EVERY_S = 0.2
with output.progress_on_stderr(verbose=False):
    with progress.step("image") as step:
        step.advance(0.2)
        time.sleep(0.5)  # mmdebstrap says nothing
    with progress.step("verify"):
        time.sleep(0.5)
"""


def test_elsewhere_a_step_that_says_how_far_it_is_has_a_line_now_and_then() -> None:
    said = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, check=True).stderr
    *far, image, verify = said.splitlines()
    assert len(far) in (1, 2)
    assert {line.partition("s  ")[2] for line in far} == {"image, 20%"}
    assert image.endswith("s  image")
    assert verify.endswith("s  verify")


@pytest.mark.parametrize(("term", "moves"), [("xterm", True), ("dumb", False)])
def test_on_a_terminal_the_rows_move(term: str, moves: bool) -> None:  # noqa: FBT001
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": term, "COLUMNS": "100"}
    done = subprocess.run([sys.executable, "-c", STEPS], stderr=theirs, env=env, check=False)
    os.close(theirs)
    said = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 1
    assert "server1" in said
    assert "[red]fine" in said
    assert "failed: RuntimeError" in said
    assert ("\033[" in said) is moves
