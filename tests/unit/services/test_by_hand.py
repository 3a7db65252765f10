"""A right pair that somebody wrote in his own way: another peer's name, two blanks of indent, no OMAPI."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from labbuilder.host.run import Result
from labbuilder.lab import Lab
from labbuilder.model.check import Judgement
from labbuilder.services.dhcp import omapi
from labbuilder.verify.checks import checks_for

FACTS = Path(__file__).parents[2] / "facts/dhcp"
CONF = {role: (FACTS / f"dhcpd-by-hand-{role}.conf").read_text() for role in ("primary", "secondary")}
JOURNAL = (FACTS / "dhcpd-journal.txt").read_text()
ROLE = {"server1": "primary", "server2": "secondary"}
KEYS = """key ddns { algorithm hmac-md5; secret wrong==; };
key "mine" {
  algorithm hmac-sha512;  # secret "no";
  secret "right==";
}
omapi-key mine;
omapi-port 7912;
"""


def judged(check: str, machine: str, conf: str, *before: str, engine: str = "isc") -> Judgement:
    lab = (
        Lab()
        .add_server()
        .add_server()
        .failover(engine=engine, mode="hot-standby" if engine == "kea" else "load-balancing")
    )
    (found,) = [c for c in checks_for(lab.plan()) if (c.id, c.machine) == (check, machine)]
    path = {"isc": "/etc/dhcp/dhcpd.conf", "kea": "/etc/kea/kea-dhcp4.conf"}[engine]
    files = f"{path}\n" + "".join(f" {line}\n" for line in conf.splitlines())
    made = found.judge(*(Result((), 0, said) for said in (*before, files)))
    assert isinstance(made, Judgement)
    return made


@pytest.mark.parametrize("machine", ROLE)
def test_its_addresses_pool_and_shares_are_read_as_they_are_meant(machine: str) -> None:
    conf = CONF[ROLE[machine]]
    for check, before in (("failover.mirror", ()), ("failover.pool", ()), ("failover.share", (JOURNAL,))):
        found = judged(check, machine, conf, *before)
        assert found.passed, (check, found)


@pytest.mark.parametrize(
    ("check", "machine", "one", "other"),
    [
        ("failover.mirror", "server1", "peer address 192.168.1.2", "peer address 192.168.1.3"),
        ("failover.pool", "server2", "192.168.1.200", "192.168.1.199"),
        ("failover.share", "server1", "split 128", "split 127"),
        ("failover.share", "server1", "mclt 60", "mclt 61"),
        ("failover.share", "server2", "max-response-delay 5", "max-response-delay 6"),
    ],
)
def test_what_is_wrong_in_it_is_seen(check: str, machine: str, one: str, other: str) -> None:
    conf = CONF[ROLE[machine]]
    assert one in conf
    before = (JOURNAL,) if check == "failover.share" else ()
    assert not judged(check, machine, conf.replace(one, other), *before).passed
    assert not judged(check, machine, "failover {", *before).passed


def test_without_omapi_the_state_is_what_dhcpd_wrote_last() -> None:
    found = omapi.parse(JOURNAL)
    assert (found.local, found.partner) == ("normal", "normal")
    before = "".join(JOURNAL.splitlines(keepends=True)[:4])
    assert (omapi.parse(before).local, omapi.parse(before).partner) == ("recover", "recover")


def opened(tmp_path: Path, **files: str) -> list[str]:
    """What omshell is told, of these configurations; the journal is empty."""
    for name, text in files.items():
        (tmp_path / f"{name}.conf").write_text(text)
    omshell = tmp_path / "omshell"
    omshell.write_text("#!/bin/sh\ncat\n")
    omshell.chmod(0o755)
    asked = omapi.failover_state("close").replace("/etc/dhcp/", f"{tmp_path}/")
    perl = Path(shutil.which("perl") or "").parent
    env = {"PATH": f"{tmp_path}:{perl}:/bin"}
    return subprocess.run(["sh", "-c", asked], env=env, check=False, capture_output=True, text=True).stdout.split("\n")


def test_omapi_is_asked_by_the_names_key_and_port_that_dhcpd_was_given(tmp_path: Path) -> None:
    assert opened(tmp_path, dhcpd=f'include "keys.conf";\n{CONF["primary"]}', keys=KEYS)[:9] == [
        "server 127.0.0.1",
        "port 7912",
        "key-algorithm hmac-sha512",
        "key mine right==",
        "connect",
        "new failover-state",
        'set name = "failover-dhcp"',
        "open",
        "close",
    ]


def test_omapi_without_a_key_is_asked_without_one(tmp_path: Path) -> None:
    told = opened(tmp_path, dhcpd=f"omapi-port 7911;\n{CONF['secondary']}")
    assert told[:3] == ["server 127.0.0.1", "port 7911", "connect"]


@pytest.mark.parametrize("port", ["", "# omapi-port 7911;\n"])
def test_a_dhcpd_without_omapi_is_not_asked(tmp_path: Path, port: str) -> None:
    assert opened(tmp_path, dhcpd=f"{port}{CONF['primary']}") == [""]


def kea(conf: str) -> str:
    """As nobody here would write it: on one line, and other names for the two."""
    bare = "\n".join(line for line in conf.splitlines() if not line.lstrip().startswith("//"))
    return json.dumps(json.loads(bare), separators=(",", ":")).replace("server1", "alpha").replace("server2", "beta")


KEA = kea((FACTS.parents[1] / "golden/modes/kea-hot-standby/expected/server1/etc/kea/kea-dhcp4.conf").read_text())


@pytest.mark.parametrize(
    ("check", "one", "other"),
    [
        ("failover.mirror", "http://192.168.1.2:8000", "http://192.168.1.3:8000"),
        ("failover.pool", "192.168.1.200", "192.168.1.199"),
        ("kea.nic", "enp0s3", "enp0s8"),
    ],
)
def test_keas_file_is_read_as_it_is_meant_too(check: str, one: str, other: str) -> None:
    assert one in KEA
    assert judged(check, "server1", KEA, engine="kea").passed
    assert not judged(check, "server1", KEA.replace(one, other), engine="kea").passed
    assert not judged(check, "server1", "{", engine="kea").passed


def test_a_pair_of_kea_may_call_its_servers_otherwise() -> None:
    told = "".join((FACTS / name).read_text() for name in ("kea-status-hot-standby.json", "kea-2.6-hot-standby.json"))
    lab = Lab().add_server().add_server().failover(engine="kea", mode="hot-standby")
    (share,) = [c for c in checks_for(lab.plan()) if (c.id, c.machine) == ("failover.share", "server1")]
    for said in (told, told.replace("server1", "alpha").replace("server2", "beta")):
        assert share.judge(Result((), 0, said)).passed
    assert not share.judge(Result((), 0, told.replace('"server1" ]', '"server2" ]'))).passed
