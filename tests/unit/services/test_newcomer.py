"""What a client that was never there heard, and what its judges make of it."""

from __future__ import annotations

import pytest

from labbuilder.host.run import Result
from labbuilder.lab import Lab
from labbuilder.model.check import Judgement
from labbuilder.services import newcomer
from labbuilder.services.newcomer import HIGH, LATE, LOW
from labbuilder.verify.checks import checks_for, left_out

LAB = Lab("t").add_server().add_server().add_client()
PLAN = LAB.plan()
ONE, TWO = (server.nic("internal").mac for server in PLAN.servers)
PROMISED = "51=0000003c 1=ffffff00 3=c0a8010{own} 6=c0a8010{own}c0a8010{other} 15=6c61622e74657374 28=c0a801ff"


def said(wish: str, kind: int, server: int, address: str, more: str = "") -> str:
    options = PROMISED.format(own=server, other=3 - server)
    mac = (ONE, TWO)[server - 1]
    return f"dhcp {wish} {kind} {mac} 192.168.1.{server} {address} 53=0{kind} 54=c0a8010{server} {options}{more}"


GOOD = [
    *(said("low", kind, 1, "192.168.1.151") for kind in (2, 5)),
    *(said("high", kind, 2, "192.168.1.149") for kind in (2, 5)),
    *(said("late", 2, server, f"192.168.1.12{server}") for server in (1, 2)),
]


def judged(check: str, *lines: str, machine: str = "client1") -> Judgement:
    (found,) = [c for c in checks_for(PLAN) if (c.id, c.machine) == (check, machine)]
    printed = "".join(f"{line}\n" for line in (*lines, "end"))
    made = found.judge(*(Result(("sh",), 0, printed if n == 0 else "") for n, _ in enumerate(found.probes)))
    assert isinstance(made, Judgement)
    return made


def pearson(mac: str, table: bytes) -> int:
    """RFC 3074, 4."""
    key = bytes.fromhex(mac.replace(":", ""))
    found = len(key)
    for byte in reversed(key):
        found = table[found ^ byte]
    return found


def test_the_macs_are_of_the_first_and_the_last_bucket_of_the_hash() -> None:
    table = bytes.fromhex(
        "fbaf77d7510e4fbf6731b58fba9d00e81f20373c983a11edae46a090dc5a39df3b03128c6fa6cbc486f37c5fdeb3c541"
        "b430240f6b2ee982a51e7ba1d1176110285bdb3d640ad26dfa7f168a1d6cf443cf09b2cc4a627ef9a774224dc1c87905"
        "14714723800db65e19e2e3c74b1b29f5e6e02be1b11a9b96d48eda73f149586927723effc0c991d6a89edd949a7a0c54"
        "52a32c8be4eccdf2d90bbb929f4056efc32a6ac67670b8ac5702ad75b0e5f7fd89b963a466932d42e7348dd3c2cef6ee"
        "386e4ef83ff0bd5d5c3335b713ab48322168654508fc53784c875536ca7dbcd560eb88d0a281be849c262f0107fe1804"
        "d88359151c8525999550aa4406a9ea97"
    )
    assert sorted(table) == list(range(256))
    assert (pearson(LOW, table), pearson(HIGH, table)) == (0, 255)


@pytest.mark.parametrize("server", ["server1", "server2"])
def test_what_was_promised_passes(server: str) -> None:
    assert judged(f"newcomer.{server}", *GOOD).passed
    assert judged("newcomer.strangers", *GOOD).passed


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        ("3=c0a80101", "3=c0a8014d", "router 192.168.1.77, not 192.168.1.1"),
        ("6=c0a80101c0a80102", "6=09090909", "resolvers 9.9.9.9, not 192.168.1.1 192.168.1.2"),
        (" 28=c0a801ff", "", "broadcast address missing, not 192.168.1.255"),
        ("15=6c61622e74657374", "15=ff", "domain \ufffd, not lab.test"),
        ("51=0000003c", "51=0000001e", "lease time 30 s, not 60 to 600"),
        ("51=0000003c", "51=0000003c 42=c0a80105", "option 42 (c0a80105), which nobody promised"),
        ("51=0000003c", "51=0000003c 58=00000040", "renewal time 64 s of 60"),
        ("192.168.1.151", "192.168.1.9", "address 192.168.1.9, not of 192.168.1.100-192.168.1.200"),
        ("54=c0a80101", "54=c0a80109", "server 192.168.1.9, not 192.168.1.1"),
    ],
)
def test_where_an_offer_differs_is_told(old: str, new: str, seen: str) -> None:
    found = judged("newcomer.server1", *(line.replace(old, new) for line in GOOD))
    assert not found.passed
    assert seen in found.observed.splitlines()


