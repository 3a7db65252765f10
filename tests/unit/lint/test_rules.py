"""A good pair has no finding; with one thing changed it has that rule's, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from kea_changes import CHANGES

from labbuilder.lab import Lab
from labbuilder.lint import Config, Finding, lint_pair, lint_server
from labbuilder.lint.rules import RULES

PAIRS = Path(__file__).parents[2] / "pairs"
ISC, STANDBY, KEA, KEA_LB = "isc", "isc-hot-standby", "kea-hot-standby", "kea-load-balancing"
P, S = "primary", "secondary"
CLIENTS = 50


class Case(NamedTuple):
    """One change to a good pair: in which of its files, what becomes what."""

    rule: str
    pair: str
    files: tuple[str, ...]
    old: str
    new: str


RELATION = [
    Case("failover-name", ISC, (S,), '"lab"', '"lob"'),
    Case("role-missing", ISC, (P,), "  primary;\n", ""),
    Case("roles", ISC, (S,), "  secondary;", "  primary; mclt 60; split 128;"),
    Case("addresses-mirrored", ISC, (P, S), "192.168.1.3", "192.168.1.2"),
    Case("address-missing", ISC, (P,), "  address 192.168.1.2;", ""),
    Case("peer-address-missing", ISC, (S,), "peer address 192.168.1.2;", ""),
    Case("names-not-looked-up", ISC, (S,), "peer address 192.168.1.2", "peer address one.lab.test"),
    Case("addresses-mirrored", ISC, (S,), "peer address 192.168.1.2", "peer address 192.168.1.4"),
    Case("addresses-mirrored", ISC, (P,), "  address 192.168.1.2;", "  address 192.168.1.4;"),
    Case("port-one-way", ISC, (P,), "  port 647", "  port 519"),
    Case("port-one-way", ISC, (S,), "peer port 647", "peer port 520"),
    Case("ports-mirrored", ISC, (P, S), "peer port 647", "peer port 520"),
    Case("mclt-missing", ISC, (P,), "  mclt 60;\n", ""),
    Case("mclt-missing", ISC, (P,), "  mclt 60;\n", "  mclt 0;\n"),
    Case("mclt-on-secondary", ISC, (S,), "  secondary;", "  secondary; mclt 60;"),
    Case("split-missing", ISC, (P,), "  split 128;\n", ""),
    Case("split-on-secondary", ISC, (S,), "  secondary;", "  secondary; split 128;"),
    Case("split-and-hba", ISC, (P,), "split 128;", f"split 128; hba {':'.join(['aa'] * 32)};"),
    Case("split-value", ISC, (P,), "split 128;", "split 257;"),
    Case("split-value", ISC, (P,), "split 128;", "hba ff:00;"),
    Case("load-balance-off", ISC, (P, S), "load balance max seconds 3", "load balance max seconds 0"),
    Case("load-balance-off", ISC, (P, S), "load balance max seconds 3;", ""),
    Case("failover-timers-differ", ISC, (S,), "max-response-delay 5", "max-response-delay 20"),
    Case("failover-timers-differ", ISC, (S,), "load balance max seconds 3", "load balance max seconds 5"),
    Case("slow-detection", ISC, (P, S), "max-response-delay 5;", ""),
    Case("slow-detection", ISC, (P, S), "max-response-delay 5;", "max-response-delay 60;"),
    Case("auto-partner-down", ISC, (P, S), "max-response-delay 5;", "max-response-delay 5; auto-partner-down 10;"),
    Case("split-255", ISC, (P,), "split 128", "split 255"),
    Case("hot-standby-pool", STANDBY, (P, S), "192.168.1.200", "192.168.1.198"),
]
POOLS = [
    Case("pool-differs", ISC, (S,), "192.168.1.200", "192.168.1.199"),
    Case("pool-differs", KEA, (S,), "- 192.168.1.200", "- 192.168.1.199"),
    Case("pool-without-failover", ISC, (P, S), "\n}\n\nhost", "\n  range 192.168.1.210 192.168.1.220;\n}\n\nhost"),
    Case("pool-without-failover", ISC, (P, S), "\n}\n\nhost", "\n  pool { range 192.168.1.210; }\n}\n\nhost"),
    Case(
        "pool-relation-unknown", ISC, (P,), "  pool {", '  pool { failover peer "lob"; range 192.168.1.210; }\n  pool {'
    ),
    Case("range-outside-subnet", ISC, (P, S), "192.168.1.200", "192.168.2.200"),
    Case("range-twice", ISC, (P, S), "range 192", "range 192.168.1.150; range 192"),
    Case("subnet-overlaps", ISC, (P, S), "\nhost", "\nsubnet 192.168.1.0 netmask 255.255.255.128 { }\nhost"),
    Case("router-outside-subnet", ISC, (P, S), "routers 192.168.1.1;", "routers 192.168.2.1;"),
    Case("dynamic-bootp", ISC, (S,), "range 192", "range dynamic-bootp 192"),
    Case("bootp-in-failover", ISC, (P, S), "deny dynamic", "allow dynamic"),
    Case("permits-differ", ISC, (S,), "deny dynamic bootp clients;", "deny unknown-clients;"),
    Case("permits-differ", ISC, (S,), "  option routers", "  deny unknown-clients; option routers"),
    Case("permits-differ", ISC, (P,), "\nhost", "\nignore bootp;\nhost"),
    Case("subnet-differs", ISC, (S,), "1.0 netmask 255.255.255.0", "0.0 netmask 255.255.254.0"),
    Case("subnet-differs", KEA, (S,), "192.168.1.0/24", "192.168.0.0/23"),
    Case("options-differ", ISC, (S,), "no comment", "a comment"),
    Case("options-differ", ISC, (P,), "  pool {", '  pool { option domain-search "lab.test";'),
    Case(
        "options-differ", KEA, (S,), '"option-data": [', '"option-data": [{"name": "swap-server", "data": "10.0.0.1"},'
    ),
    Case("routers-differ", ISC, (S,), "routers 192.168.1.1;", "routers 192.168.1.3;"),
    Case("routers-differ", KEA, (S,), '"data": "192.168.1.1"', '"data": "192.168.1.3"'),
    Case("lease-times-differ", ISC, (S,), "TIME 600", "TIME 900"),
    Case("lease-times-differ", ISC, (S,), "  pool {", "  pool { min-lease-time 400;"),
    Case("lease-times-differ", KEA, (P,), '"renew-timer": 150', '"renew-timer": 200'),
    Case("authoritative-differs", ISC, (S,), "authoritative;", "not authoritative;"),
    Case("authoritative-differs", KEA, (S,), '"valid', '"authoritative": true, "valid'),
    Case("hosts-differ", ISC, (S,), "27:00:00:01", "27:00:00:02"),
    Case("hosts-differ", KEA, (S,), '4": [{', '4": [{"reservations": [{"duid": "1", "ip-address": "192.168.1.9"}],'),
    Case("host-in-pool", ISC, (P, S), "192.168.1.50", "192.168.1.150"),
    Case("router-in-pool", ISC, (P, S), "routers 192.168.1.1;", "routers 192.168.1.1, 192.168.1.100;"),
    Case("router-in-pool", KEA, (P, S), '"data": "192.168.1.1"', '"data": "192.168.1.100"'),
    Case("server-in-pool", ISC, (P, S), "192.168.1.2;", "192.168.1.102;"),
    Case("server-in-pool", KEA, (P, S), "192.168.1.2:", "192.168.1.102:"),
    Case("include-relative", ISC, (P,), "ping-check", 'include "empty.conf"; ping-check'),
    Case("include-relative", KEA, (S,), '"subnet4"', '<?include "empty.conf"?> "subnet4"'),
]
SERVER = [
    Case("omapi-differs", ISC, (S,), "7911", "7912"),
    Case("keys-differ", ISC, (S,), "c2Vj", "AAAA"),
    Case("keys-differ", ISC, (S,), "\nkey omapi", '\nkey other { algorithm hmac-md5; secret "AAAA"; }\nkey omapi'),
    Case("omapi-without-key", ISC, (P, S), "omapi-key omapi_key;", ""),
    Case("ping-check-differs", ISC, (P,), "ping-check false;", ""),
    Case("ping-check-differs", ISC, (P,), "  option routers", "  ping-check true; option routers"),
    Case("boot-file-differs", ISC, (S,), "  option routers", '  filename "pxe.0"; option routers'),
    Case("next-server-differs", ISC, (S,), "  option routers", "  next-server 192.168.1.3; option routers"),
    Case("ddns-differs", ISC, (S,), "ddns-update-style none", "ddns-update-style interim"),
    Case("parameters-differ", ISC, (S,), "\nhost", "\none-lease-per-client true;\nhost"),
    Case("conditions-differ", ISC, (S,), "max-lease-time 60;", "max-lease-time 90;"),
    Case("classes-differ", ISC, (S,), "\nhost", '\nclass "a" { match hardware; }\nhost'),
    Case("option-definitions-differ", ISC, (S,), "integer 8, text", "integer 16, text"),
    Case("undeclared", ISC, (P, S), "deny dynamic bootp clients;", 'deny members of "guests";'),
    Case("undeclared", ISC, (P, S), "\nhost", "\nzone lab.test { primary 127.0.0.1; key nobodys; }\nhost"),
    Case("declared-twice", ISC, (P, S), "\nhost printer {", "\nhost printer { }\nhost printer {"),
    Case("key-twice", ISC, (P, S), "\nkey omapi", '\nkey omapi_key { algorithm hmac-md5; secret "AAAA"; }\nkey omapi'),
    Case("no-statement", ISC, (P,), "authoritative;", "authoritative; authorative;"),
]
HA = [Case(*change) for change in CHANGES]
CASES = [*RELATION, *POOLS, *SERVER, *HA]


def texts(pair: str) -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in (PAIRS / pair).iterdir()}


def found_in(pair: dict[str, str], clients: int | None = CLIENTS) -> tuple[Finding, ...]:
    a, b = (Config(name, pair[name], {"empty.conf": ""}.__getitem__) for name in (P, S))
    found = lint_pair(a, b, clients=clients)
    turned = lint_pair(b, a, clients=clients)
    assert {f.rule for f in found} == {f.rule for f in turned}, "the order of the files matters"
    return found


def changed(case: Case) -> dict[str, str]:
    pair = texts(case.pair)
    for file in case.files:
        assert case.old in pair[file], "the change changes nothing"
        pair[file] = pair[file].replace(case.old, case.new)
    return pair


@pytest.mark.parametrize("pair", [ISC, STANDBY, KEA, KEA_LB])
def test_a_good_pair_has_no_finding(pair: str) -> None:
    assert found_in(texts(pair)) == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.pair}")
def test_one_change_is_found_and_nothing_else(case: Case) -> None:
    found = found_in(changed(case))
    assert {finding.rule for finding in found} == {case.rule}, found
    for finding in found:
        assert finding.where.file in {P, S}
        assert all((finding.what, finding.why, finding.mend, finding.source))


def test_every_rule_has_a_case() -> None:
    elsewhere = {
        "failover-missing",
        "hot-standby-clients",
        "relation-unused",
        "shared-network-differs",
        "ha-subnet-relation",
        "kea-shared-network-differs",
        "relations-one-address",
    }
    assert {rule.id for rule in RULES} - elsewhere == {case.rule for case in CASES}
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_a_server_without_failover() -> None:
    pair = texts(ISC)
    begin, end = pair[P].index("failover peer"), pair[P].index("subnet 192")
    pair[P] = (pair[P][:begin] + pair[P][end:]).replace('failover peer "lab";', "")
    assert {f.rule for f in found_in(pair)} == {"failover-missing", "pool-without-failover"}


def test_hot_standby_says_for_how_many_clients_its_pool_is() -> None:
    (finding,) = found_in(texts(STANDBY), clients=None)
    assert (finding.rule, finding.severity.value) == ("hot-standby-clients", "note")
    assert "101 addresses are enough for 50 clients" in finding.what


@pytest.mark.parametrize("load", ["split 256;", "split 0;", f"hba {':'.join(['FF'] * 32)};", f"hba {'00:' * 31}00;"])
@pytest.mark.parametrize(("clients", "rules"), [(50, set()), (51, {"hot-standby-pool"})])
def test_hot_standby_wants_twice_the_clients(load: str, clients: int, rules: set[str]) -> None:
    pair = texts(ISC)
    pair[P] = pair[P].replace("split 128;", load)
    assert {f.rule for f in found_in(pair, clients)} == rules


def test_twice_the_clients_is_just_enough() -> None:
    pair = {name: text.replace("192.168.1.200", "192.168.1.199") for name, text in texts(STANDBY).items()}
    assert found_in(pair, 50) == ()


def test_the_guides_lab_has_notes_alone() -> None:
    """Each server hands itself out as router and resolver."""
    machines = PAIRS.parent / "golden/guide/expected"
    found = lint_pair(*(machines / name / "etc/dhcp/dhcpd.conf" for name in ("server1", "server2")))
    assert {finding.rule for finding in found} == {"routers-differ"}


@pytest.mark.parametrize("mode", ["load-balancing", "hot-standby", "round-robin", "manual"])
@pytest.mark.parametrize("engine", ["isc", "kea"])
def test_no_mode_of_a_lab_of_ours_has_an_error_or_a_warning(tmp_path: Path, engine: str, mode: str) -> None:
    Lab("x").add_server().add_server().failover(engine=engine, mode=mode).render(tmp_path)
    conf = {"isc": "etc/dhcp/dhcpd.conf", "kea": "etc/kea/kea-dhcp4.conf"}[engine]
    cold = (engine, mode) == ("isc", "manual")
    found = lint_pair(tmp_path / "server1" / conf, tmp_path / "server2" / conf, clients=50, cold_standby=cold)
    assert {finding.severity.value for finding in found} <= {"note"}


def test_a_finding_names_the_line_in_both_files() -> None:
    pair = texts(ISC)
    pair[S] = pair[S].replace("peer address 192.168.1.2", "peer address 192.168.1.4")
    (finding,) = found_in(pair)
    assert finding.other is not None
    for place, text in ((finding.where, "peer address 192.168.1.4"), (finding.other, "address 192.168.1.2")):
        assert text in pair[place.file].splitlines()[place.line - 1]


@pytest.mark.parametrize("secret", ["c2VjcmV0IG9mIHRoZSB0ZXN0cyBhbG9uZQ==", "AAAAcmV0IG9mIHRoZSB0ZXN0cyBhbG9uZQ=="])
def test_no_finding_shows_a_secret(secret: str) -> None:
    pair = texts(ISC)
    pair[S] = pair[S].replace("c2Vj", "AAAA")
    assert secret not in repr(found_in(pair))


def test_what_a_block_inherits_is_compared_where_it_holds() -> None:
    """The same time said outside of the subnet on one server and in its pool on the other is no difference."""
    pair = texts(ISC)
    pair[S] = pair[S].replace("DEFAULT-LEASE-TIME 600;", "").replace("pool {", "default-lease-time 600; pool {")
    assert found_in(pair) == ()


def test_pools_of_a_shared_network_refer_to_its_failover_peer() -> None:
    pair = texts(ISC)
    for name in pair:
        pair[name] = pair[name].replace("subnet 192", 'shared-network x { failover peer "lab"; subnet 192')
        pair[name] = pair[name].replace('    failover peer "lab";\n', "").replace("\n}\n\nhost", "\n}}\n\nhost")
    assert {f.rule for f in found_in(pair)} == {"relation-unused"}, "a pool must name it: dhcpd's sanity check"
    both = {
        n: t.replace("  pool {", '  pool { failover peer "lab"; range 192.168.1.9; }\n  pool {')
        for n, t in pair.items()
    }
    assert found_in(both) == ()


def test_the_same_addresses_in_other_pieces_are_the_same_pool() -> None:
    pair = texts(ISC)
    whole = "range 192.168.1.100\n          192.168.1.200;"
    pair[S] = pair[S].replace(whole, "range 192.168.1.160 192.168.1.200; range 192.168.1.159 192.168.001.100;")
    assert found_in(pair) == ()


@pytest.mark.parametrize(
    ("pair", "old", "new"),
    [
        (ISC, "max-response-delay 5", "max-response-delay 30"),
        (ISC, "TIME 600", "TIME 60"),
        (KEA, '"max-response-delay": 3000', '"max-response-delay": 60000'),
        (KEA, '"max-response-delay": 3000', '"max-response-delay": 1000'),
        (KEA, '"max-unacked-clients": 0', '"max-unacked-clients": 10'),
        (ISC, "192.168.1.50", "192.168.1.99"),
        (ISC, "192.168.1.50", "192.168.1.201"),
    ],
)
def test_a_value_at_the_edge_is_good(pair: str, old: str, new: str) -> None:
    both = {name: text.replace(old, new) for name, text in texts(pair).items()}
    assert both != texts(pair)
    assert found_in(both) == ()


def test_a_keyword_in_other_letters_is_no_difference() -> None:
    pair = texts(ISC)
    pair[S] = pair[S].replace("ping-check false", "ping-check FALSE")
    assert found_in(pair) == ()


def test_a_subnet_that_one_server_alone_serves_without_failover_is_its_own_business() -> None:
    pair = texts(ISC)
    pair[P] += "subnet 10.0.0.0 netmask 255.0.0.0 { range 10.0.0.10 10.0.0.20; }\n"
    assert found_in(pair) == ()


def test_a_relation_wants_a_pool() -> None:
    pair = {name: text.replace('    failover peer "lab";\n', "") for name, text in texts(ISC).items()}
    assert {f.rule for f in found_in(pair)} == {"relation-unused", "pool-without-failover"}


def test_each_of_several_relations_wants_a_pool() -> None:
    pair = texts(ISC)
    times = "max-response-delay 5; load balance max seconds 3;"
    for name, me, you, more in ((P, 1, 2, "mclt 9; split 100;"), (S, 2, 1, "")):
        pair[name] += (
            f'failover peer "b" {{ {name}; address 10.0.0.{me}; peer address 10.0.0.{you}; {times} {more} }}\n'
        )
    found = found_in(pair)
    assert {(finding.rule, finding.what) for finding in found} == {
        ("relation-unused", 'no pool refers to failover peer "b"')
    }


def test_a_class_that_asks_for_the_servers_class_is_enough() -> None:
    pair = texts(KEA_LB)
    for name in pair:
        pair[name] = (
            pair[name]
            .replace('"client-class": "HA_server1"', '"client-class": "one"')
            .replace('"subnet4"', '"client-classes": [{"name": "one", "test": "member(\'HA_server1\')"}], "subnet4"')
        )
    assert found_in(pair) == ()


def test_a_cold_standby_wants_no_failover_and_the_same_pool() -> None:
    without = "subnet 192.168.1.0 netmask 255.255.255.0 { pool { range 192.168.1.100 192.168.1.200; } }"
    a, b = Config("a", without), Config("b", without)
    assert lint_pair(a, b, cold_standby=True) == ()
    assert {f.rule for f in lint_pair(a, b)} == {"failover-missing", "pool-without-failover"}
    shorter = Config("b", without.replace("1.200", "1.199"))
    assert [f.rule for f in lint_pair(a, shorter, cold_standby=True)] == ["pool-differs"]


TWO = """
failover peer "a" {{ {role}; address 10.0.0.{me}; peer address 10.0.0.{you}; max-response-delay 9;
  load balance max seconds 3; {more} }}
