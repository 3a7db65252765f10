"""The context of all work on one lab: its machines by name, and one connection each."""

from __future__ import annotations

from functools import partial

import pytest
from fake.world import World
from fake_shell import FakeShell

from labbuilder.errors import MachineError, SpecError, TransportError
from labbuilder.lifecycle import session as sessions
from labbuilder.lifecycle.session import Session
from labbuilder.reach import Shells


@pytest.fixture
def opened(world: World, monkeypatch: pytest.MonkeyPatch) -> list[FakeShell]:
    """The shells in the order in which they were opened; the lab aula is up."""
    found: list[FakeShell] = []

    def connect(endpoint: object, **_: object) -> FakeShell:
        machine = endpoint.machine  # type: ignore[attr-defined]
        found.append(
            FakeShell({"hostname": f"{machine}\n", "false": 1, "set -e\nfalse": 1, "set -e\ntrue": 0}, machine)
        )
        return found[-1]

    monkeypatch.setattr(sessions, "Shells", partial(Shells, open_shell=connect))
    world.lab().up()
    return found


def test_a_connection_is_opened_when_it_is_needed_and_kept(world: World, opened: list[FakeShell]) -> None:
    with Session.open(world.home, "aula") as session:
        assert opened == []
        assert session.shell("client1").run("hostname").stdout == "client1\n"
        assert session.shell("client1") is session.shell("client1")
        session.shell("server1")
        assert [shell.machine for shell in opened] == ["client1", "server1"]
    assert not any(shell.is_open for shell in opened)


def test_a_connection_that_ended_or_was_dropped_is_opened_anew(world: World, opened: list[FakeShell]) -> None:
    with Session.open(world.home, "aula") as session:
        session.shell("client1").close()
        assert session.shell("client1").run("hostname").ok
        session.drop("client1")
        assert not opened[-1].is_open
        assert session.shell("client1").run("hostname").ok
    assert len(opened) == 3


def test_an_unknown_machine_is_told_with_those_there_are(world: World, opened: list[FakeShell]) -> None:
    with Session.open(world.home, "aula") as session:
        assert session.machine("server2").name == "server2"
        for ask in (session.machine, session.shell):
            with pytest.raises(SpecError, match="no machine 'nope'") as told:
                ask("nope")
            assert told.value.resolution == "use one of: server1, server2, client1"
    assert opened == []


def test_lines_that_must_end_well_do_or_are_told(world: World, opened: list[FakeShell]) -> None:
    del opened
    with Session.open(world.home, "aula") as session:
        session.sure("server1", "true")
        with pytest.raises(MachineError, match="server1 refused"):
            session.sure("server1", "false")


def test_a_lab_that_is_not_there_is_told_with_those_there_are(world: World, opened: list[FakeShell]) -> None:
    del opened
    with pytest.raises(SpecError, match="there is no lab named other") as told:
        Session.open(world.home, "other")
    assert told.value.details == "There are: aula"


def test_a_machine_that_is_off_is_told_with_what_mends_it(world: World) -> None:
    lab = world.lab().up()
    for word, state, mend in (("kill", "stopped", "start"), ("pause", "paused", "resume")):
        lab.start("client1")
        getattr(lab, word)("client1")
        with (
            Session.open(world.home, "aula") as session,
            pytest.raises(TransportError, match=f"client1 is {state}") as told,
        ):
            session.shell("client1")
        assert f"labbuilder {mend} client1" in (told.value.resolution or "")
