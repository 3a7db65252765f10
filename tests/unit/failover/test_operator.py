"""What the operator of a pair may say, and when: the words reach the engine, or are refused and touch nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from fake.world import World
from fake_shell import FakeShell

from labbuilder.errors import MachineError, SpecError, WaitError
from labbuilder.failover import operator
from labbuilder.failover.operator import PeerStatus
from labbuilder.lab import Lab
from labbuilder.lifecycle import session as sessions
from labbuilder.reach import Shells


class FakeEngine:
    """Two daemons that are in the states that a test says."""

    unit = "fake-dhcpd"
    well = ("normal", "normal")
    told_down = ("partner-down",)

    def __init__(self) -> None:
        self.states = {"server1": "normal", "server2": "normal"}
        self.told: list[tuple[Any, ...]] = []
        self.obeys = True

    def status(self, session: object, peer: Any) -> PeerStatus:
        del session
        return PeerStatus(peer.name, "primary", self.states[peer.name], "", serving=True)

    def take_over(self, session: object, both: object, *, partner_lives: bool) -> None:
        del session, both
        self.told.append(("takeover", partner_lives))

    def give_back(self, session: object, both: object) -> None:
        del session, both
        self.told.append(("giveback",))

    def say_partner_down(self, session: object, machine: str) -> None:
        del session
        self.told.append(("partner-down", machine))
        if self.obeys:
            self.states[machine] = "partner-down"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    found = FakeEngine()
    monkeypatch.setattr(operator, "engine_of", lambda _: found)
    return found


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The exit status of a machine's ping of its partner; 0 when it is not there."""
    found: dict[str, int] = {}

    def connect(endpoint: Any, **_: object) -> FakeShell:
        return FakeShell({"ping": lambda _: found.get(endpoint.machine, 0)}, endpoint.machine)

    monkeypatch.setattr(sessions, "Shells", partial(Shells, open_shell=connect))
    return found


@pytest.fixture
def lab(world: World, engine: FakeEngine, pings: dict[str, int]) -> Iterator[Lab]:
    """A lab in load balancing."""
    del engine, pings
    lab = world.lab().up()
    yield lab
    lab.close()


@pytest.fixture
def manual(world: World, engine: FakeEngine, pings: dict[str, int]) -> Iterator[Lab]:
    del engine, pings
    lab = world.lab("manual").failover(mode="manual").up()
    yield lab
    lab.close()


def test_both_servers_are_shown_primary_first(lab: Lab, engine: FakeEngine) -> None:
    engine.states["server2"] = "communications-interrupted"
    assert [(peer.machine, peer.state) for peer in lab.failover_status()] == [
        ("server1", "normal"),
        ("server2", "communications-interrupted"),
    ]


def test_a_lab_with_one_server_has_no_operator(world: World, engine: FakeEngine) -> None:
    del engine
    lab = Lab("single", home=world.home).add_server().add_client().set(provider="nspawn").up()
    asked: tuple[Callable[[], object], ...] = (lab.failover_status, lab.giveback, lambda: lab.takeover("server1"))
    for ask in asked:
        with pytest.raises(SpecError, match="has one server"):
            ask()


def test_words_of_another_mode_are_refused(lab: Lab, manual: Lab, engine: FakeEngine) -> None:
    refused: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: lab.takeover("server2"), "takes over by itself"),
        (lab.giveback, "comes back by itself"),
        (lambda: manual.partner_down("server1"), "in manual mode nothing is told"),
        (lambda: manual.takeover("server1"), "server1 is the primary"),
        (lambda: manual.takeover("client1"), "client1 is no server"),
    )
    for ask, told in refused:
        with pytest.raises(SpecError, match=told):
            ask()
    assert engine.told == []


@pytest.mark.parametrize(("state", "ping", "alive"), [("normal", 0, True), ("down", 0, False), ("normal", 1, False)])
def test_nobody_takes_over_from_one_that_answers_unless_forced(
    world: World, manual: Lab, engine: FakeEngine, pings: dict[str, int], state: str, ping: int, *, alive: bool
) -> None:
    engine.states["server1"], pings["server2"] = state, ping
    if alive:
        with pytest.raises(MachineError, match="takeover refused: server1 still answers"):
            manual.takeover("server2")
        assert engine.told == []
    assert manual.takeover("server2", force=alive).machine == "server2"
    assert engine.told == [("takeover", alive)]
    done = [(record.effect, record.machine, record.state) for record in world.journal("manual").records()]
    assert done[-2:] == [("takeover", "server2", "begun"), ("takeover", "server2", "done")]


def test_a_frozen_partner_is_not_told_to_be_silent(manual: Lab, engine: FakeEngine) -> None:
    manual.pause("server1")
    manual.takeover("server2", force=True)
    assert engine.told == [("takeover", False)]


def test_giving_back_is_written_down(world: World, manual: Lab, engine: FakeEngine) -> None:
    assert manual.giveback().machine == "server1"
    assert engine.told == [("giveback",)]
    assert world.journal("manual").records()[-1].effect == "giveback"


def test_partner_down_is_said_of_a_silent_one_and_awaited(
    lab: Lab, engine: FakeEngine, pings: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MachineError, match="partner-down refused: server1 still answers"):
        lab.partner_down("server2")
    pings["server2"] = 1
    assert lab.partner_down("server2").state == "partner-down"
    engine.obeys, engine.states["server2"] = False, "normal"
    monkeypatch.setattr(operator, "_SETTLE_S", 0.1)
    with pytest.raises(WaitError, match="server2 says of itself that its partner is down"):
        lab.partner_down("server2")
