"""Commands on the host end when they must, with all that they started, and what went wrong is told."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labbuilder.errors import CommandError, HostError
from labbuilder.host.run import run, run_streaming, start_daemon
from labbuilder.host.wait import wait_until


def is_gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


@pytest.mark.parametrize(
    "script", ["sleep 60 & echo $!; wait", "sleep 60 & echo $!", "echo $$; exec >&- 2>&-; sleep 60"]
)
def test_a_limit_ends_what_the_command_started_too_and_is_told(script: str) -> None:
    lines: list[str] = []
    begun = time.monotonic()
    with pytest.raises(CommandError, match=r"sh did not end within 0\.5 s") as told:
        run_streaming(["sh", "-c", script], lines.append, timeout_s=0.5)
    assert time.monotonic() - begun < 30
    (pid,) = lines
    assert pid.strip() in (told.value.details or "")
    wait_until("it is gone", lambda: is_gone(int(pid)), within_s=10.0)


INTERRUPTED = """
import labbuilder.host.run
labbuilder.host.run._TIDYING_S = 0.5
script = "trap '' TERM; sleep 60 & echo $!; wait"
labbuilder.host.run.run_streaming(["sh", "-c", script], lambda line: print(line, flush=True), timeout_s=60)
"""


def test_ctrl_c_ends_what_the_command_started_too() -> None:
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ours:
        assert ours.stdout is not None
        pid = int(ours.stdout.readline())
        ours.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in ours.communicate(timeout=40)[1]
    wait_until("it is gone", lambda: is_gone(pid), within_s=10.0)


def test_a_command_that_fails_shows_its_last_lines() -> None:
    with pytest.raises(CommandError, match="sh failed") as told:
        run_streaming(["sh", "-c", "echo first; echo last >&2; exit 3"], lambda _: None, timeout_s=60)
    assert (told.value.details or "").endswith("Exit status: 3\nfirst\nlast")


def test_a_missing_folder_is_no_missing_program(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"true can't be run in .*/nowhere: No such file or directory"):
        run("true", folder=tmp_path / "nowhere")


def test_what_may_not_be_run_and_what_is_not_installed_are_told_apart(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    ways = (
        run,
        lambda word: run_streaming([word], print, timeout_s=60),
        lambda word: start_daemon([word], log=tmp_path / "log"),
    )
    for way in ways:
        with pytest.raises(HostError, match=f"{script} can't be run: Permission denied"):
            way(script)
        with pytest.raises(HostError, match="no-such-program is not installed"):
            way("no-such-program")
