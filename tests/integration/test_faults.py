"""What goes wrong is told in our words, with the right exit status, and nothing is made or lost."""

from __future__ import annotations

import functools
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labbuilder.errors import RejectedConfigError
from labbuilder.host import assets, render
from labbuilder.host.journal import Journal
from labbuilder.host.store import Home, locked
from labbuilder.host.wait import wait_until
from labbuilder.lab import Lab
from labbuilder.providers.nspawn.provider import NspawnProvider

pytestmark = pytest.mark.needs_root


def command(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run labbuilder in an environment of its own."""
    return subprocess.run(
        [sys.executable, "-m", "labbuilder", *words], capture_output=True, text=True, env=os.environ | env, check=False
    )


def test_a_file_that_dhcpd_refuses_is_not_put_in_place(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for template in assets.TEMPLATES.iterdir():
        (tmp_path / template.name).write_text(template.read_text().replace("authoritative;", "authoritative"))
    before = lab.run("server1", "cat /etc/dhcp/dhcpd.conf; systemctl show -P MainPID isc-dhcp-server").stdout
    with monkeypatch.context() as patched:
        patched.setattr(render, "TEMPLATES", tmp_path)
        render._environment.cache_clear()
        with pytest.raises(RejectedConfigError) as caught:
            lab.up()
    render._environment.cache_clear()
    assert "/etc/dhcp/dhcpd.conf:3: ddns-update-style none;" in (caught.value.details or "")
    assert "semicolon expected" in (caught.value.details or "")
    assert lab.run("server1", "cat /etc/dhcp/dhcpd.conf; systemctl show -P MainPID isc-dhcp-server").stdout == before
    assert lab.run("server1", "ls /etc/dhcp").stdout.count("labbuilder-new") == 0
    lab.verify().raise_for_failures()


def test_a_dead_dhcpd_is_started_again_and_never_called_active(lab: Lab) -> None:
    """Asked of systemd's own record of the unit: who looks by the clock sees the new daemon on a slow machine."""
    unit = "isc-dhcp-server"
    stamps = ("InactiveEnterTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    old = lab.run("server1", f"systemctl show -P MainPID {unit}").stdout.strip()
    lab.run("server1", f"systemctl kill -s KILL {unit}")
    lab.run(
        "server1",
        f"until [ $(systemctl show -P NRestarts {unit}) -ge 1 ] && systemctl -q is-active {unit}; do sleep 0.1; done",
        timeout_s=20,
    )
    left, entered = (int(lab.run("server1", f"systemctl show -P {name} {unit}").stdout) for name in stamps)
    assert 0 < left < entered, "the unit was not called inactive between its two lives"
    assert lab.run("server1", f"systemctl show -P MainPID {unit}").stdout.strip() not in {old, "0"}
    lab.up()
    lab.verify().raise_for_failures()


def test_no_room_for_the_image_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    inside = (
        f"mount -t tmpfs -o size=50m small {tmp_path} && "
        f"{{ {sys.executable} -m labbuilder up --json; echo $?; ls -A {tmp_path}/images; }}"
    )
    said = subprocess.run(
        ["unshare", "--mount", "sh", "-c", inside],
        env=os.environ | {"LABBUILDER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "no room for the image" in said
    assert '"exit_code": 3' in said
    assert ".part" not in said


def test_without_root_nothing_is_begun(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    code = "import os; os.setuid(65534); from labbuilder.providers.nspawn.host import preflight; preflight()"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "permission: user id 65534" in said.stderr


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    for name in ("ip", "ssh", "ssh-keygen", "systemd-nspawn"):
        (tmp_path / name).symlink_to("/bin/true")
    code = (
        "import os; from labbuilder.providers.nspawn import host; which = host.shutil.which; "
        f"host.shutil.which = lambda p, path=None: which(p, path={str(tmp_path)!r}); host.preflight()"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr
    assert "missing: mmdebstrap" in said
    assert "apt-get install mmdebstrap" in said


def test_ctrl_c_in_the_middle_of_up_says_what_exists_and_how_to_go_on(home: Home) -> None:
    journal = home.lab("cut").journal
    words = [sys.executable, "-m", "labbuilder", "up", "--name", "cut"]
    lab = Lab("cut", home=home).add_server().add_server().add_client()
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore it
    pipe = subprocess.PIPE
    up = subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, preexec_fn=heard)  # noqa: PLW1509  no threads
    try:
        wait_until(
            "up is provisioning",
            lambda: journal.exists() and any(record.effect == "provision" for record in Journal(journal).records()),
            within_s=60.0,
        )
        up.send_signal(signal.SIGINT)
        _, said = up.communicate(timeout=30)
        assert up.returncode == 130
        assert "Traceback" not in said
        assert re.search(r"cut: server1 is (starting|running)", said)
        assert "not ended: provision" in said
        assert "labbuilder down --lab cut removes it" in said
        lab.up().verify().raise_for_failures()
    finally:
        up.kill()
        lab.down()


def test_a_lab_whose_supervisor_hangs_is_still_taken_down(home: Home) -> None:
    lab = Lab("hung", home=home).add_server().up()
    provider = lab.session().provider
    try:
        assert isinstance(provider, NspawnProvider)
        hung = provider._supervisors()
        assert hung
        for one in hung:
            os.kill(one.pid, signal.SIGSTOP)
    finally:
        assert lab.down()
    assert provider.residue() == []


def test_one_command_at_a_time_changes_a_lab(lab: Lab, home: Home) -> None:
    with locked(home.lab("guide")):
        said = command("up", "--name", "guide")
    assert said.returncode == 3
    assert "another labbuilder is working on the lab guide" in said.stderr


@pytest.mark.slow
def test_thirty_clients_get_their_leases_with_the_hosts_own_limits(home: Home) -> None:
    with Lab("class", home=home).add_server().add_server().add_clients(30) as lab:
        found = lab.verify()
        found.raise_for_failures()
        checks = [outcome.check for outcome in found.outcomes]
        assert checks.count("lease.address") == 30
        assert "addresses" in checks  # no two have one
