"""Specs from files: every wrong value is named with its line; what is right survives a round trip."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbuilder.errors import SpecError
from labbuilder.lab import Lab
from labbuilder.plan import build_plan
from labbuilder.plan.image import image_recipe
from labbuilder.plan.load import json_schema, parse_spec
from labbuilder.plan.problems import notices
from labbuilder.providers.disks.seed import MANAGEMENT_NIC
from labbuilder.services.dhcp import engine_of
from labbuilder.services.dhcp.isc import primary_buckets
from labbuilder.spec import models
from labbuilder.spec.load import dump_spec
from labbuilder.spec.models import LabSpec

WRONG = {
    "unknown key": ("dhcp:\n  poool: 1\n", "lab.yaml:2: dhcp.poool: unknown key; did you mean pool?"),
    "overlap": (
        "dhcp:\n  pool: 192.168.1.1-192.168.1.9\n",
        "lab.yaml:2: dhcp.pool: 192.168.1.1-192.168.1.9 holds 192.168.1.1",
    ),
    "pool outside": (
        "dhcp: {pool: 10.0.0.1-10.0.0.9}\n",
        "lab.yaml:1: dhcp.pool: 10.0.0.1-10.0.0.9 is not inside 192.168.1.0/24",
    ),
    "virtual address in the pool": (
        "gateway: {redundancy: vrrp, address: 192.168.1.150}\n",
        "lab.yaml:1: gateway.address: 192.168.1.150 is in the pool 192.168.1.100-192.168.1.200",
    ),
    "virtual address outside": (
        "gateway: {redundancy: vrrp, address: 10.0.0.1}\n",
        "gateway.address: 10.0.0.1 is no host address of 192.168.1.0/24",
    ),
    "virtual address of a server": (
        "gateway: {redundancy: vrrp, address: 192.168.1.2}\n",
        "gateway.address: 192.168.1.2 is taken: it is the internal address of server2",
    ),
    "one virtual server": ("servers: 1\ngateway: {redundancy: vrrp}\n", "vrrp needs two servers; there is one"),
    "advertisements too short": ("gateway: {redundancy: vrrp, advert_ms: 50}\n", "greater than or equal to 100"),
    "advertisements between": ("gateway: {redundancy: vrrp, advert_ms: 255}\n", "a multiple of 10"),
    "virtual router 256": ("gateway: {redundancy: vrrp, router_id: 256}\n", "gateway.router_id"),
    "virtual address without redundancy": (
        "gateway: {address: 192.168.1.254}\n",
        "gateway.address: says nothing without `redundancy: vrrp`",
    ),
    "pool reversed": ("dhcp: {pool: 192.168.1.20-192.168.1.10}\n", "ends before it starts"),
    "pool too small": ("clients: 5\ndhcp: {pool: 192.168.1.20-192.168.1.21}\n", "has 2 addresses; needed: 5"),
    "address outside": (
        "servers:\n- {name: a, internal: 10.0.0.1}\n",
        "lab.yaml:2: servers[0].internal: 10.0.0.1/24 is no host address",
    ),
    "address twice": (
        "servers:\n- {name: a, internal: 192.168.1.5}\n- {name: b, internal: 192.168.1.5}\n",
        "lab.yaml:3: servers[1].internal: 192.168.1.5 is taken: it is the internal address of a",
    ),
    "gateway taken": (
        "networks: {bridged: {gateway: 172.26.0.11}}\n",
        "172.26.0.11 is taken: it is the gateway",
    ),
    "bad cidr": (
        "networks:\n  internal:\n    subnet: 192.168.1.5/24\n",
        "lab.yaml:3: networks.internal.subnet",
    ),
    "subnets overlap": ("networks: {internal: {subnet: 172.26.1.0/24}}\n", "overlaps the internal"),
    "bad name": ("name: ../x\n", "lab.yaml:1: name: '../x'"),
    "name twice": ("servers: [a, a]\n", "a is another machine's name too"),
    "three servers": ("servers: 3\n", "at most 2"),
    "no server": ("servers: 0\n", "servers"),
    "key twice": ("name: a\nname: b\n", "lab.yaml:1: name: is said twice, again in line 2"),
    "lease times": ("dhcp: {default_lease_s: 600, max_lease_s: 60}\n", "is less than default_lease_s"),
    "unknown mode": (
        "dhcp: {failover: {mode: fastest}}\n",
        (
            "lab.yaml:1: dhcp.failover.mode: 'fastest': input should be 'load-balancing', 'hot-standby', "
            "'round-robin' or 'manual'"
        ),
    ),
    "unknown engine": (
        "dhcp:\n  failover:\n    engine: dnsmasq\n",
        "lab.yaml:3: dhcp.failover.engine: 'dnsmasq': input should be 'isc' or 'kea'",
    ),
    **{
        f"{mode} with one server": (
            f"servers: 1\ndhcp:\n  failover:\n    mode: {mode}\n",
            f"lab.yaml:4: dhcp.failover.mode: {mode} needs two servers; there is one",
        )
        for mode in ("load-balancing", "hot-standby", "round-robin", "manual")
    },
    "split with round robin": (
        "dhcp:\n  failover:\n    mode: round-robin\n    split: 128\n",
        "lab.yaml:4: dhcp.failover.split: 128 with round-robin; allowed: split with load-balancing alone",
    ),
    "split on Kea": (
        "dhcp: {failover: {engine: kea, split: 50%}}\n",
        "lab.yaml:1: dhcp.failover.split: 128: Kea has no split, its pools are shared out evenly",
    ),
    **{
        f"{key} with {mode} on {engine}": (
            f"dhcp:\n  failover: {{engine: {engine}, mode: {mode}, {key}: 9}}\n",
            f"lab.yaml:2: dhcp.failover.{key}: 9: {engine} has no such setting in mode {mode}",
        )
        for engine, mode, key in [
            ("kea", "hot-standby", "mclt_s"),
            ("kea", "load-balancing", "load_balance_max_s"),
            ("isc", "manual", "mclt_s"),
            ("isc", "round-robin", "heartbeat_s"),
            ("isc", "load-balancing", "max_unacked_clients"),
        ]
    },
    "lease of nothing": ("dhcp: {default_lease_s: 9}\n", "lab.yaml:1: dhcp.default_lease_s: 9: input"),
    "split of too much": ("dhcp: {failover: {split: 257}}\n", "split: 257: input should be less than or equal to 256"),
    "share of too much": ("dhcp: {failover: {split: 101%}}\n", "split: '101%': allowed: 0% to 100%"),
    "share of nothing": ("dhcp: {failover: {split: '%'}}\n", "split: '%': allowed: 0% to 100%"),
    "share below zero": ("dhcp: {failover: {split: -1%}}\n", "split: '-1%': allowed: 0% to 100%"),
    "lease shorter than MCLT": (
        "dhcp:\n  default_lease_s: 60\n  failover: {mclt_s: 61}\n",
        "lab.yaml:2: dhcp.default_lease_s: 60 is shorter than the MCLT, 61 (dhcp.failover.mclt_s)",
    ),
    "pool of one address": (
        "dhcp:\n  pool: 192.168.1.100-192.168.1.100\n",
        "lab.yaml:2: dhcp.pool: 192.168.1.100-192.168.1.100 has 1 address; needed: 2, one a server",
    ),
    **{
        f"half a pool of Kea, {mode}": (
            f"clients: 6\ndhcp:\n  pool: 192.168.1.100-192.168.1.110\n  failover: {{engine: kea, mode: {mode}}}\n",
            (
                "lab.yaml:3: dhcp.pool: 192.168.1.100-192.168.1.110 has 11 addresses; needed: 12, or 6 with "
                "hot-standby: each of Kea's servers leases one half, and its hash may give one of them all the clients"
            ),
        )
        for mode in ("load-balancing", "round-robin")
    },
    **{
        f"{kind} {subnet}": (
            f"networks:\n  {kind}: {{subnet: {subnet}}}\n",
            f"lab.yaml:2: networks.{kind}.subnet: '{subnet}': {told}",
        )
        for kind in ("internal", "bridged")
        for subnet, told in {
            "203.0.113.0/24": "overlaps 203.0.113.10/32: the host of the simulated world that proves NAT",
            "127.0.0.0/24": "overlaps 127.0.0.0/8: loopback",
            "239.1.0.0/24": "overlaps 224.0.0.0/4: multicast",
            "169.254.0.0/16": "overlaps 169.254.0.0/16: link-local",
            "0.0.0.0/32": "is too small; allowed: a prefix up to /29",
        }.items()
    },
    **{
        f"{name} as {where}": (text.format(name), f"lab.yaml:2: {where}: '{name}': the name is taken: it is {why}")
        for where, name, text, why in [
            ("clients[0].name", "localhost", "clients:\n- {}\n", "every machine's own name"),
            ("networks.internal.nic", "enp0s9", "networks:\n  internal: {{nic: {}}}\n", "the NIC of the management"),
            ("networks.bridged.nic", "lo", "networks:\n  bridged: {{nic: {}}}\n", "every machine's own NIC"),
        ]
    },
    "forwarder inside": (
        "dns:\n  forwarders:\n  - 8.8.8.8\n  - 192.168.1.7\n",
        "lab.yaml:4: dns.forwarders[1]: 192.168.1.7 is in the internal 192.168.1.0/24, where no world is",
    ),
    "forwarder as a number": ("dns: {forwarders: [8]}\n", "lab.yaml:1: dns.forwarders[0]: 8: a number is no address"),
    "subnet as a number": ("networks: {bridged: {subnet: 8}}\n", "networks.bridged.subnet: 8: a number is no address"),
    "long label": (f"dns: {{domain: a.{'b' * 64}}}\n", f"lab.yaml:1: dns.domain: 'a.{'b' * 64}': string should match"),
    "silence before the heartbeat": (
        "dhcp:\n  failover: {engine: kea, heartbeat_s: 3, max_response_delay_s: 3}\n",
        (
            "lab.yaml:2: dhcp.failover.max_response_delay_s: a partner would count as unreachable after 3 s, before "
            "its next heartbeat is due, after 3 s"
        ),
    ),
}


@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_named_with_its_place(text: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "lab.yaml")
    assert told in (caught.value.details or "")
    assert caught.value.resolution


@pytest.mark.parametrize(
    "text",
    [
        "dhcp: {default_lease_s: 60, failover: {mclt_s: 60}}",
        "dhcp: {default_lease_s: 20, max_lease_s: 20, failover: {mclt_s: 20}}",
        "dhcp: {default_lease_s: 20, failover: {engine: kea}}",  # Kea knows no MCLT
        "dhcp: {default_lease_s: 20, failover: {mode: manual}}",  # nor does a cold standby
        "dhcp: {default_lease_s: 60, failover: {mclt_s: 61}}\nservers: 1",
        "dhcp: {pool: 192.168.1.100-192.168.1.100}\nservers: 1",
        "dhcp: {failover: {engine: kea}}\nservers: 1",
        "dhcp: {pool: 192.168.1.100-192.168.1.101, failover: {engine: kea}}",
        "clients: 6\ndhcp: {pool: 192.168.1.100-192.168.1.111, failover: {engine: kea}}",
        "clients: 6\ndhcp: {pool: 192.168.1.100-192.168.1.105, failover: {engine: kea, mode: hot-standby}}",
        "clients: 6\nservers: 1\ndhcp: {pool: 192.168.1.100-192.168.1.105, failover: {engine: kea}}",
        "clients: 6\ndhcp: {pool: 192.168.1.100-192.168.1.105}",  # ISC's peers even it out; seen with just enough
        "dhcp: {failover: {split: 0}}",
        "networks: {internal: {subnet: 192.0.2.0/24}, bridged: {subnet: 198.51.100.0/29}}",  # RFC 5737: for documents
        f"dns: {{domain: a.{'b' * 63}}}",
    ],
)
def test_what_does_no_harm_is_taken(text: str) -> None:
    parse_spec(text, "lab.yaml")


@pytest.mark.parametrize(
    ("said", "buckets"), [("70%", 179), ("0%", 0), ("100%", 256), ("0.5%", 1), (256, 256), (None, 128)]
)
def test_a_split_is_so_many_buckets_of_256(said: str | int | None, buckets: int) -> None:
    lab = Lab().add_server().add_server().failover(**({} if said is None else {"split": said}))
    assert primary_buckets(lab.spec.dhcp.failover) == buckets


@pytest.mark.parametrize("mode", ["load-balancing", "hot-standby", "round-robin", "manual"])
@pytest.mark.parametrize("engine", ["isc", "kea"])
def test_mode_and_engine_are_said_in_python_as_in_yaml(mode: str, engine: str) -> None:
    spec = Lab("x").add_server().add_server().failover(mode=mode).failover(engine=engine).spec
    assert spec == parse_spec(f"name: x\nclients: 0\ndhcp: {{failover: {{mode: {mode}, engine: {engine}}}}}", "x")
    assert parse_spec(dump_spec(spec), "y") == spec


@pytest.mark.parametrize(("engine", "said"), [("isc", "dhcpd gives each server every other"), ("kea", "Kea halves")])
def test_who_chooses_round_robin_is_told_that_nothing_rotates(engine: str, said: str) -> None:
    lab = Lab().add_server().add_server().failover(engine=engine)
    assert engine_of(lab.plan()).notice() == ""
    notice = engine_of(lab.failover(mode="round-robin").plan()).notice()
    assert "no DHCP server rotates by request" in notice
    assert said in notice


def test_who_asks_for_leases_of_seconds_is_told_what_they_do() -> None:
    lab = Lab().add_server()
    assert [*notices(lab.set(dhcp={"default_lease_s": 60}).spec)] == []
    (notice,) = notices(lab.set(dhcp={"default_lease_s": 20}).spec)
    assert "each client renews every 10 s" in notice


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"mode": "fastest"}, "dhcp.failover.mode: 'fastest'"),
        ({"engine": "dnsmasq"}, "dhcp.failover.engine: 'dnsmasq'"),
        ({"mod": "manual"}, "dhcp.failover.mod: unknown key; did you mean mode?"),
        ({"mode": "round-robin", "split": "50%"}, "dhcp.failover.split: 128 with round-robin"),
    ],
)
def test_a_wrong_failover_in_python_is_named_with_its_place(settings: dict[str, str], told: str) -> None:
    with pytest.raises(SpecError) as caught:
        _ = Lab().add_server().add_server().failover(**settings).spec
    assert told in (caught.value.details or "")


def test_a_mode_asked_for_with_one_server_is_refused_in_python() -> None:
    with pytest.raises(SpecError, match="1 problem") as caught:
        _ = Lab().add_server().failover(mode="load-balancing").spec
    assert caught.value.details == "dhcp.failover.mode: load-balancing needs two servers; there is one"


BOMB = "\n".join(["a0: &a0 [1, 1, 1, 1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))])


@pytest.mark.parametrize(
    "text",
    [
        "a: [1\nb: 2",
        "",
        "- 1",
        "x: !!python/object/apply:os.system ['ls']",
        "name: 2024-13-45",
        "name: " + "[" * 5000,
        "dhcp: &a [*a]",
        f"{BOMB}\nclients: *a11",
    ],
)
def test_what_is_no_spec_is_told_without_a_traceback(text: str) -> None:
    with pytest.raises(SpecError, match=r"lab\.yaml"):
        parse_spec(text, "lab.yaml")


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SpecError, match="3 problems"):
        parse_spec("name: X\nsuite: potato\ncolour: red\n", "lab.yaml")


def test_nothing_said_is_the_guides_lab() -> None:
    guide = Lab("aula").add_server().add_server().add_client()
    assert guide.spec == LabSpec()
    plan = guide.plan()
    assert [str(server.address("internal")) for server in plan.servers] == ["192.168.1.1/24", "192.168.1.2/24"]
    assert [str(server.address("bridged")) for server in plan.servers] == ["172.26.0.11/16", "172.26.0.12/16"]
    assert str(plan.pool) == "192.168.1.100-192.168.1.200"


def test_what_providers_name_themselves_is_reserved() -> None:
    """A spec knows no provider, so the names are said twice."""
    assert MANAGEMENT_NIC in models._RESERVED_NAMES


@pytest.mark.parametrize(("prefix", "last"), [(29, [5, 6]), (28, [11, 12]), (16, [11, 12])])
def test_servers_find_room_in_a_small_lan(prefix: int, last: list[int]) -> None:
    plan = build_plan(parse_spec(f"networks: {{bridged: {{subnet: 172.26.0.0/{prefix}}}}}", "x"))
    assert [server.address("bridged").ip for server in plan.servers] == [IPv4Address("172.26.0.0") + n for n in last]


@given(
    clients=st.integers(0, 40),
    servers=st.integers(1, 2),
    lease=st.integers(60, 7200),
    domain=st.sampled_from(["lab.test", "a.b.example"]),
    subnet=st.sampled_from(["192.168.1.0/24", "10.1.0.0/16", "192.168.7.0/25"]),
)
def test_a_spec_survives_the_round_trip(clients: int, servers: int, lease: int, domain: str, subnet: str) -> None:
    values = f"clients: {clients}\nservers: {servers}\ndns: {{domain: {domain}}}\n"
    values += f"dhcp: {{default_lease_s: {lease}}}\nnetworks: {{internal: {{subnet: {subnet}}}}}\n"
    spec = parse_spec(values, "x")
    assert parse_spec(dump_spec(spec), "y") == spec
    assert Lab.from_spec(spec).spec == spec
    plan = build_plan(spec)
    addresses = set(plan.server_addresses.values())
    assert len(addresses) == servers
    assert not [a for a in addresses if a in plan.pool]


def test_the_schema_knows_the_short_forms() -> None:
    schema = json_schema()
    assert {"type": "integer", "minimum": 0, "maximum": 200} in schema["properties"]["clients"]["anyOf"]
    assert schema["$defs"]["Dhcp"]["properties"]["pool"]["anyOf"][0]["type"] == "string"


def test_a_disk_of_ones_own_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec = parse_spec("virtualbox: {image: my.vdi}\n", "lab.yaml")
    assert spec.virtualbox.image == tmp_path / "my.vdi"
    assert parse_spec(dump_spec(spec), "lab.yaml") == spec


def test_the_image_has_the_packages_that_are_asked_for_once() -> None:
    plain, more = (image_recipe(parse_spec(text, "x")) for text in ("name: a", "packages: [traceroute, less, telnet]"))
    assert more.packages == (*plain.packages, "telnet", "traceroute")
    assert more.digest != plain.digest
    with pytest.raises(SpecError, match="1 problem"):
        parse_spec("packages: ['a;b']", "x")
