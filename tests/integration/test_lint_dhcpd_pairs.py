"""What the lint calls an error of a pair of dhcpd, the real pair fails of; what it only warns of, works."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from dhcpd_pair import FIRST, MORE, SECOND, Pair, running

from labbuilder.host.wait import wait_until
from labbuilder.lint import Config, lint_pair

pytestmark = pytest.mark.needs_root

TEXT = """\
failover peer "lab" {{
  {role};
  address {me}; port 647;
  peer address {you}; peer port 647;
  max-response-delay 5; max-unacked-updates 10; load balance max seconds 3;
  {more}
}}
failover peer "more" {{
  {role};
  address {me2}; port 647;
  peer address {you2}; peer port 647;
  max-response-delay 5; max-unacked-updates 10; load balance max seconds 3;
  {more}
}}
subnet 10.9.0.0 netmask 255.255.255.0 {{ pool {{ failover peer "lab"; range 10.9.0.100 10.9.0.150; }} }}
subnet 10.7.0.0 netmask 255.255.255.0 {{ pool {{ failover peer "more"; range 10.7.0.100 10.7.0.120; }} }}
"""
GOOD = (
    TEXT.format(role="primary", me=FIRST, you=SECOND, me2=MORE[0], you2=MORE[1], more="mclt 60; split 128;"),
    TEXT.format(role="secondary", me=SECOND, you=FIRST, me2=MORE[1], you2=MORE[0], more=""),
)
A, B = (0,), (1,)
BOTH = (0, 1)
RANGE = "range 10.9.0.100"


class Case(NamedTuple):
    """What is changed in which of the files, of what rule that is, and what the daemons then say and do."""

    rule: str
    files: tuple[int, ...]
    old: str
    new: str
    said: str = ""


# dhcpd ends at its start.
ENDS = [
    Case("mclt-missing", A, "mclt 60;", "", "primary failover server must have mclt"),
    Case("split-missing", A, "split 128;", "", "primary failover server must have hba or split"),
    Case("split-on-secondary", B, "secondary;", "secondary; split 128;", "may not define load balance settings"),
    Case("split-value", A, "split 128;", "split 257;", "split must be between 0 and 256"),
    Case("split-value", A, "split 128;", "hba ff:00;", "too few numbers"),
    Case("peer-address-missing", B, f"peer address {FIRST};", "", "peer address may not be omitted"),
    Case("address-missing", A, f"  address {FIRST};", "", "no local address"),
    Case("relation-unused", BOTH, 'pool { failover peer "more"; ', "pool { ", "no referring pools"),
    Case("dynamic-bootp", A, RANGE, "range dynamic-bootp 10.9.0.100", "dynamic-bootp flag is not permitted"),
    Case("range-outside-subnet", A, "10.9.0.150", "10.9.1.150", "not in subnet"),
    Case("range-twice", A, RANGE, f"range 10.9.0.110; {RANGE}", "declared twice"),
    Case("pool-relation-unknown", A, 'pool { failover peer "lab"', 'pool { failover peer "lob"', "not found"),
    Case("undeclared", A, RANGE, f'allow members of "x"; {RANGE}', "no such class"),
    Case("undeclared", A, "subnet 10.9", "omapi-key nobodys; subnet 10.9", "not found"),
    Case("declared-twice", A, 'peer "more" {', 'peer "lab" {', "redeclaration of failover peer"),
]
# They never get to serve together.
APART = [
    Case("failover-name", B, '"lab"', '"lob"', "unknown failover relationship name"),
    Case("roles", B, "secondary;", "primary; mclt 60; split 128;", "already connected"),
    Case("addresses-mirrored", B, f"peer address {FIRST}", "peer address 10.9.0.9", "no matching state"),
    Case("addresses-mirrored", A, f"  address {FIRST}", "  address 10.9.0.9", "address not available"),
    Case("relations-one-address", BOTH, "10.8.0.", "10.9.0.", "does not match"),
    Case("ports-mirrored", BOTH, "peer port 647", "peer port 649"),
    Case("failover-missing", B, GOOD[1][: GOOD[1].index("subnet 10.9")], ""),
]
# They serve together, but the one refuses what the other tells it of leases.
REJECT = [
    Case("pool-differs", B, "10.9.0.150", "10.9.0.149", "10.9.0.150 from lab rejected: unknown IP address"),
    Case(
        "pool-differs", B, f"{RANGE} 10.9.0.150", "range 10.9.0.160 10.9.0.199", "from lab rejected: unknown IP address"
    ),
    Case(
        "pool-differs",
        B,
        f'failover peer "lab"; {RANGE} 10.9.0.150; }}',
        f'failover peer "more"; {RANGE} 10.9.0.150; }} pool {{ failover peer "lab"; range 10.9.0.200; }}',
        "from lab rejected: ",
    ),
]
# No error: they work.
WORKS = [
    Case("", A, "mclt 60;", "mclt 60;"),
    Case("mclt-on-secondary", B, "secondary;", "secondary; mclt 30;"),
    Case("role-missing", A, "primary;", ""),
    Case("split-and-hba", A, "split 128;", f"split 128; hba {':'.join(['0f'] * 32)};"),
    Case("port-one-way", B, "peer port 647", "peer port 649"),
    Case("load-balance-off", B, "load balance max seconds 3;", ""),
    Case("", B, "subnet 10.9", "authoritative; subnet 10.9"),
]
GROUPS = {"ends": ENDS, "apart": APART, "reject": REJECT, "works": WORKS}
ALL = {f"{group}-{n}-{case.rule or 'good'}": case for group, cases in GROUPS.items() for n, case in enumerate(cases)}
LIMIT_S = 90.0


def texts(case: Case) -> tuple[str, str]:
    pair = list(GOOD)
    for file in case.files:
        assert case.old in pair[file], "the change changes nothing"
        pair[file] = pair[file].replace(case.old, case.new)
    if case.rule == "failover-missing":
        pair[1] = pair[1].replace('failover peer "lab"; ', "").replace('failover peer "more"; ', "")
    return pair[0], pair[1]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pair]]:
    """All of them at once, when those that work do."""
    with running({name: texts(case) for name, case in ALL.items()}, tmp_path_factory.mktemp("pairs")) as found:
        working = [pair for name, pair in found.items() if name.startswith("works")]
        wait_until("the good pairs are normal", lambda: all(pair.normal for pair in working), within_s=LIMIT_S)
        yield found


def said(pair: Pair) -> str:
    return pair.log("one") + pair.log("two")


@pytest.mark.parametrize("name", ALL)
def test_what_the_lint_says_is_what_the_pair_does(pairs: dict[str, Pair], name: str) -> None:
    case, pair = ALL[name], pairs[name]
    a, b = texts(case)
    found = {finding.rule: finding.severity.value for finding in lint_pair(Config("a", a), Config("b", b))}
    if name.startswith("works"):
        assert "error" not in found.values()
        assert not case.rule or case.rule in found
        assert pair.normal
        return
    assert found[case.rule] == "error"
    wait_until(f"dhcpd says {case.said!r}", lambda: case.said in said(pair), within_s=LIMIT_S)
    if name.startswith("ends"):
        wait_until("dhcpd ends", lambda: pair.ended("one") or pair.ended("two"), within_s=LIMIT_S)
    elif name.startswith("apart"):
        assert not pair.normal
