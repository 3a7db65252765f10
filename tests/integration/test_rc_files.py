"""Whatever root's rc files, login shell and tools are like: commands run, and the proof is the same."""

from __future__ import annotations

import subprocess

import pytest

from labbuilder.errors import TransportError
from labbuilder.host.wait import wait_until
from labbuilder.lab import Lab
from labbuilder.ssh.openssh import openssh_argv, scp_argv
from labbuilder.verify import Verdict, questions

pytestmark = pytest.mark.needs_root

_LONG_RC = "echo Welcome; echo Wrong >&2; exit 3"

# what breaks it, and what mends it
BREAKS = {
    "bashrc": (f"cp /root/.bashrc /root/kept; echo '{_LONG_RC}' >/root/.bashrc", "mv /root/kept /root/.bashrc"),
    "ssh-rc": ("mkdir -p /root/.ssh; echo 'echo Welcome; exit 3' >/root/.ssh/rc", "rm /root/.ssh/rc"),
    "sshrc": ("echo 'echo Welcome' >/etc/ssh/sshrc", "rm /etc/ssh/sshrc"),
    "nologin": ("usermod -s /usr/sbin/nologin root", "usermod -s /bin/bash root"),
    "no-shell": ("usermod -L -s /nonexistent root", "usermod -p '*' -s /bin/bash root"),
    "base64": ("mv /usr/bin/base64 /usr/bin/kept", "mv /usr/bin/kept /usr/bin/base64"),
    "perl": ("mount --bind /dev/null /usr/bin/perl", "umount /usr/bin/perl"),
    "function": (
        "cp /root/.bashrc /root/kept; printf 'ip() { echo no; }\\nexport -f ip\\n' >>/root/.bashrc",
        "mv /root/kept /root/.bashrc",
    ),
    "own-ip": ("install -m 755 /bin/true /usr/local/sbin/ip", "rm /usr/local/sbin/ip"),
    "full-run": ('fallocate -l "$(df -k --output=avail /run | tail -n 1)K" /run/full', "rm /run/full"),
    "environment": (
        "echo 'echo Welcome; exit 3' >/run/env; systemctl set-environment BASH_ENV=/run/env ENV=/run/env",
        "systemctl unset-environment BASH_ENV ENV; rm /run/env",
    ),
    "bash-is-sh": ("ln -sf bash /bin/sh", "ln -sf dash /bin/sh"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_management_runs_no_rc_files(lab: Lab, name: str) -> None:
    broken, mended = BREAKS[name]
    assert lab.run("server1", broken).ok
    lab.close()  # the next connection meets it
    try:
        done = lab.run("server1", "echo ñ; id -un; exit 4")
        assert (done.code, done.stdout, done.stderr) == (4, "ñ\nroot\n", "")
        shell = lab.session().shell("server1")
        assert [r.stdout for r in shell.run_many(["ip -o link show lo | wc -l", "printf x"])] == ["1\n", "x"]
        shell.put(b"data", "/root/put")
        assert shell.run("cat /root/put; rm /root/put").stdout == "data"
        failed = {o.check: o.observed for o in lab.verify().failures}
        asked_by_perl = {"owners.bridged", "outside.dhcp", "outside.names"} if name == "perl" else set()
        assert failed.keys() == asked_by_perl
        assert all("perl" in observed for observed in failed.values())
    finally:
        assert lab.run("server1", mended).ok
        lab.close()


def test_the_interactive_shell_is_roots_own_and_bash_where_that_lets_nobody_in(lab: Lab) -> None:
    def typed(line: str) -> str:
        words = openssh_argv(lab.session().provider.endpoint("client1"), None)
        done = subprocess.run(words, input=line, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout

    asked = "echo $0 $USER $PWD $X\n"
    try:
        assert lab.run("client1", "cp /root/.profile /root/kept; echo 'X=read' >>/root/.profile").ok
        assert typed(asked) == "/bin/bash root /root read\n"
        assert lab.run("client1", "usermod -s /bin/dash root").ok
        assert typed(asked) == "/bin/dash root /root read\n"
        assert lab.run("client1", "usermod -s /usr/sbin/nologin root").ok
        assert typed(asked) == "/bin/bash root /root read\n"
    finally:
        lab.run("client1", "usermod -s /bin/bash root; mv /root/kept /root/.profile")


def test_a_machine_that_cant_be_asked_is_an_error_with_words(lab: Lab) -> None:
    """Another program is in the place of /bin/sh, until a file comes: copies need no shell."""
    mend = "systemd-run -q -p Type=exec sh -c 'until [ -e /run/mend ]; do sleep 0.1; done; umount /bin/dash'"
    assert lab.run("server2", f"{mend} && mount --bind /usr/sbin/nologin /bin/dash").ok
    lab.close()
    try:
        with pytest.raises(TransportError, match="server2 did not run a command") as told:
            lab.run("server2", "true")
        assert "This account is currently not available" in (told.value.details or "")
        found = lab.verify()
        assert {o.verdict for o in found.outcomes if o.machine == "server2"} == {Verdict.ERROR}
        assert "server2 did not run a command" in found.unreachable["server2"]
    finally:
        copied = scp_argv(lab.session().provider.endpoint("server2"), __file__, ":/run/mend")
        subprocess.run(copied, check=True, capture_output=True)
        wait_until("server2 runs commands", lambda: _runs(lab, "server2"), within_s=20.0, every_s=0.1)
        lab.run("server2", "rm /run/mend")


def _runs(lab: Lab, machine: str) -> bool:
    try:
        return lab.run(machine, "true").ok
    except TransportError:
        return False


def test_one_probe_that_hangs_is_one_error(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "PROBE_S", 3.0)
    hanging = "printf '#!/bin/sh\\nsleep 300\\n' >/run/hanging && chmod 755 /run/hanging"
    assert lab.run("server1", f"{hanging} && mount --bind /run/hanging /usr/bin/systemd-analyze").ok
    try:
        found = lab.verify()
        assert not lab.run("server1", "pgrep -f hanging").stdout  # what was asked in vain does not stay
    finally:
        assert lab.run("server1", "umount /usr/bin/systemd-analyze; rm /run/hanging").ok
    errors = [o for o in found.outcomes if o.verdict is Verdict.ERROR]
    assert [(o.machine, o.check) for o in errors] == [("server1", "forwarding.kept")]
    assert "it hangs" in errors[0].observed
    assert not found.unreachable