failover peer "b" {{ {role}; address 10.1.0.{me}; peer address 10.1.0.{you}; max-response-delay 9;
  load balance max seconds 3; {more} }}
subnet 10.0.0.0 netmask 255.255.255.0 {{ pool {{ failover peer "a"; range 10.0.0.100 10.0.0.200; }} }}
subnet 10.1.0.0 netmask 255.255.255.0 {{ pool {{ failover peer "b"; range 10.1.0.100 10.1.0.200; }} }}
"""


def two() -> dict[str, str]:
    """A pair of two relations."""
    return {
        P: TWO.format(role=P, me=2, you=3, more="mclt 60; split 128;"),
        S: TWO.format(role=S, me=3, you=2, more=""),
    }


def test_two_relations_are_matched_by_name() -> None:
    assert found_in(two()) == ()
    pair = two()
    pair[S] = pair[S].replace('"b"', '"c"')
    assert [(f.rule, f.what) for f in found_in(pair)] == [
        ("failover-name", 'the failover peer is "c" here, "b" there'),
    ]


def test_the_same_pools_under_each_others_relation_are_told() -> None:
    pair = two()
    for old, new in (('{ failover peer "a"', '{ failover peer "x"'), ('{ failover peer "b"', '{ failover peer "a"')):
        pair[S] = pair[S].replace(old, new)
    pair[S] = pair[S].replace('{ failover peer "x"', '{ failover peer "b"')
    found = found_in(pair)
    assert {f.rule for f in found} == {"pool-differs"}
    assert 'in no pool of failover peer "a", but in another' in found[0].what


def test_what_a_hub_has_for_other_machines_is_none_of_the_pairs_business() -> None:
    pair = two()
    begin, end = pair[S].index('failover peer "b"'), pair[S].index("subnet 10.0")
    pair[S] = pair[S][:begin] + pair[S][end : pair[S].index("subnet 10.1")]
    pair[P] = pair[P].replace("peer address 10.1.0.3", "peer address 10.2.0.3")
    pair[P] += 'host x { hardware ethernet 0:1:2:3:4:5; fixed-address 10.1.0.9; } class "z" { match hardware; }'
    assert found_in(pair) == ()
    pair[P] = pair[P].replace("peer address 10.2.0.3", "peer address 10.0.0.3")  # it is for this partner after all
    assert "failover-name" in {f.rule for f in found_in(pair)}


def test_three_machines_share_what_two_files_share() -> None:
    pair = two()
    pair[P] = pair[P].replace('"b"', '"with-third"').replace("peer address 10.1.0.3", "peer address 10.1.0.9")
    pair[S] = pair[S].replace('"b"', '"third"').replace("peer address 10.1.0.2", "peer address 10.1.0.8")
    pair[S] = pair[S].replace("address 10.1.0.3", "address 10.1.0.7").replace("10.1.0.", "10.7.0.")
    assert found_in(pair) == ()


def test_subnets_of_a_shared_network_are_compared() -> None:
    pair = two()
    begin = pair[S].index("subnet 10.0")
    pair[S] = pair[S][:begin] + "shared-network wire {" + pair[S][begin:] + "}"
    assert {f.rule for f in found_in(pair)} == {"shared-network-differs"}
    pair[P] = pair[P].replace("subnet 10.0", "shared-network other { subnet 10.0") + "}"
    assert found_in(pair) == ()


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ('option domain-search "A.lab.test.",\n "b.lab";', 'option domain-search "a.LAB.test", "b.lab";'),
        ("option ntp-servers Time.Lab.test., 10.0.0.001;", "option ntp-servers time.lab.test, 10.0.0.1;"),
        ("option interface-mtu 0x5dc;", "option interface-mtu 1500;"),
        ("one-lease-per-client on;", "one-lease-per-client TRUE;"),
        ('option unknown-66 "boot";', "option tftp-server-name boot;"),
        ("server-identifier 10.0.0.2;", "option dhcp-server-identifier 10.0.0.2;"),
        ("host x { hardware ethernet 0:1:2:A:b:5; }", "host y { hardware ethernet 00:01:02:0a:0B:05; }"),
        ("host x { uid 1:2; fixed-address ns.Lab.; }", "host x { uid 01:02; fixed-address NS.lab; }"),
        ("allow unknown-clients;", ""),
        ("deny unknown-clients;", "boot-unknown-clients off;"),
        ("ddns-update-style none;", ""),
        ('class "a" { match if option host-name  = "x\\"y"; }', 'class "a" { MATCH IF option host-name="x\\"y"; }'),
        ('if known { filename "a"; }', 'IF known{filename "a";}'),
        ('lease-file-name "/a"; log-facility local1;', 'lease-file-name "/b";'),
    ],
)
def test_values_compare_as_values(here: str, there: str) -> None:
    pair = two()
    pair[P] += here
    pair[S] += there
    assert found_in(pair) == ()


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (
            'subnet 10.2.0.0 NET { pool { failover peer "z"; range 10.2.0.9; } }',
            "pool-relation-unknown",
        ),
        (
            'subnet 10.2.0.0 NET { pool { allow members of "z"; range 10.2.0.9; } } class "z" { }',
            "undeclared",
        ),
        ("host x { group g; } group g { }", "undeclared"),
        ("omapi-key nobodys;", "undeclared"),
        ('subclass "z" 1:2;', "undeclared"),
        ('failover peer "a" { secondary; peer address 10.0.0.2; }', "declared-twice"),
        (
            "shared-network w { subnet 10.2.0.0 NET { } pool { range 10.3.0.9; } }",
            "range-outside-subnet",
        ),
        ("subnet 10.2.0.0 NET { range 10.2.0.9; range 10.2.0.5 10.2.0.10; }", "range-twice"),
    ],
)
def test_what_dhcpd_refuses_in_one_file(text: str, rules: str) -> None:
    text = text.replace("NET", "netmask 255.255.255.0")
    found = lint_server(Config("x", two()[P] + text), clients=9)
    assert {f.rule for f in found if f.severity == "error"} == {rules}


def test_authoritative_holds_from_where_it_stands() -> None:
    pair = two()
    pair[P], pair[S] = pair[P] + "authoritative;", "authoritative;" + pair[S]
    assert {f.rule for f in found_in(pair)} == {"authoritative-differs"}


def test_relations_with_one_partner_want_an_address_each() -> None:
    pair = {name: text.replace("address 10.1.0.", "address 10.0.0.") for name, text in two().items()}
    assert {f.rule for f in found_in(pair)} == {"relations-one-address"}
