"""A lab that lost its journal, its folder, its place or half of itself is still found on the host, told and removed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from labbuilder.errors import MachineError
from labbuilder.host.journal import Journal, Record
from labbuilder.host.store import Home, LabDir, locked, write_atomic
from labbuilder.host.wait import wait_until
from labbuilder.lab import Lab
from labbuilder.lifecycle.down import finish_begun, take_down
from labbuilder.lifecycle.identity import lab_identity
from labbuilder.lifecycle.lost import finding, lost_labs, remove_lost
from labbuilder.lifecycle.session import Session
from labbuilder.providers.nspawn import cgroups, folders, supervisors
from labbuilder.providers.nspawn.provider import NspawnProvider

pytestmark = pytest.mark.needs_root

MARK = "10571ab5"


@pytest.fixture(autouse=True)
def nobody_else_removes_it(lost_labs_turn: FileLock) -> Iterator[None]:
    with lost_labs_turn:
        yield


@pytest.fixture
def running(home: Home) -> Iterator[NspawnProvider]:
    """A lab of one machine that is on, as an `up` that was killed before it configured anything leaves it."""
    spec = Lab("lost").add_server()
    lab, plan = home.lab("lost"), spec.plan()
    lab.make()
    Journal(lab.journal).append(Record("lab", "begun", data={"provider": "nspawn", "mark": MARK}))
    Journal(lab.journal).append(Record("spec", "begun"))
    write_atomic(lab.spec, spec.to_yaml())
    provider = NspawnProvider(home, lab, MARK)
    try:
        provider.ensure_image(plan)
        provider.ensure_networks(plan)
        provider.create(plan, plan.machine("server1"))
        provider.start("server1")
        yield provider
    finally:
        provider.destroy_all()
        shutil.rmtree(lab.path, ignore_errors=True)


@pytest.fixture
def off(running: NspawnProvider) -> NspawnProvider:
    """The same lab, whose supervisor was killed."""
    for one in running._supervisors():
        supervisors.end(one.pid)
    return running


def on_the_host() -> list[str]:
    """Whatever shows the lab."""
    found = [f"process {one.pid}" for one in supervisors.all_supervisors() if one.mark == MARK]
    return found + [str(group) for group in cgroups.lab_groups(MARK) if group.exists()]


def command(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LABBUILDER_HOME": str(home.path)}
    words = (sys.executable, "-m", "labbuilder", *words)
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment)


def first_line(journal: Path, text: str) -> None:
    _, *rest = journal.read_text().splitlines()
    journal.write_text("\n".join([*([text] if text else []), *rest, ""]))


def folder_instead(journal: Path) -> None:
    journal.unlink()
    journal.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "emptied": lambda journal: journal.write_text(""),
    "first line gone": lambda journal: first_line(journal, ""),
    "a folder": folder_instead,
    "null": lambda journal: first_line(journal, "null"),
    "no data": lambda journal: first_line(journal, json.dumps({"effect": "lab", "state": "begun"})),
    "another mark": lambda journal: first_line(
        journal, json.dumps({"effect": "lab", "state": "begun", "data": {"provider": "nspawn", "mark": "0ther000"}})
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_down_finds_a_lab_whose_journal_is_damaged(
    home: Home, running: NspawnProvider, damage: Callable[[Path], object]
) -> None:
    damage(running.lab.journal)
    assert "lost" in home.lab_names()
    assert take_down(home, "lost") is True
    assert on_the_host() == []
    assert "lost" not in home.lab_names()
    assert not running.lab.path.exists()


def test_a_lab_under_another_mark_does_not_adopt_the_supervisor(home: Home, running: NspawnProvider) -> None:
    another = NspawnProvider(home, running.lab, "0ther000")
    with pytest.raises(MachineError, match="runs a lab that is not known any more") as told:
        another.ensure_networks(Lab("lost").add_server().plan())
    assert f"mark {MARK}" in str(told.value)
    assert on_the_host()


def test_a_lab_ends_with_its_folder_and_leaves_nothing(home: Home, running: NspawnProvider) -> None:
    remove_while_it_is_written_to(running.lab.path)
    wait_until("nothing is left", lambda: not on_the_host(), within_s=10.0)
    assert lost_labs() == ()


def hang_without_folder(lab: LabDir) -> None:
    for one in supervisors.all_supervisors():
        if one.mark == MARK:
            os.kill(one.pid, signal.SIGSTOP)
    remove_while_it_is_written_to(lab.path)


def remove_while_it_is_written_to(folder: Path) -> None:
    """As by `rm -rf`, said until it succeeds."""

    def gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    wait_until("it is gone", gone, within_s=10.0)


def test_a_lab_that_can_not_end_with_its_folder_is_told_and_removed(running: NspawnProvider, tmp_path: Path) -> None:
    """From any home: no other leads to it, and other tests have labs in theirs."""
    home = Home(tmp_path)
    hang_without_folder(running.lab)
    told = command(home, "list")
    assert f"mark {MARK}; {running.lab.path} is gone" in told.stderr
    assert "labbuilder down --all removes it" in told.stderr
    doctor = finding(home)
    assert not doctor.ok
    assert MARK in doctor.seen
    removed = command(home, "down", "--all")
    assert f"(mark {MARK})" in removed.stdout, removed.stderr
    assert on_the_host() == []
    assert MARK not in finding(home).seen


def test_down_of_its_name_removes_a_lab_whose_folder_is_gone(home: Home, running: NspawnProvider) -> None:
    hang_without_folder(running.lab)
    assert take_down(home, "lost") is True
    assert on_the_host() == []


def test_a_lab_that_lost_its_folder_is_not_taken_for_the_next_one_of_its_name(
    home: Home, running: NspawnProvider
) -> None:
    hang_without_folder(running.lab)
    running.lab.make()
    (running.lab.path / "machines").mkdir()
    assert MARK in remove_lost(home)
    assert on_the_host() == []
    assert (running.lab.path / "machines").exists()


def test_a_home_that_was_moved_takes_its_labs_along(home: Home, running: NspawnProvider, tmp_path: Path) -> None:
    moved = Home(tmp_path)
    moved.labs.mkdir()
    running.lab.path.rename(moved.lab("lost").path)
    try:
        assert take_down(home, "lost") is False
        assert str(moved.lab("lost").path) in finding(home).seen
        assert remove_lost(home) == ()
        assert on_the_host()  # another home's lab is nobody's business
        (machine,) = NspawnProvider(moved, moved.lab("lost"), MARK).status()
        assert machine.state != "stopped"
        moved.lab("lost").journal.unlink()
    finally:
        assert take_down(moved, "lost") is True
    assert on_the_host() == []


def test_a_name_alone_makes_no_supervisor(tmp_path: Path) -> None:
    """Any user of the host may call a process so."""
    words = [sys.executable, "-c", "input()", supervisors.MODULE, MARK, str(tmp_path), "image"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, user=65534, cwd="/") as false:
        try:
            wait_until("it runs", lambda: b"input" in Path(f"/proc/{false.pid}/cmdline").read_bytes(), within_s=5.0)
            assert supervisors.supervisor(false.pid) is None
        finally:
            false.kill()


def test_what_killed_commands_left_beside_the_labs_goes_with_down_all(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (home.labs / ".half.gone" / "machines").mkdir(parents=True)
    (home.labs / ".early.lock").touch()
    (home.labs / ".begin").touch()
    remove_lost(home)
    assert [entry.name for entry in home.labs.iterdir()] == [".begin"]


def down_killed_after(home: Home, steps: int) -> bool:
    """Whether `down` was killed before it took one more step on the disk."""
    pid = os.fork()
    if pid == 0:
        left = steps

        def killing(do: Callable[..., Any]) -> Callable[..., Any]:
            def step(*args: Any, **options: Any) -> Any:
                nonlocal left
                if str(args[0]).startswith("/sys"):
                    return do(*args, **options)
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
                return do(*args, **options)

            return step

        for name in ("unlink", "rmdir", "rename"):
            setattr(os, name, killing(getattr(os, name)))
        try:
            take_down(home, "lost")
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("steps", [0, 1, 2, 5, 9, 14, 20])
def test_a_down_that_is_killed_leaves_no_half_machine_and_is_finished_first(
    home: Home, off: NspawnProvider, steps: int
) -> None:
    assert down_killed_after(home, steps)
    for name in folders.names(off.lab):
        assert folders.hardware(off.lab, name)
        assert (off.lab.machine(name) / "upper/etc/hostname").exists()
    if off.lab.exists:
        with pytest.raises(MachineError, match="the lab lost is half taken down"):
            Session.open(home, "lost")
    with locked(off.lab):
        finish_begun(home, off.lab)
    assert take_down(home, "lost") in (True, False)
    assert on_the_host() == []
    assert not [entry.name for entry in home.labs.iterdir() if "lost" in entry.name]


def test_up_after_half_a_down_makes_the_lab_anew(home: Home, off: NspawnProvider) -> None:
    assert down_killed_after(home, 9)
    lab = Lab("lost", home=home).add_server()
    try:
        lab.up()
        assert lab_identity(off.lab) not in (None, ("nspawn", MARK))
        assert on_the_host() == []
    finally:
        lab.down()


def test_a_running_machine_whose_cards_are_not_told_any_more_keeps_its_disk(
    home: Home, running: NspawnProvider
) -> None:
    plan = Lab("lost").add_server().plan()
    lives = cgroups.pids(cgroups.lab_groups(MARK), "server1")
    told = folders.hardware(running.lab, "server1")
    (running.lab.machine("server1") / "nics.json").unlink()
    (machine,) = running.status()
    assert machine.state != "stopped"
    running.create(plan, plan.machine("server1"))
    assert folders.hardware(running.lab, "server1") == told
    assert lives & cgroups.pids(cgroups.lab_groups(MARK), "server1")
    del home


def test_why_a_machine_could_not_be_started_is_in_the_error(running: NspawnProvider) -> None:
    running.kill("server1")
    shutil.rmtree(running.lab.machine("server1") / "work")
    running.start("server1")
    with pytest.raises(MachineError, match="server1 went off") as told:
        running.wait_ready("server1")
    assert "Cause: [Errno 2] mount on" in str(told.value)


def test_keys_that_are_gone_are_told_with_what_helps(home: Home, running: NspawnProvider) -> None:
    shutil.rmtree(running.lab.keys)
    with pytest.raises(MachineError, match="the keys that open server1 are gone") as told:
        running.endpoint("server1")
    assert told.value.resolution is not None
    assert told.value.resolution.startswith("labbuilder up gives it new ones")
    with pytest.raises(MachineError, match="server2 was never made"):
        running.endpoint("server2")
    del home
