"""The way to machines that are there, whoever made them."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_shell import FakeShell

from labbuilder.errors import MachineError, TransportError
from labbuilder.reach import KnownMachines, MachineState, MachineStatus, Shells
from labbuilder.ssh.endpoint import Endpoint


class Machines:
    """A `Reach` of one machine in a state that a test says."""

    def __init__(self, state: MachineState) -> None:
        self.state = state

    def status(self) -> tuple[MachineStatus, ...]:
        return (MachineStatus("server1", self.state),)

    def is_awake(self, name: str) -> bool:
        return self.state is MachineState.RUNNING

    def endpoint(self, name: str) -> Endpoint:
        return Endpoint(name)

    def wait_ready(self, name: str) -> None:
        pass


class Opening:
    """Connects as often as it is told to fail before it does."""

    def __init__(self, failing: int = 0) -> None:
        self.failing = failing
        self.limits: list[float] = []
        self.shells: list[FakeShell] = []

    def __call__(self, endpoint: Endpoint, *, within_s: float) -> FakeShell:
        self.limits.append(within_s)
        if len(self.limits) <= self.failing:
            raise TransportError("server1 can't be reached over SSH", resolution=endpoint.advice)
        self.shells.append(FakeShell({"true": 0}, endpoint.machine))
        return self.shells[-1]


def test_a_shell_is_opened_once_and_again_when_its_machine_went_away() -> None:
    opening = Opening()
    shells = Shells(Machines(MachineState.RUNNING), opening)
    first = shells.shell("server1")
    assert shells.shell("server1") is first
    first.close()
    assert shells.shell("server1") is opening.shells[1]
    shells.drop("server1")
    shells.drop("server1")
    assert not opening.shells[1].is_open
    shells.shell("server1")
    shells.close()
    assert [shell.is_open for shell in opening.shells] == [False, False, False]


def test_a_slow_machine_that_is_on_gets_a_longer_limit() -> None:
    opening = Opening(failing=1)
    Shells(Machines(MachineState.RUNNING), opening).shell("server1")
    assert opening.limits == [5.0, 60.0]


@pytest.mark.parametrize(
    ("state", "brief", "resolution"),
    [
        (MachineState.STOPPED, "server1 is stopped", "labbuilder start server1 starts it"),
        (MachineState.PAUSED, "server1 is paused", "labbuilder resume server1 lets it go on"),
        (MachineState.LOST, "server1 is lost", "labbuilder status shows whether it runs"),
    ],
)
def test_why_a_machine_cant_be_reached_is_said(state: MachineState, brief: str, resolution: str) -> None:
    with pytest.raises(TransportError) as told:
        Shells(Machines(state), Opening(failing=1)).shell("server1")
    assert told.value.brief == brief
    assert (told.value.resolution or "").startswith(resolution)


def test_a_list_of_machines_knows_its_own_alone(tmp_path: Path) -> None:
    known = KnownMachines([Endpoint("b", unix_socket=tmp_path / "b"), Endpoint("a", unix_socket=tmp_path / "a")])
    assert known.status() == (MachineStatus("a", MachineState.LOST), MachineStatus("b", MachineState.LOST))
    with pytest.raises(MachineError, match="there is no machine c"):
        known.endpoint("c")
