"""Kea pairs of more than two servers, and values that are the same however they are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labbuilder.lint import Config, lint_pair

PAIR = Path(__file__).parents[2] / "pairs/kea-hot-standby"


def relation(me: str, primary: tuple[str, str], standby: tuple[str, str]) -> dict[str, Any]:
    peers = [
        {"name": name, "url": f"http://{address}:8000/", "role": role}
        for (name, address), role in ((primary, "primary"), (standby, "standby"))
    ]
    threads = {"enable-multi-threading": True, "http-dedicated-listener": True}
    return {"this-server-name": me, "mode": "hot-standby", "multi-threading": threads, "peers": peers}


def subnet(number: int, server: str | None = None, **more: Any) -> dict[str, Any]:
    found = {"id": number, "subnet": f"10.0.{number}.0/24", "pools": [{"pool": f"10.0.{number}.9-10.0.{number}.99"}]}
    return found | ({"user-context": {"ha-server-name": server}} if server else {}) | more


def config(name: str, relations: list[dict[str, Any]], subnets: list[dict[str, Any]], **more: Any) -> Config:
    hooks = [
        {"library": "/k/libdhcp_lease_cmds.so"},
        {"library": "/k/libdhcp_ha.so", "parameters": {"high-availability": relations}},
    ]
    server = {"multi-threading": {"enable-multi-threading": True}, "hooks-libraries": hooks, "subnet4": subnets}
    return Config(name, json.dumps({"Dhcp4": server | more}, indent=1))


ONE, TWO = ("one", "10.9.0.1"), ("two", "10.9.0.2")
HUB1, HUB2 = ("hub1", "10.9.0.9"), ("hub2", "10.9.0.9")


def hub(*subnets: dict[str, Any]) -> Config:
    there = relation("hub1", ONE, HUB1), relation("hub2", TWO, ("hub2", "10.9.0.10"))
    return config("hub", list(there), list(subnets) or [subnet(1, "one"), subnet(2, "hub2")])


def rules(a: Config, b: Config, version: str | None = "kea-2.6") -> set[str]:
    found = {finding.rule for finding in lint_pair(a, b, engine_version=version)}
    assert found == {finding.rule for finding in lint_pair(b, a, engine_version=version)}
    return found


def test_a_hub_is_compared_with_a_spoke_by_what_they_share() -> None:
    spoke = config("one", [relation("one", ONE, HUB1)], [subnet(1)])
    assert rules(hub(), spoke) == set()


def test_a_hubs_other_subnets_and_hosts_are_none_of_a_spokes_business() -> None:
    other = subnet(2, "two", reservations=[{"hw-address": "01:02", "ip-address": "10.0.2.5"}])
    spoke = config("one", [relation("one", ONE, HUB1)], [subnet(1)])
    assert rules(hub(subnet(1, "one"), other), spoke) == set()


def test_what_differs_in_what_they_share_is_told() -> None:
    spoke = config("one", [relation("one", ONE, HUB1)], [subnet(1) | {"id": 7}])
    assert rules(hub(), spoke) == {"subnet-id-differs"}


def test_the_other_spoke_has_nothing_to_do_with_this_one() -> None:
    one, two = (
        config(n, [relation(n, spoke, h)], [subnet(1)]) for n, spoke, h in (("one", ONE, HUB1), ("two", TWO, HUB2))
    )
    assert rules(one, two) == {"ha-peers-differ"}


def test_two_hubs_without_a_common_partner_are_no_pair() -> None:
    strangers = (
        relation("x1", ("y1", "10.8.0.1"), ("x1", "10.8.0.9")),
        relation("x2", ("y2", "10.8.0.2"), ("x2", "10.8.0.8")),
    )
    assert rules(hub(), config("x", list(strangers), [subnet(5, "x1"), subnet(6, "x2")])) == {"ha-missing"}


@pytest.mark.parametrize("lone", [subnet(1), subnet(1, "nobody")])
def test_a_hub_drops_what_belongs_to_none_of_its_relationships(lone: dict[str, Any]) -> None:
    spoke = config("one", [relation("one", ONE, HUB1)], [])
    assert rules(hub(lone), spoke) == {"ha-subnet-relation"}


def test_a_subnet_under_another_relationship_is_told() -> None:
    def of(name: str, *owners: str) -> Config:
        a, b = ("a1", "10.9.0.1"), ("b1", "10.9.0.2")
        c, d = ("a2", "10.9.1.1"), ("b2", "10.9.1.2")
        there = [relation(f"{name}1", a, b), relation(f"{name}2", c, d)]
        return config(name, there, [subnet(number, owner) for number, owner in enumerate(owners, 1)])

    assert rules(of("a", "a1", "a2"), of("b", "b1", "b2")) == set()
    assert rules(of("a", "a1", "a2"), of("b", "b2", "b1")) == {"ha-subnet-relation"}


def test_a_shared_network_says_for_its_subnets_whose_they_are() -> None:
    network = {"name": "n", "user-context": {"ha-server-name": "one"}, "subnet4": [subnet(1)]}
    there = relation("hub1", ONE, HUB1), relation("hub2", TWO, ("hub2", "10.9.0.10"))
    middle = config("hub", list(there), [subnet(2, "two")], **{"shared-networks": [network]})
    spoke = config(
        "one", [relation("one", ONE, HUB1)], [], **{"shared-networks": [{"name": "m", "subnet4": [subnet(1)]}]}
    )
    assert rules(middle, spoke) == set()


def test_several_relationships_are_for_hot_standby_and_since_2_4() -> None:
    spoke = config("one", [relation("one", ONE, HUB1)], [subnet(1)])
    assert rules(hub(), spoke, "kea-2.2") == {"ha-parameters"}


def test_another_company_in_a_shared_network_is_told() -> None:
    def of(*inside: int) -> dict[str, Any]:
        lone = [subnet(n) for n in (1, 2) if n not in inside]
        return {"shared-networks": [{"name": "n", "subnet4": [subnet(n) for n in inside]}], "subnet4": lone}

    a, b = (
        config(name, [relation(name, ONE, TWO)], [], **of(*inside)) for name, inside in (("one", (1, 2)), ("two", (1,)))
    )
    assert rules(a, b) == {"kea-shared-network-differs"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"name": "routers", "data": "192.168.1.1"', '"code": 3, "data": " 192.168.1.1 "'),
        ('"name": "routers", "data": "192.168.1.1"', '"name": "routers", "space": "dhcp4", "data": "192.168.1.1"'),
        ('"name": "routers", "data": "192.168.1.1"', '"name": "routers", "csv-format": true, "data": "192.168.1.1"'),
        ("http://192.168.1.3:8000/", "http://192.168.1.3:8000"),
        ('"renew-timer": 150', '"match-client-id": true, "next-server": "0.0.0.0", "renew-timer": 150'),
        ('"auto-failover": true}]', '"auto-failover": true, "cert-file": "", "key-file": ""}]'),
    ],
)
def test_what_means_the_same_is_no_difference(one: str, other: str) -> None:
    a, b = ((PAIR / f"{name}.json").read_text("utf-8") for name in ("primary", "secondary"))
    assert one in b
    assert rules(Config("a", a), Config("b", b.replace(one, other))) == set()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"hw-address": "0:1:2:a:b:c"}, {"hw-address": "00:01:02:0A:0B:0C"}),
        ({"hw-address": "0001020a0b0c"}, {"hw-address": "00 01 02 0a 0b 0c"}),
        ({"client-id": "'ab'"}, {"client-id": "61:62"}),
        ({"duid": "0x1"}, {"duid": "01"}),
        ({"duid": "01", "hostname": "A.example."}, {"duid": "01", "hostname": "a.example"}),
        ({"duid": "01", "client-classes": ["b", "a"]}, {"duid": "01", "client-classes": ["a", "b"]}),
    ],
)
def test_a_client_is_the_same_however_it_is_written(one: dict[str, Any], other: dict[str, Any]) -> None:
    a, b = (
        config(name, [relation(name, ONE, TWO)], [subnet(1, reservations=[host | {"ip-address": "10.0.1.5"}])])
        for name, host in (("one", one), ("two", other))
    )
    assert rules(a, b) == set()


@pytest.mark.parametrize(
    ("one", "other", "rule"),
    [
        ({"duid": "01", "hostname": "a"}, {"duid": "01", "hostname": "b"}, "kea-reservations-differ"),
        ({"duid": "01", "ip-address": "10.0.1.5"}, {"duid": "02", "ip-address": "10.0.1.5"}, "hosts-differ"),
        (
            {"duid": "01", "hostname": "a"},
            {"duid": "01", "hostname": "a", "option-data": [{"name": "host-name", "data": "x"}]},
            "kea-reservations-differ",
        ),
    ],
)
def test_what_is_kept_beside_the_address_is_compared(one: dict[str, Any], other: dict[str, Any], rule: str) -> None:
    a, b = (
        config(name, [relation(name, ONE, TWO)], [subnet(1, reservations=[host])])
        for name, host in (("one", one), ("two", other))
    )
    assert rules(a, b) == {rule}


def test_options_of_two_spaces_with_one_code_are_two_options() -> None:
    defined = [{"name": "tftp", "space": "vendor-12345", "code": 1, "type": "ipv4-address"}]

    def of(name: str, address: str) -> Config:
        data = [{"space": "vendor-12345", "code": 1, "data": address}, {"code": 1, "data": "255.255.255.0"}]
        return config(name, [relation(name, ONE, TWO)], [subnet(1) | {"option-data": data}], **{"option-def": defined})

    assert rules(of("one", "10.0.0.1"), of("two", "10.0.0.1")) == set()
    assert rules(of("one", "10.0.0.1"), of("two", "10.0.0.2")) == {"options-differ"}


def test_ids_are_given_in_the_order_in_which_kea_reads() -> None:
    def of(name: str, *order: int) -> Config:
        return config(name, [relation(name, ONE, TWO)], [{**subnet(n), "id": 0} for n in order])

    assert rules(of("one", 1, 2), of("two", 1, 2), "kea-2.2") == set()
    assert rules(of("one", 1, 2), of("two", 2, 1), "kea-2.2") == {"subnet-id-differs"}
    assert rules(of("one", 1, 2), of("two", 1, 2), "kea-2.6") == {"kea-network"}
