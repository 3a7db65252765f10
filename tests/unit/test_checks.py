"""Checks where the bridged LAN is a real one: no lab here has one, so their judges get what machines would say."""

from __future__ import annotations

import pytest

from labbuilder.lab import Lab
from labbuilder.run import Result
from labbuilder.verify.checks import checks_for

LAB = Lab("real").add_server().add_server().add_client().set(provider="virtualbox")


def judged(check: str, machine: str, said: str, code: int = 0) -> bool:
    (found,) = [c for c in checks_for(LAB.plan(), LAB.spec) if (c.id, c.machine) == (check, machine)]
    return found.judge(Result(("sh",), code, said)).passed


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("192.168.1.1\n151.101.130.132\n", True),
        ("192.168.1.2\ndebian.map.example.\n151.101.130.132\n", True),
        ("192.168.1.9\n151.101.130.132\n", False),
        ("192.168.1.1\n", False),
        ("192.168.1.1\n;; communications error to 8.8.8.8#53: timed out\n", False),
        ("", False),
    ],
)
def test_nat_is_proven_by_an_answer_of_the_world_over_a_servers_gateway(*, said: str, right: bool) -> None:
    assert judged("nat", "client1", said) is right


@pytest.mark.parametrize(
    ("said", "code", "right"),
    [
        ("151.101.130.132\n", 0, True),
        ("cdn.example.\n151.101.130.132\n", 0, True),
        ("cdn.example.\n", 0, False),
        ("", 0, False),
        ("151.101.130.132\n", 9, False),
    ],
)
def test_a_name_of_the_world_resolves_to_some_address(*, said: str, code: int, right: bool) -> None:
    assert judged("names.upstream", "server1", said, code) is right


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("192.168.1.1\n151.101.130.132\n", True),
        ("192.168.1.1\n", False),
        ("151.101.130.132\n", False),
        ("192.168.1.2\n151.101.130.132\n", False),
    ],
)
def test_a_server_resolves_the_labs_name_and_the_worlds(*, said: str, right: bool) -> None:
    assert judged("names.server1", "client1", said) is right
