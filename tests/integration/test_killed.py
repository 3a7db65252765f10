"""`up` killed after each record of its journal: the next `up` ends in a proven lab, and `down` leaves nothing."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labbuilder.errors import LabError
from labbuilder.host.store import Home
from labbuilder.host.wait import wait_until
from labbuilder.lab import Lab
from labbuilder.lifecycle.identity import lab_identity
from labbuilder.providers.nspawn import cgroups, supervisors
from labbuilder.providers.nspawn.provider import NspawnProvider

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

RECORDS = 20  # of an `up` of the guide's lab with the image cached
KILLED = """
import os, signal, sys
from labbuilder.host.journal import Journal
from labbuilder.lab import Lab
append, left = Journal.append, int(sys.argv[1])
def killing(self, record):
    global left
    append(self, record)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
Journal.append = killing
Lab("killed").add_server().add_server().add_client().up(verify=False)
"""


@pytest.fixture(autouse=True)
def _nothing_left_by_a_failed_test(home: Home) -> Iterator[None]:
    yield
    Lab("killed", home=home).down()


def kill_up_after(records: int) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(records)], capture_output=True, text=True, check=False)
    assert ended.returncode == -9, ended.stderr


def traces(mark: str, home: Home) -> list[str]:
    """Whatever of the lab can be seen on the host."""
    found = [str(p) for p in home.labs.glob("*killed*")]
    found += [str(group) for group in cgroups.lab_groups(mark) if group.exists()]
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = cmdline.read_text(errors="replace")
        except OSError:
            continue
        if mark in text:
            found.append(text)
    return found


@pytest.mark.parametrize("records", range(1, RECORDS + 1, 3))  # after each of them: on the fake, tests/unit/lifecycle
def test_up_goes_on_and_down_leaves_nothing(home: Home, records: int) -> None:
    lab = Lab("killed", home=home).add_server().add_server().add_client()
    kill_up_after(records)
    identity = lab_identity(home.lab("killed"))
    assert identity is not None
    if records % 2:  # down at once
        lab.down()
    else:  # on first
        lab.up()
        lab.down()
    assert traces(identity[1], home) == []


def test_the_last_record_is_the_one_that_is_counted(home: Home) -> None:
    kill_up_after(RECORDS)
    with pytest.raises(AssertionError):
        kill_up_after(RECORDS)  # what is up has fewer records to write
    Lab("killed", home=home).down()


def test_down_of_what_is_not_there_is_no_error(home: Home) -> None:
    assert Lab("never", home=home).down() is False
    with pytest.raises(LabError, match="no lab named never"):
        Lab("never", home=home).status()


FORKS = """
import os, signal, sys, time
def fork(*_):
    if os.fork() == 0:
        print("forked", flush=True)
        time.sleep(60)
        os._exit(0)
signal.signal(signal.SIGUSR1, fork)
print("ready", flush=True)
while True:
    signal.pause()
"""


def test_a_supervisor_that_forks_between_the_look_and_the_kill_is_ended_whole(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = secrets.token_hex(4)
    argv = [sys.executable, "-c", FORKS, supervisors.MODULE, mark, "folder", "image"]
    end, ended = supervisors.end, list[int]()
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as starting:
        assert starting.stdout is not None
        assert starting.stdout.readline() == b"ready\n"
        said = starting.stdout

        def late(pid: int) -> None:
            if not ended:
                os.kill(pid, signal.SIGUSR1)
                assert said.readline() == b"forked\n"
            ended.append(pid)
            end(pid)

        monkeypatch.setattr(supervisors, "end", late)
        lab = NspawnProvider(home, home.lab("forks"), mark)
        lab.destroy_all()
        assert lab.residue() == []
    assert len(ended) == 2


STARTS = """
import os, signal, subprocess, sys
words = [sys.executable, "-m", "labbuilder.providers.nspawn.supervisor", *sys.argv[1:], str(os.getpid())]
subprocess.Popen(words, start_new_session=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_supervisor_whose_starter_was_killed_ends_before_it_listens(home: Home, tmp_path: Path) -> None:
    lab = home.lab("late")
    (lab.path / "machines").mkdir(parents=True)
    late = NspawnProvider(home, lab, secrets.token_hex(4))
    starter = subprocess.run([sys.executable, "-c", STARTS, late.mark, lab.path, tmp_path], check=False)
    assert starter.returncode == -signal.SIGKILL
    try:
        wait_until("it has ended by itself", lambda: not late._supervisors(), within_s=10.0)
        assert [entry.name for entry in lab.path.iterdir()] == ["machines"]  # no socket: it never listened
    finally:
        late.destroy_all()
        assert late.residue() == []
