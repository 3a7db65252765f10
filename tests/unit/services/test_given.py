"""What a client was given, by the kernel and dhclient: both were captured of a client that asked twice."""

from __future__ import annotations

import json
from ipaddress import IPv4Address

import pytest

from labbuilder.host.run import Result
from labbuilder.lab import Lab
from labbuilder.lifecycle.now import amiss
from labbuilder.reach import MachineState, MachineStatus
from labbuilder.services.dhcp.given import Given, read

SERVERS = {"server1": IPv4Address("192.168.1.1"), "server2": IPv4Address("192.168.1.2")}
NOTED = """default-duid "\\000\\001";
lease {
  interface "enp0s3";
  fixed-address 192.168.1.150;
  option dhcp-server-identifier %s;
  renew 1 2026/11/30 19:17:44;
}
lease {
  interface "enp0s3";
  fixed-address 192.168.1.151;
  option dhcp-server-identifier 192.168.1.1;
}
"""


def given(*addresses: tuple[str, int | None], noted: str = NOTED % "192.168.1.2") -> tuple[Given, ...]:
    info = [
        {
            "local": address,
            "prefixlen": 24,
            "valid_life_time": left or 4294967295,
            **({"dynamic": True} if left else {}),
        }
        for address, left in addresses
    ]
    said = json.dumps([{"ifname": "enp0s3", "addr_info": info}]) + "\n" + noted
    return read(Result((), 0, said), SERVERS)


def test_an_address_is_told_with_who_gave_it_and_how_long_it_stays() -> None:
    assert given(("192.168.1.150", 364)) == (Given("192.168.1.150/24", "server2", 364),)


def test_a_second_dhclient_gives_a_second_address() -> None:
    told = given(("192.168.1.150", 9), ("192.168.1.151", 600))
    assert [(one.address, one.server) for one in told] == [
        ("192.168.1.150/24", "server2"),
        ("192.168.1.151/24", "server1"),
    ]


@pytest.mark.parametrize(("noted", "server"), [(NOTED % "192.168.1.7", "192.168.1.7"), ("", ""), ("lease {\n}\n", "")])
def test_a_strange_server_is_told_by_its_address_and_one_that_nobody_noted_by_nothing(noted: str, server: str) -> None:
    assert given(("192.168.1.150", 5), noted=noted) == (Given("192.168.1.150/24", server, 5),)


def test_an_address_that_was_set_by_hand_is_no_lease() -> None:
    assert given(("192.168.1.150", None)) == (Given("192.168.1.150/24", "", None),)


@pytest.mark.parametrize("said", ["", "\n", 'Device "enp0s3" does not exist.\n'])
def test_a_client_without_its_nic_has_nothing(said: str) -> None:
    assert read(Result((), 1, said), SERVERS) == ()


def test_what_is_amiss_with_a_lab_is_told_machine_by_machine() -> None:
    plan = Lab().add_server().add_server().add_clients(2).plan()
    seen = [
        MachineStatus("server1", MachineState.RUNNING, cut_links=("internal",)),
        MachineStatus("server2", MachineState.RUNNING),
        MachineStatus("client1", MachineState.PAUSED, cut_links=("internal",)),
    ]
    told = {"server1": "internal unplugged", "client1": "paused, internal unplugged", "client2": "not made"}
    assert amiss(plan, seen) == told
