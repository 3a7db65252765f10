"""What root in a machine can not use up, reach or lead elsewhere, and what no other user of the host can see."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from labbuilder.errors import TransportError
from labbuilder.host.run import run
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.providers.nspawn import cgroups
from labbuilder.providers.nspawn.host import findings
from labbuilder.providers.nspawn.provider import NspawnProvider
from labbuilder.ssh.endpoint import connect_unix
from labbuilder.ssh.openssh import openssh_argv

pytestmark = pytest.mark.needs_root


@pytest.fixture(scope="module")
def lab(home: Home) -> Iterator[Lab]:
    """Brought up and proven under a umask that closes everything, as hardened hosts have it."""
    before = os.umask(0o077)
    try:
        lab = Lab("confined", home=home).add_server().up()
    finally:
        os.umask(before)
    yield lab
    lab.down()


def provider_of(lab: Lab) -> NspawnProvider:
    provider = lab.session().provider
    assert isinstance(provider, NspawnProvider)
    return provider


def said(lab: Lab, script: str) -> str:
    return lab.run("server1", script).stdout.strip()


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):o}"


def test_nobody_else_on_the_host_looks_into_a_lab(lab: Lab, home: Home) -> None:
    folder = home.lab("confined")
    assert mode(folder.path) == "700"
    assert mode(folder.machine("server1")) == "700"
    assert mode(folder.journal) == "600"
    assert mode(folder.keys) == "700"
    alone = run("setpriv", "--reuid=65534", "--clear-groups", "ls", folder.machine("server1"), ok=range(256))
    assert "Permission denied" in alone.stderr
    del lab


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o027])
def test_whatever_the_umask_is_a_machine_is_the_same(home: Home, umask: int) -> None:
    name = f"umask{umask}"
    spec = Lab(name, home=home).add_server()
    lab, plan = home.lab(name), spec.plan()
    provider = NspawnProvider(home, lab, f"{umask:08x}")
    before = os.umask(umask)
    try:
        lab.make()
        provider.ensure_networks(plan)
        provider.create(plan, plan.machine("server1"))
        provider.start("server1")
        provider.wait_ready("server1")
        upper = lab.machine("server1") / "upper"
        assert [mode(p) for p in (lab.path, lab.machine("server1"), upper, upper / "etc")] == [
            "700",
            "700",
            "755",
            "755",
        ]
    finally:
        os.umask(before)
        provider.destroy_all()
        lab.remove()


def test_the_root_folder_of_a_machine_is_debians(lab: Lab) -> None:
    assert said(lab, "stat -c %a / /etc /etc/ssh /run/lab") == "755\n755\n755\n755"


def test_a_machine_has_so_many_processes_and_so_much_memory(lab: Lab) -> None:
    if cgroups.unlimited():
        pytest.skip(f"this host limits no {cgroups.unlimited()}; doctor says so")
    bomb = "perl -e 'while ($n < 1100) { last unless defined($p = fork); $p or sleep(2), exit; $n++ } print $n'"
    assert 900 < int(said(lab, bomb)) < cgroups.LIMITS["pids"]
    eater = "perl -e '$x = \"x\" x (1200 << 20); print length $x'; echo $?"
    assert said(lab, eater).endswith("137")  # killed by the kernel; the machine lives on
    lab.verify().raise_for_failures()


def test_what_lies_in_memory_is_limited(lab: Lab) -> None:
    assert said(lab, "df -m --output=size /run /tmp /dev/shm | tail -n +2 | tr -d ' '") == "256\n256\n64"
    assert said(lab, "stat -c %a /run /tmp /dev/shm") == "755\n1777\n1777"


def test_doctor_says_what_is_limited(home: Home) -> None:
    (limits,) = [finding for finding in findings(home) if finding.name == "limits"]
    assert limits.ok
    assert "1024 MiB" in limits.seen
    assert "1024 processes" in limits.seen


def test_doctor_says_what_is_not_limited(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "unlimited", lambda: ("memory", "pids"))
    (limits,) = [finding for finding in findings(home) if finding.name == "limits"]
    assert limits.seen == "root in a machine can use up the host's memory and pids: no such control groups here"


def test_a_machine_does_not_reach_the_hypervisor_of_its_host(lab: Lab) -> None:
    family = "perl -e 'socket(S, $ARGV[0], 1, 0) ? print \"open\" : print $!' {}"
    assert said(lab, family.format(40)) == "Address family not supported by protocol"
    assert said(lab, family.format(1)) == "open"


def test_a_machine_sees_nothing_of_the_host(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the host")
    assert said(lab, f"cat {tmp_path}/secret 2>&1").endswith("No such file or directory")
    assert said(lab, "ls -d /proc/[0-9]* | wc -l") != str(len(list(Path("/proc").glob("[0-9]*"))))
    assert said(lab, "cat /proc/kallsyms 2>&1 | grep -vc ' 0*$' ; ls /sys/class/net | tr '\\n' ' '").endswith("lo")
    for refused in ("mknod /root/sda b 8 0", "echo b >/proc/sysrq-trigger", "dmesg", "modprobe dummy"):
        assert not lab.run("server1", refused).ok, refused


def test_what_lets_a_machine_have_its_own_proc_is_gone_when_it_runs(lab: Lab) -> None:
    """The lab's own /proc and /sys stand in a machine while systemd-nspawn makes it."""
    places = lab.run("server1", "awk '$3 ~ /^(proc|sysfs)$/ {print $2}' /proc/1/mounts").stdout.split()
    assert {place for place in places if not place.startswith(("/proc", "/sys"))} == set()


def test_a_link_in_the_place_of_the_management_socket_leads_nowhere(lab: Lab, tmp_path: Path) -> None:
    ours = tmp_path / "hosts.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(ours))
        listener.listen()
        listener.settimeout(0.2)
        mine = provider_of(lab).lab.machine("server1") / "run/ssh.sock"
        said(lab, f"mv /run/lab/ssh.sock /run/lab/away; ln -s {ours} /run/lab/ssh.sock")
        try:
            with pytest.raises(OSError, match=r"non-socket"):
                connect_unix(mine)
            endpoint = provider_of(lab).endpoint("server1")
            assert not run(*openssh_argv(endpoint, "true"), ok=range(256)).ok
            lab.close()
            with pytest.raises(TransportError):
                lab.run("server1", "true")
            with pytest.raises(TimeoutError):
                listener.accept()
        finally:
            mine.unlink()
            mine.with_name("away").rename(mine)
    lab.close()
    assert lab.run("server1", "true").ok
