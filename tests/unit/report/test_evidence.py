"""Evidence in Spanish: every check's title has words, and what varies in it stays."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from drills import recorded, wrong

import labbuilder.report
from labbuilder import report
from labbuilder.host.run import Result
from labbuilder.plan import build_plan
from labbuilder.plan.load import spec_from_values
from labbuilder.report.evidence import translated
from labbuilder.verify import Verdict, checks_for

LINES: dict[str, str] = yaml.safe_load(
    (Path(labbuilder.report.__file__).parent / "evidence.yaml").read_text(encoding="utf-8")
)
WAYS = [(e, m) for e in ("isc", "kea") for m in ("load-balancing", "hot-standby", "round-robin", "manual")]
SAME = re.compile(r"(dhcpd|kea-dhcp4) .*-t.*|named-checkconf -z|/etc/resolv\.conf")  # a command, a file: no words


@pytest.mark.parametrize(("engine", "mode"), WAYS)
def test_every_check_has_a_spanish_title(engine: str, mode: str) -> None:
    spec = spec_from_values(name="aula", clients=2, dhcp={"failover": {"engine": engine, "mode": mode}})
    titles = {check.title for check in checks_for(build_plan(spec))}
    assert [t for t in titles if translated(t, "es") == t and not SAME.fullmatch(t)] == [], "say it in evidence.yaml"


OF_A_GRAMMAR = {"failover.lint", "failover.mirror", "failover.pool", "kea.nic", "kea.running"}  # of a file
ENGLISH = re.compile(r"\b(the|or|and|to|of|not|none|by|an|has|have|is|are|with|from|nobody|in|apart)\b")


@pytest.mark.parametrize(("engine", "mode"), WAYS)
@pytest.mark.parametrize("said", ["", "192.168.1.1/24\n"])
def test_what_a_check_wants_and_sees_is_spanish_too(engine: str, mode: str, said: str) -> None:
    """Also where machines print nothing, or something else; a daemon's grammar is told in its own words."""
    spec = spec_from_values(name="aula", clients=2, dhcp={"failover": {"engine": engine, "mode": mode}})
    left = set()
    for check in checks_for(build_plan(spec)):
        try:
            judged = check.judge(*(Result(("sh",), 0, said) for _ in check.probes))
        except (ValueError, KeyError, IndexError):  # its answer can't be read: an ERROR, in words of its own
            continue
        lines = [judged.expected] if check.id in OF_A_GRAMMAR else [judged.expected, judged.observed]
        left |= {told for line in lines if ENGLISH.search(told := translated(line, "es"))}
    assert left == set(), "say it in evidence.yaml"


def test_names_are_the_same_in_both_languages() -> None:
    for english, spanish in LINES.items():
        assert sorted(re.findall(r"\{(\w+)\}", english)) == sorted(re.findall(r"\{(\w+)\}", spanish)), english


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        ("enp0s3 has its address", "enp0s3 tiene su dirección"),
        ("failover: both peers normal", "failover: los dos pares en normal"),
        ("named is active (after the reboot of server1)", "named está activo (tras reiniciar server1)"),
        (
            "server2 lacks 192.168.1.7\nserver2 alone has 192.168.1.8",
            "a server2 le falta 192.168.1.7\nsolo server2 tiene 192.168.1.8",
        ),
        (
            "hot-standby, standby, serves nobody, auto-failover true",
            "hot-standby, standby, no sirve a nadie, auto-failover true",
        ),
        ("client1 can't be reached over SSH", "no se llega a client1 por SSH"),
        ("none: client1\n192.168.1.7: client1, client2", "ninguna: client1\n192.168.1.7: client1, client2"),
        ("192.168.1.1 enp0s3 or 192.168.1.2 enp0s3", "192.168.1.1 enp0s3 o 192.168.1.2 enp0s3"),
        ("60 to 600", "de 60 a 600"),
        (
            "server1 is too slow: 3 of 40 questions are not answered yet (this host is busy)",
            "server1 es demasiado lenta: faltan por responder 3 de 40 preguntas (this host is busy)",
        ),
        (
            "server1:/etc/dhcp/dhcpd.conf:1: no failover peer is declared",
            "server1:/etc/dhcp/dhcpd.conf:1: no se declara ningún failover peer",
        ),
        (
            "  why: without it on both, the two servers know nothing of each other's leases",
            "  por qué: sin ella en los dos, ningún servidor sabe nada de las concesiones del otro",
        ),
        ("192.168.1.1/24", "192.168.1.1/24"),
        ("-A POSTROUTING -o enp0s8 -j MASQUERADE", "-A POSTROUTING -o enp0s8 -j MASQUERADE"),
        ("", ""),
    ],
)
def test_what_varies_stays(english: str, spanish: str) -> None:
    assert translated(english, "es") == spanish
    assert translated(english, "en") == english


def test_the_page_tells_evidence_in_its_language() -> None:
    result = recorded()
    outcome = replace(
        result.verification.outcomes[0], title="NAT rule is live", verdict=Verdict.FAIL, observed="no error"
    )
    bad = replace(result, verification=replace(result.verification, outcomes=(outcome,)))
    bad = wrong(bad, lost=("06:aa: 192.168.1.9 was refused by server2",))
    spanish, english = (report.html([bad], language=language) for language in ("es", "en"))
    for said in ("la regla de NAT está en vigor", "ningún error", "06:aa: server2 rechazó 192.168.1.9"):
        assert said in spanish
        assert said not in english
    for said in ("NAT rule is live", "no error", "was refused by"):
        assert said in english
        assert said not in spanish


def test_the_page_shows_a_cause_and_what_follows_from_it() -> None:
    result = recorded()
    cause, port, nat = (replace(o, verdict=Verdict.FAIL) for o in result.verification.outcomes[:3])
    cause = replace(
        cause, machine="server2", check="named.active", title="named is active", look="systemctl status named"
    )
    port = replace(port, title="DHCP is served on port 67", command="awk 1", follows_from=("server2:named.active",))
    nat = replace(nat, title="NAT rule is live", command="awk 2", follows_from=("server2:named.active",))
    bad = replace(result, verification=replace(result.verification, outcomes=(cause, port, nat)))
    spanish, english = (report.html([bad], language=language) for language in ("es", "en"))
    assert "server2# systemctl status named" in english
    assert (
        f"2 more follow from it: {port.machine}: DHCP is served on port 67; {nat.machine}: NAT rule is live" in english
    )
    assert f"de ello se siguen 2 más: {port.machine}: hay servicio DHCP en el puerto 67; " in spanish
    assert english.count("named is active") == 2, "once as a cause, once among all"
    assert english.count("awk 1") == 1, "what follows is shown among all alone"
