"""A good pair has no finding; with one thing changed it has that rule's, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from kea_changes import CHANGES

from labbuilder.lab import Lab
from labbuilder.lint import Config, Finding, lint_pair
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
    Case("roles", ISC, (P,), "  primary;\n", ""),
    Case("roles", ISC, (S,), "  secondary;", "  primary; mclt 60; split 128;"),
    Case("addresses-mirrored", ISC, (P, S), "192.168.1.3", "192.168.1.2"),
    Case("address-missing", ISC, (P,), "  address 192.168.1.2;", ""),
    Case("addresses-mirrored", ISC, (S,), "peer address 192.168.1.2", "peer address 192.168.1.4"),
    Case("addresses-mirrored", ISC, (P,), "  address 192.168.1.2;", "  address 192.168.1.4;"),
    Case("ports-mirrored", ISC, (P,), "  port 647", "  port 519"),
    Case("ports-mirrored", ISC, (S,), "peer port 647", "peer port 520"),
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
    Case("short-lease", ISC, (P, S), "TIME 600", "TIME 30"),
    Case("short-lease", ISC, (P,), "mclt 60", "mclt 601"),
    Case("hot-standby-pool", STANDBY, (P, S), "192.168.1.200", "192.168.1.198"),
]
POOLS = [
    Case("pool-differs", ISC, (S,), "192.168.1.200", "192.168.1.199"),
    Case("pool-differs", KEA, (S,), "- 192.168.1.200", "- 192.168.1.199"),
    Case("pool-without-failover", ISC, (P, S), "\n}\n\nhost", "\n  range 192.168.1.210 192.168.1.220;\n}\n\nhost"),
    Case("pool-without-failover", ISC, (P, S), "\n}\n\nhost", "\n  pool { range 192.168.1.210; }\n}\n\nhost"),
    Case("pool-relation-unknown", ISC, (P,), '    failover peer "lab"', '    failover peer "lob"'),
    Case("relation-unused", ISC, (P, S), "  pool {", "  pool { no failover peer; }\n  class x {"),
    Case("dynamic-bootp", ISC, (S,), "range 192", "range dynamic-bootp 192"),
    Case("dynamic-bootp", ISC, (P, S), "deny dynamic", "allow dynamic"),
    Case("permits-differ", ISC, (S,), "deny dynamic bootp clients;", "deny unknown-clients;"),
    Case("subnet-differs", ISC, (S,), "1.0 netmask 255.255.255.0", "0.0 netmask 255.255.254.0"),
    Case("subnet-differs", KEA, (S,), "192.168.1.0/24", "192.168.0.0/23"),
    Case("options-differ", ISC, (S,), "no comment", "a comment"),
    Case("options-differ", ISC, (P,), "  pool {", "  pool { option domain-search lab.test;"),
    Case(
        "options-differ", KEA, (S,), '"option-data": [', '"option-data": [{"name": "swap-server", "data": "10.0.0.1"},'
    ),
    Case("routers-differ", ISC, (S,), "routers 192.168.1.1;", "routers 192.168.1.3;"),
    Case("routers-differ", KEA, (S,), '"data": "192.168.1.1"', '"data": "192.168.1.3"'),
    Case("lease-times-differ", ISC, (S,), "TIME 600", "TIME 900"),
    Case("lease-times-differ", ISC, (S,), "  pool {", "  pool { min-lease-time 300;"),
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
    Case("keys-differ", ISC, (S,), "key omapi_key {", "key other_key {"),
    Case("omapi-without-key", ISC, (P, S), "omapi-key omapi_key;", ""),
    Case("ping-check-differs", ISC, (P,), "ping-check false;", ""),
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
    elsewhere = {"failover-missing", "hot-standby-clients", "ha-subnet-relation", "kea-shared-network-differs"}
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
    assert found_in(pair) == ()


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


def test_each_of_several_relations_wants_a_pool() -> None:
    pair = texts(ISC)
    times = "max-response-delay 5; load balance max seconds 3;"
    for name, me, you, more in ((P, 1, 2, "mclt 9; split 1;"), (S, 2, 1, "")):
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
