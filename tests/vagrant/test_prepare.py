"""The script that makes a Debian box a machine of the lab, run in the root tree of a plain Debian."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from labbuilder.host.run import Result, run
from labbuilder.host.store import Home, remove_tree
from labbuilder.lab import Lab
from labbuilder.providers.debian import host_mirror
from labbuilder.providers.vagrant.prepare import write_identities
from labbuilder.providers.vagrant.vagrantfile import Box

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]
PLAIN = "systemd-sysv,ifupdown,isc-dhcp-client,openssh-server,sudo,initramfs-tools,ca-certificates"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Debian as boxes have it: nothing of a lab in it."""
    root = tmp_path_factory.mktemp("box") / "root"
    # fmt: off
    run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={PLAIN}",
        "bookworm", root, host_mirror("bookworm"), timeout_s=1200.0)
    # fmt: on
    (root / "etc/resolv.conf").write_text(Path("/etc/resolv.conf").read_text())
    (root / "etc/network/interfaces").write_text("auto eth0\niface eth0 inet dhcp\n")
    yield root
    remove_tree(root)


def test_a_plain_debian_is_prepared_once_and_again(plain: Path, tmp_path: Path) -> None:
    home = Home(tmp_path)
    lab = home.lab("prep")
    lab.path.mkdir(parents=True)
    plan = Lab("prep", home=home).add_server().add_client().set(provider="vagrant").plan()
    write_identities(plan, plan.machines, lab, "5eed1e55", Box("debian/bookworm64", own=False))
    script = (lab.machine("server1") / "prepare.sh").read_text()

    def prepare() -> Result:
        return run("chroot", plain, "sh", "-s", stdin=script, timeout_s=1200.0)

    assert prepare().stdout.endswith("server1 is prepared\n")
    installed = set(run("chroot", plain, "dpkg-query", "-W", "-f", "${Package}\n").stdout.split())
    assert set(plan.image.packages) <= installed
    assert not (plain / "usr/sbin/policy-rc.d").exists()
    assert (plain / "etc/hostname").read_text() == "server1\n"
    for nic in plan.machine("server1").nics:
        link = (plain / f"etc/systemd/network/10-{nic.name}.link").read_text()
        assert f"MACAddress={nic.mac}" in link
        assert f"Name={nic.name}" in link
    assert "eth0" not in (plain / "etc/network/interfaces").read_text()
    for unit in ("isc-dhcp-server", "kea-dhcp4-server", "named", "networking"):
        assert run("chroot", plain, "systemctl", "is-enabled", unit, ok=range(256)).stdout.strip() != "enabled", unit
    assert run("chroot", plain, "systemctl", "is-enabled", "systemd-networkd").stdout == "enabled\n"
    asked = "mkdir -p /run/sshd; sshd -T -C user=labbuilder,host=x,addr=10.0.99.2"
    settings = run("chroot", plain, "sh", "-c", asked).stdout
    assert "hostkey /etc/ssh/lab_host_ed25519" in settings
    assert "authorizedkeysfile /etc/ssh/lab_authorized_keys" in settings
    assert "permitrootlogin without-password" in settings
    assert "permituserrc no" in settings
    assert run("chroot", plain, "getent", "passwd", "labbuilder").stdout == "labbuilder:x:0:0::/root:/bin/sh\n"
    users = run("chroot", plain, "sshd", "-T", "-C", "user=vagrant,host=x,addr=10.0.99.2").stdout
    assert "authorizedkeysfile .ssh/authorized_keys" in users  # Vagrant's own user still gets in
    again = prepare().stdout
    assert not re.search("Unpacking|Setting up", again)
