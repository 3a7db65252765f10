"""Checks where the bridged LAN is a real one: no lab here has one, so their judges get what machines would say."""

from __future__ import annotations

from pathlib import Path

import pytest

from labbuilder.host.run import Result
from labbuilder.lab import Lab
from labbuilder.model.check import Judgement
from labbuilder.verify.checks import checks_for

WAYS = [(e, m) for e in ("isc", "kea") for m in ("load-balancing", "hot-standby", "round-robin", "manual")]
LAB = Lab("real").add_server().add_server().add_client().set(provider="virtualbox")


def judgement(check: str, machine: str, *said: str, code: int = 0, lab: Lab = LAB) -> Judgement:
    (found,) = [c for c in checks_for(lab.plan()) if (c.id, c.machine) == (check, machine)]
    made = found.judge(*(Result(("sh",), code, one) for one in said))
    assert isinstance(made, Judgement)
    return made


def judged(check: str, machine: str, said: str, code: int = 0) -> bool:
    return judgement(check, machine, said, code=code).passed


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
        ("192.168.1.15\n151.101.130.132\n", False),  # begins as the right one does
    ],
)
def test_a_server_resolves_the_labs_name_and_the_worlds(*, said: str, right: bool) -> None:
    assert judged("names.server1", "client1", said) is right


@pytest.mark.parametrize(
    ("mine", "partners", "apart"),
    [
        ("1764000000 0", "1764000000", "0"),
        ("1764000000 -250", "1764000001", "0.25"),  # asked a little later
        ("1764000000 7000", "1764000007", "7"),
        ("1764028799 -86399900", "1764028800", "0.1"),  # between the two was midnight
        ("1764000000 250", "1764086400", "86400.2"),  # the same time of another day
        ("1764000000", "1764000002", "2"),  # a firewall drops ping
        ("1764000000", "1764000009", "9"),
    ],
)
def test_clocks_are_compared_to_the_millisecond_over_midnight_and_days(mine: str, partners: str, apart: str) -> None:
    seen = judgement("clocks", "server1", mine, partners)
    assert seen.observed == f"{apart} s apart"
    assert seen.passed is (float(apart) < 5)


@pytest.mark.parametrize("said", ["", "nc: connect failed", '{"result": 1}{"result": 1}', "[] {}", "{} []"])
def test_a_kea_that_says_something_else_fails_and_is_quoted(said: str) -> None:
    seen = judgement("failover.share", "server1", said, lab=Lab("kea").add_server().add_server().failover(engine="kea"))
    assert (seen.passed, seen.observed) == (False, said)


@pytest.mark.parametrize(
    ("conf", "told", "seen"),
    [
        ('{"Dhcp4": {"authoritative": true}} // so', '{"arguments": {"Dhcp4": {"authoritative": true}}}', ""),
        (
            '{"Dhcp4": {"renew-timer": 300}}',
            '{"arguments": {"Dhcp4": {}}}',
            "/Dhcp4/renew-timer: the file says 300, Kea",
        ),
        (
            '{"Dhcp4": {"subnet4": [{}]}}',
            '{"arguments": {"Dhcp4": {"subnet4": []}}}',
            "/Dhcp4/subnet4: the file says 1 ",
        ),
        (
            '{"Dhcp4": {}}',
            '{"arguments": {"Dhcp4": {"subnet4": [{}]}}}',
            "/Dhcp4/subnet4: the file has none, Kea runs ",
        ),
        ('{"pools": [{"pool": "10.0.0.4 - 10.0.0.7"}]}', '{"arguments": {"pools": [{"pool": "10.0.0.4/30"}]}}', ""),
        (
            '{"pools": [{"pool": "10.0.0.4 - 10.0.0.6"}]}',
            '{"arguments": {"pools": [{"pool": "10.0.0.4/30"}]}}',
            "/pools/0/pool: the file says 10.0.0.4 - 10.0.0.6",
        ),
        ('{"Dhcp4": {}}', '{"result": 1}', '{"result": 1}'),
        ('{"Dhcp4": {}}', "nc: no such socket", "nc: no such socket"),
        ('{"Dhcp4": ', "{}", "server1:/etc/kea/kea-dhcp4.conf"),
    ],
)
def test_what_kea_runs_is_compared_with_its_file(conf: str, told: str, seen: str) -> None:
    file = f"/etc/kea/kea-dhcp4.conf\n {conf}\n"
    found = judgement("kea.running", "server1", file, told, lab=Lab("kea").add_server().failover(engine="kea"))
    assert found.passed is not bool(seen)
    assert seen in found.observed


def printed(text: str, **others: str) -> str:
    """What the probe prints of a folder of configurations."""
    files = {"/etc/dhcp/dhcpd.conf": text} | {f"/etc/dhcp/{name}.conf": other for name, other in others.items()}
    return "".join(f"{name}\n" + "".join(f" {line}\n" for line in text.splitlines()) for name, text in files.items())


def dhcpd_conf(machine: str) -> str:
    return (Path(__file__).parents[2] / f"golden/guide/expected/{machine}/etc/dhcp/dhcpd.conf").read_text()


def test_the_lint_follows_includes_of_the_machine_absolute_or_from_the_root() -> None:
    one, two = dhcpd_conf("server1"), dhcpd_conf("server2")
    pool = one[one.index("pool {") : one.index("}", one.index("pool {")) + 1]  # dhcpd takes no range alone from a file
    key = "# none\n"
    for name in ("/etc/dhcp/pool.conf", "etc/dhcp/pool.conf"):
        a, b = (text.replace(pool, f'include "{name}";') for text in (one, two))
        assert a != one
        sides = [printed(text, pool=pool, omapi=key) for text in (a, b)]
        assert judgement("failover.lint", "server1", *sides).passed
        shorter = printed(b, pool=pool.replace("1.200", "1.199"), omapi=key)
        seen = judgement("failover.lint", "server1", sides[0], shorter)
        assert seen.observed.startswith(f"server1:{name}:4: the partner's pools lack 192.168.1.200\n")
        assert (
            "'" + name + "' can't be read"
            in judgement("failover.lint", "server1", printed(a, omapi=key), sides[1]).observed
        )


@pytest.mark.parametrize("text", ["failover {", "{}", ""])
def test_the_lint_fails_on_what_it_cant_read_and_says_so(text: str) -> None:
    seen = judgement("failover.lint", "server1", printed(dhcpd_conf("server1"), omapi=""), printed(text))
    assert not seen.passed
    assert "server2:/etc/dhcp/dhcpd.conf" in seen.observed


@pytest.mark.parametrize(("engine", "mode"), WAYS)
def test_what_a_person_is_shown_can_be_typed(engine: str, mode: str) -> None:
    lab = Lab("t").add_server().add_server().add_client().failover(engine=engine, mode=mode)
    shown = {check.look or check.command for check in checks_for(lab.plan())}
    assert [line for line in shown if len(line) > 110 or any(word in line for word in ("awk", "sed ", "$("))] == []


@pytest.mark.parametrize(("engine", "mode"), WAYS)
def test_a_check_rests_on_checks_that_there_are_but_for_those_of_other_roles_and_engines(
    engine: str, mode: str
) -> None:
    lab = Lab("t").add_server().add_server().add_client().failover(engine=engine, mode=mode)
    checks = checks_for(lab.plan())
    everywhere = {check.id for check in checks}
    named = {name.partition(":")[2] or name for check in checks for name in check.rests_on}
    assert named - everywhere <= {"lease.dns"}
