"""A Debian machine that nobody here made: a real sshd, a user who is not root, and sudo, in namespaces of its own.

Its root is the image of a lab's machines, with the package sudo unpacked beside it; all that it writes is in memory.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from netns_relay import relayed

from labbuilder.host.run import host_environment, run
from labbuilder.host.wait import wait_until
from labbuilder.ssh.endpoint import Endpoint, banner_ready

USER = "student"
NO_PASSWORD = f"{USER} ALL=(ALL) NOPASSWD: ALL"
_WORLD = """
ip link set lo up
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay none -o "lowerdir=$3,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
dpkg --fsys-tarfile "$2" | tar -x --keep-directory-symlink
mount -t proc none proc; mount --bind /dev dev; mount -t tmpfs none run; mkdir run/sshd
cp "$4/sshd_config" etc/ssh/foreign
cp "$4/host" etc/ssh/foreign_host
chmod 600 etc/ssh/foreign_host
printf 'root ALL=(ALL) ALL\\n%s\\n' "$5" >etc/sudoers
printf '%s required pam_permit.so\\n' auth account session >etc/pam.d/sudo
chroot . useradd --create-home --shell /bin/bash --password '*' student
mkdir home/student/.ssh
cp "$4/user.pub" home/student/.ssh/authorized_keys
chroot . chown -R student: /home/student
exec chroot . /usr/sbin/sshd -D -e -f /etc/ssh/foreign
"""
_SSHD = """\
HostKey /etc/ssh/foreign_host
UsePAM no
StrictModes no
ListenAddress 127.0.0.1:22
"""


@dataclass(frozen=True)
class Foreign:
    """Where it is, and what opens it."""

    port: int
    key: Path
    known_hosts: Path

    def endpoint(self, **more: object) -> Endpoint:
        """As its owner would write it down."""
        known: dict[str, object] = {"known_hosts": self.known_hosts, "identity": self.key, "sudo": True}
        return Endpoint("foreign", port=self.port, user=USER, **known | more)  # type: ignore[arg-type]


def sudo_package(folder: Path) -> Path:
    """Debian's own, downloaded there."""
    run("apt-get", "download", "sudo", folder=folder, timeout_s=120.0)
    return next(folder.glob("sudo_*.deb"))


@contextmanager
def foreign(
    image: Path, package: Path, folder: Path, *, sudoers: str = f"{USER} ALL=(ALL) NOPASSWD: ALL"
) -> Iterator[Foreign]:
    """The machine, while the block runs.

    Args:
        image: The root tree of a lab's machines.
        package: sudo's, from `sudo_package`.
        folder: For its keys; empty.
        sudoers: The line about its user.
    """
    (folder / "sshd_config").write_text(_SSHD)
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
    root = folder / "root"
    root.mkdir()
    words = [str(word) for word in (root, package, image, folder, sudoers)]
    isolated = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-euc", _WORLD, "sh"]
    words, env = [*isolated, *words], host_environment()
    with open(folder / "log", "wb") as log, subprocess.Popen(words, stderr=log, env=env) as sshd:
        try:
            wait_until("it listens", lambda: b"listening" in (folder / "log").read_bytes(), within_s=30.0)
            with relayed(sshd.pid, "127.0.0.1", 22) as address:
                port = int(address.rpartition(":")[2])
                host_key = (folder / "host.pub").read_text()
                (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
                found = Foreign(port, folder / "user", folder / "known_hosts")
                assert banner_ready(found.endpoint())
                yield found
        finally:
            sshd.kill()
