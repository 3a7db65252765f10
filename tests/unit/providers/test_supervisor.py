"""The supervisor outlives what goes wrong with one machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from labbuilder.providers.nspawn import launch
from labbuilder.providers.nspawn.supervisor import Supervisor


@pytest.mark.needs_root
def test_a_power_on_that_fails_halfway_is_an_answer_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "machines/server1/run").mkdir(parents=True)
    lab = Supervisor("mark", (), tmp_path)
    monkeypatch.setattr(launch, "UID_COUNT", 0)  # the kernel refuses such a map
    answer = lab.carry_out(b'{"do": "boot", "name": "server1", "nics": []}')
    assert "Invalid argument" in answer["error"]
    pid = lab.machines["server1"].pid
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
    monkeypatch.setattr(launch, "wait_any", lambda: [(pid, 137)])
    wake, waker = socket.socketpair()
    with wake, waker:
        waker.send(b"c")
        lab.reap(wake)
    assert [(m["running"], m["exit_code"]) for m in lab.status()["machines"]] == [(False, 137)]
    lab.selector.close()
