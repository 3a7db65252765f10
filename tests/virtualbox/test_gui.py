"""A machine whose settings window is open in the GUI; VirtualBox's Python binding takes the same lock."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import userland
from virtual_trial import Trial

from labbuilder.errors import MachineError
from labbuilder.host.run import Result
from labbuilder.providers.base import MachineState
from labbuilder.providers.virtualbox import host, vboxmanage
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage

pytestmark = pytest.mark.needs_root
TOLD = "another program holds the machine"


@contextmanager
def settings_window(machine: str, folder: Path) -> Iterator[Callable[[], None]]:
    """Somebody looks at the machine's settings; what it gives closes the window."""
    shutil.copy(Path(__file__).with_name("hold.py"), folder)  # the tree sees /tmp
    words = (userland.build() / "vbox-python", folder / "hold.py", machine)
    registry = {name: os.environ[name] for name in ("VBOX_USER_HOME", "VBOX_IPC_SOCKETID", "HOME")}
    environment = registry | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment) as window:
        assert window.stdout is not None
        assert window.stdin is not None
        assert window.stdout.readline() == "held\n", window.communicate()[1]
        try:
            yield window.stdin.close
        finally:
            window.stdin.close()


def test_what_changes_a_held_machine_is_told_what_to_close_and_nothing_is_lost(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.define()
    monkeypatch.setattr(vboxmanage, "BUSY_LIMIT_S", 1.0)
    monkeypatch.setattr(host, "DRIVER", tmp_path)  # so that VirtualBox itself is asked to start it
    before = trial.provider.registry.machines()
    with settings_window("trap-server1", tmp_path):
        assert {m.state for m in trial.provider.status()} == {MachineState.STOPPED}
        trial.define()  # it is there, so `up` has nothing to make
        refusals: tuple[Callable[[], None], ...] = (
            partial(trial.provider.start, "server1"),
            trial.provider.destroy_all,
        )
        for refused in refusals:
            with pytest.raises(MachineError, match=TOLD) as told:
                refused()
            assert "close its window" in (told.value.resolution or "")
        trial.provider.save_snapshot("kept")  # VirtualBox allows it
        trial.provider.delete_snapshot("kept")
        for machine in trial.plan.machines:
            assert trial.provider._disk(machine.name).is_file()
    assert trial.provider.registry.machines() == before
    trial.provider.destroy_all()
    assert list(trial.provider.residue()) == []


def test_a_window_that_is_closed_meanwhile_is_waited_for(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.define()
    real, refused = VBoxManage._run, []
    with settings_window("trap-server1", tmp_path) as close:

        def closing(self: VBoxManage, argv: tuple[str | Path, ...], **limits: Any) -> Result:
            try:
                return real(self, argv, **limits)
            except MachineError as error:
                refused.append(error.brief)
                close()
                raise

        monkeypatch.setattr(VBoxManage, "_run", closing)
        trial.provider.destroy("server1")
    assert set(refused) == {TOLD}
    assert [machine.name for machine in trial.provider.status()] == ["client1", "server2"]