def test_silence_a_lease_that_is_not_given_and_other_servers_clients_are_told() -> None:
    assert f"{LOW} is offered nothing" in judged("newcomer.server1", *GOOD[2:]).observed
    assert judged("newcomer.server1", GOOD[0], *GOOD[2:]).observed == f"{LOW} is offered 192.168.1.151 and not given it"
    both = judged("newcomer.server1", *GOOD, said("high", 2, 1, "192.168.1.150"))
    assert both.observed == f"{HIGH} is offered 192.168.1.150: it is the other server's client"
    assert both.settle_s > judged("newcomer.server1").settle_s, "a pair on its way back to normal is waited for"
    assert f"{LATE} is offered nothing" in judged("newcomer.server2").observed


def test_a_stranger_is_named_once_with_mac_and_address() -> None:
    mac = PLAN.clients[0].nics[0].mac
    rogue = [f"dhcp low 5 {mac} 192.168.1.148 0.0.0.0 53=05", f"dhcp low 2 {mac} 192.168.1.148 192.168.1.40 53=02"]
    found = judged("newcomer.strangers", *GOOD, *rogue, "dhcp low 5 aa:bb:cc:dd:ee:ff 192.168.1.7 0.0.0.0 53=05")
    assert found.observed.splitlines() == [
        f"192.168.1.148, client1 ({mac}), offers 192.168.1.40",
        "192.168.1.7, a stranger (aa:bb:cc:dd:ee:ff), tells of itself",
    ]


def test_ways_that_lead_nowhere_are_named() -> None:
    sources = ["source 192.168.1.151"]
    ways = [way for way in newcomer.ways(PLAN, PLAN.servers[0]) if way.source == 0]
    lines = [f"way {way.name} {way.expected}" for way in ways]
    assert judged("way.server1", *lines, *sources).passed
    found = judged("way.server1", *lines[1:-1], f"way {ways[-1].name} Network is unreachable", *sources)
    assert found.observed.splitlines() == [
        "192.168.1.151 > 8.8.8.8 dns www.internet.test: no answer",
        "192.168.1.151 > 203.0.113.10 icmp full: Network is unreachable",
    ]
    assert judged("way.server1").observed == "no address was leased to go there from"


def test_owners_are_compared_and_who_answers_for_others_is_named() -> None:
    good = [f"arp 192.168.1.1 {ONE}", f"arp 192.168.1.2 {TWO}", f"proxy 192.168.1.1 {ONE}"]
    assert judged("owners.internal", *good).passed
    found = judged("owners.internal", good[0], "arp 192.168.1.1 aa:aa:aa:aa:aa:aa", f"proxy 8.8.8.8 {TWO}")
    assert found.observed.splitlines() == [
        "192.168.1.2: nobody",
        f"192.168.1.1: server1 ({ONE}), a stranger (aa:aa:aa:aa:aa:aa)",
        f"server2 ({TWO}) answers for 8.8.8.8",
    ]


@pytest.mark.parametrize("printed", ["", "arp 192.168.1.1\nend\n", "dhcp low 2\n"])
def test_what_did_not_end_or_says_something_else_is_no_answer(printed: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        newcomer.heard(Result(("sh",), 0, printed))


def test_a_pool_without_room_and_a_real_lan_leave_out_what_they_forbid() -> None:
    small = Lab("s").add_server().add_server().add_clients(2).set(dhcp={"pool": "192.168.1.100-192.168.1.105"})
    ids = {check.id for check in checks_for(small.plan())}
    assert "owners.internal" in ids
    assert not any(name.startswith(("newcomer.", "way.", "names.new.")) for name in ids)
    assert "192.168.1.100-192.168.1.105 has no room" in "".join(left_out(small.plan()))
    real = Lab("r").add_server().add_server().add_client().set(provider="virtualbox")
    ids = {check.id for check in checks_for(real.plan())}
    assert {"newcomer.server1", "way.server2"} <= ids
    assert not any(name.startswith("outside.") or name == "owners.bridged" for name in ids)
    assert "is not the lab's own" in "".join(left_out(real.plan()))
    assert list(left_out(PLAN)) == []
