"""`labbuilder lint host1: host2:` reads files of running hosts by ssh, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import image_sshd
import pytest

from labbuilder.host.store import Home

pytestmark = pytest.mark.needs_root

PAIRS = Path(__file__).parents[1] / "pairs"
P, S = ((PAIRS / f"isc/{name}.conf").read_bytes() for name in ("primary", "secondary"))
KEA = (PAIRS / "kea-hot-standby/primary.json").read_bytes()
CONF = "/etc/dhcp/dhcpd.conf"
Lint = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lint(home: Home, tmp_path: Path) -> Lint:
    head, subnet = S.split(b"subnet 192", 1)
    files = {
        "one": {CONF: P},
        "two": {CONF: head + b'include "/etc/dhcp/su bnet.conf";\n', "/etc/dhcp/su bnet.conf": b"subnet 192" + subnet},
        "relative": {CONF: b'include "etc/dhcp/more";', "/etc/dhcp/more": S},
        "broken": {CONF: b'include "/etc/shadow";'},
        "both": {CONF: P, "/etc/kea/kea-dhcp4.conf": KEA},
        "packaged": {CONF: P, "/etc/kea/kea-dhcp4.conf": b'{"Dhcp4": {"valid-lifetime": 600}}'},
        "none": {"/etc/dhcp/else": b""},
        "latin": {CONF: b"# D\xe4mon\r\n" + P},
    }
    path = image_sshd.hosts(image_sshd.image_tree(home), tmp_path, files)
    env = os.environ | {"PATH": f"{path}:{os.environ['PATH']}"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "labbuilder", "lint", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False, env=env, timeout=60)

    return run


def test_two_hosts_are_a_pair(lint: Lint) -> None:
    said = lint("one:", "root@two:")
    assert (said.returncode, said.stdout) == (0, "Nothing found: the two fit each other.\n"), said.stderr
    found = json.loads(lint("one:", "one:/etc/dhcp/dhcpd.conf", "--json").stdout)["findings"]
    assert {finding["where"]["file"] for finding in found} == {f"one:{CONF}"}
    assert "roles" in {finding["rule"] for finding in found}


def test_a_host_and_a_file_are_a_pair(lint: Lint) -> None:
    assert lint("latin:", str(PAIRS / "isc/secondary.conf")).returncode == 0


def test_of_two_configurations_the_one_with_failover_is_meant(lint: Lint) -> None:
    """Debian's packages bring a file each."""
    assert lint("packaged:", "two:").returncode == 0


def test_a_relative_include_is_below_the_root_as_for_the_daemon(lint: Lint) -> None:
    said = lint("one:", "relative:")
    assert (said.returncode, "include-relative" in said.stdout) == (0, True), said.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("one:", "both:"), f"There are {CONF} and /etc/kea/kea-dhcp4.conf."),
        (("one:", "none:"), "none: no configuration can be read"),
        (("one:", "two:/etc/none"), "/etc/none can't be read: No such file or directory"),
        (("one:", "two:/etc"), "/etc can't be read: it is no regular file"),
        (("one:", "two:/dev/zero"), "/dev/zero can't be read: it is no regular file"),
        (("one:", "broken:"), "The line is not shown"),
    ],
)
def test_what_can_not_be_read_is_status_2(lint: Lint, words: tuple[str, ...], told: str) -> None:
    said = lint(*words)
    assert (said.returncode, said.stdout) == (2, "")
    assert told in said.stderr
    assert "Traceback" not in said.stderr
    assert "root:" not in said.stderr


def test_a_host_that_is_not_there_is_told(lint: Lint, tmp_path: Path) -> None:
    (tmp_path / "serve").write_text("echo nobody is here >&2; exit 1")
    said = lint("one:", "two:")
    assert said.returncode == 2
    assert "one can't be read by ssh" in said.stderr
    assert "nobody is here" in said.stderr


def test_a_host_is_never_written_to(lint: Lint, tmp_path: Path) -> None:
    target = tmp_path / f"two{CONF}"
    target.write_bytes(target.read_bytes().replace(b"  secondary;", b"  secondary; mclt 60;"))
    before = target.read_bytes()
    said = lint("one:", "two:", "--fix")
    assert f"--- two:{CONF}" in said.stdout
    assert "-  secondary; mclt 60;\n+  secondary;\n" in said.stdout
    assert "is only read" in lint("one:", "two:", "--fix", "--write").stderr
    assert target.read_bytes() == before


def test_a_host_that_begins_with_a_hyphen_is_no_option_of_ssh(lint: Lint, tmp_path: Path) -> None:
    said = lint("--", "one:", f"-oProxyCommand=touch {tmp_path}/made;x:")
    assert said.returncode == 2
    assert not (tmp_path / "made").exists()
