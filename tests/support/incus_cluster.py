"""A real Incus cluster on one machine: each member a systemd-nspawn machine, none of them on the host's network.

The cluster lives in a PID, a mount and a network namespace of its own, whose first process is the keeper: when the
keeper ends, the kernel ends everything, and nothing is left but files. Run as a program::

    python tests/support/incus_cluster.py up [MEMBERS]     a cluster that stays; prints how to reach it
    python tests/support/incus_cluster.py down
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock
from userland import cache

from labbuilder.host.run import Result, run
from labbuilder.host.store import remove_tree
from labbuilder.host.wait import wait_until
from labbuilder.providers.debian import host_mirror
from labbuilder.providers.nspawn import cgroups

# fmt: off
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "iproute2", "iputils-ping", "procps", "udev", "netbase", "ca-certificates",
    "incus-base", "incus-client", "nftables", "tcpdump", "xz-utils", "zstd", "squashfs-tools", "btrfs-progs",
)
# fmt: on
_PIN = "Package: incus*\\nPin: release n=trixie-backports\\nPin-Priority: 990\\n"
_KEEPER = """
ip link set lo up
ip link add br0 up type bridge forward_delay 0
ip addr add 10.77.0.254/24 dev br0
echo up
exec sleep infinity
"""
_LOOPS = """
for n in $(seq 0 63); do [ -e /dev/loop$n ] || mknod -m 660 /dev/loop$n b 7 $n; done
"""  # the kernel makes the next one on demand, but no udev its node
_UPLINK = """
ip link set host0 name eth0
ip link add br0 up type bridge forward_delay 0
ip link set eth0 up master br0
ip addr add {}/24 dev br0
"""
OFFLINE_AFTER_S = 11  # the least that Incus allows
_POOL_SIZE = "12GiB"  # sparse


def member_root() -> Path:
    """The root tree of every member, built unless it is there: 50 s, 450 MB."""
    recipe = hashlib.sha256(repr((PACKAGES, _PIN)).encode()).hexdigest()[:12]
    folder = cache() / f"incus-member-{recipe}"
    cache().mkdir(parents=True, exist_ok=True)
    with FileLock(cache() / ".incus-member.lock"):
        if not folder.exists():
            part = folder.with_name(f".{folder.name}.part")
            if part.exists():
                shutil.rmtree(part)
            mirror = host_mirror("trixie")
            # fmt: off
            run(
                "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", '--aptopt=APT::Install-Recommends "false"',
                "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
                "--dpkgopt=force-unsafe-io", f"--include={','.join(PACKAGES)}",
                f"--setup-hook=cd \"$1\"; mkdir -p etc/apt/preferences.d; printf '{_PIN}' >etc/apt/preferences.d/incus",
                '--customize-hook=rm -f "$1/etc/hostname"; : >"$1/etc/machine-id"',
                "trixie", part, f"deb {mirror} trixie main", f"deb {mirror} trixie-backports main", timeout_s=1800.0,
            )
            # fmt: on
            part.rename(folder)
    return folder


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@dataclass(frozen=True)
class Member:
    """One member: h1, h2, ..."""

    name: str
    folder: Path

    @property
    def number(self) -> int:
        """1 for h1."""
        return int(self.name[1:])

    @property
    def address(self) -> str:
        """In the cluster's own network namespace."""
        return f"10.77.0.{self.number}"

    @property
    def socket(self) -> Path:
        """Where its Incus listens, as the host sees it."""
        return self.folder / "incus/unix.socket"


class Cluster:
    """A cluster in a folder; everything it needs to know is there, so that another process can take it down.

    Args:
        folder: Short, since UNIX sockets lie below it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def _facts(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.folder / "keeper.json").read_text(encoding="utf-8"))
        return found

    @property
    def keeper(self) -> int:
        """PID 1 of the cluster's namespaces."""
        return int(self._facts["pid"])

    def member(self, number: int) -> Member:
        """The member of that number, from 1."""
        return Member(f"h{number}", self.folder / f"h{number}")

    @property
    def members(self) -> tuple[Member, ...]:
        """All that were ever started."""
        return tuple(self.member(number) for number in range(1, len(list(self.folder.glob("h[0-9]"))) + 1))

    def up(self, count: int = 3, *, stays: bool = False) -> None:
        """Start the keeper and the members, and make a cluster of them.

        Args:
            count: So many members.
            stays: It outlives this process; otherwise the kernel ends it with this process, however that ends.
        """
        root = member_root()
        self.folder.mkdir(parents=True)
        self._start_keeper(() if stays else ("setpriv", "--pdeathsig", "KILL"))
        for number in range(1, count + 1):
            self.boot(self.member(number), root)
        for member in self.members:
            self._await(member)
        first, *others = self.members
        self.run(first, "incus", "admin", "init", "--preseed", stdin=_first_seed(first))
        for member in others:
            token = self.run(first, "incus", "cluster", "add", member.name).stdout.split()[-1]
            self.run(member, "incus", "admin", "init", "--preseed", stdin=_joining_seed(member, token))
        self.run(first, "incus", "config", "set", f"cluster.offline_threshold={OFFLINE_AFTER_S}")

    def _start_keeper(self, tied: tuple[str, ...]) -> None:
        mark = secrets.token_hex(4)
        # fmt: off
        with open(self.folder / "keeper.log", "ab") as log:
            keeper = subprocess.Popen(
                [*tied, "unshare", "--pid", "--fork", "--kill-child=SIGKILL", "--net", "--mount", "--propagation=slave",
                 "--mount-proc", "sh", "-ec", _KEEPER],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True, text=True,
            )
        # fmt: on
        assert keeper.stdout is not None
        with keeper.stdout:
            assert keeper.stdout.readline() == "up\n"
        keeper.returncode = 0  # another process may end it: nobody waits for it here
        facts = {"pid": str(_children(keeper.pid)[0]), "unshare": str(keeper.pid), "mark": mark}
        (self.folder / "keeper.json").write_text(json.dumps(facts), encoding="utf-8")

    def _groups(self) -> tuple[Path, ...]:
        """Its control groups. Not named like a lab's: `down --all` would remove them as a lost one."""
        hierarchies = [cgroups.ROOT] if cgroups.is_v2() else [cgroups.ROOT / "unified", cgroups.ROOT / "systemd"]
        return tuple(hierarchy / f"incus-cluster-{self._facts['mark']}" for hierarchy in hierarchies)

    def boot(self, member: Member, root: Path | None = None) -> None:
        """Power a member on, in control groups of its own; what it wrote below /var/lib/incus is there again."""
        (member.folder / "incus").mkdir(parents=True, exist_ok=True)
        groups = [group / member.name for group in self._groups() if _is_v2(group)]
        for group in groups:
            group.mkdir(parents=True, exist_ok=True)
        join = "".join(f"echo 0 >{group}/cgroup.procs; " for group in groups)
        # fmt: off
        words = [
            "sh", "-c", f'{join} exec "$@"', "sh",
            "nsenter", f"--target={self.keeper}", "--net", "--pid", "--mount",
            "systemd-nspawn", "--quiet", f"--directory={root or member_root()}", "--volatile=overlay", "--boot",
            "--register=no", "--keep-unit", f"--machine={member.name}", f"--hostname={member.name}",
            f"--uuid={secrets.token_hex(16)}", "--network-bridge=br0", "--capability=all", "--private-users=no",
            "--bind=/dev/fuse", "--bind=/dev/loop-control",
            f"--bind={member.folder}/incus:/var/lib/incus", "--console=read-only",
        ]
        # fmt: on
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
            "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
            "SYSTEMD_SECCOMP": "0",
        }
        with open(member.folder / "console.log", "ab") as console:
            started = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True, env=environment
            )
        started.returncode = 0
        (member.folder / "nsenter.pid").write_text(str(started.pid), encoding="ascii")

    def _leader(self, member: Member) -> int:
        """The member's PID 1, as the host counts: nsenter, systemd-nspawn, its init."""
        pid = _launcher(member)
        for _ in range(2):
            pid = next(iter(_children(pid)), 0)
        return pid

    def _await(self, member: Member) -> None:
        def listens() -> bool:
            return (
                bool(self._leader(member))
                and self.run(member, "systemctl", "is-active", "-q", "incus.socket", ok=range(256)).ok
            )

        wait_until(f"{member.name} boots: {member.folder}/console.log", listens, within_s=60.0, every_s=0.1)
        self.run(member, "sh", "-ec", _LOOPS + _UPLINK.format(member.address))

    def run(
        self,
        member: Member,
        *argv: str,
        stdin: str | None = None,
        ok: Sequence[int] = (0,),
        timeout_s: float = 120.0,
    ) -> Result:
        """Run a command in a member."""
        leader = str(self._leader(member))
        enter = ("nsenter", "-t", leader, "-m", "-u", "-i", "-n", "-p", "-C", "--", "env", "-i")
        environment = ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8")
        return run(*enter, *environment, *argv, stdin=stdin, ok=ok, timeout_s=timeout_s)

    def kill(self, member: Member) -> None:
        """Cut a member's power: all that ran on it is gone at once."""
        leader = self._leader(member)
        if leader:
            os.kill(leader, signal.SIGKILL)
        wait_until(f"{member.name} is off", lambda: _gone(_launcher(member)), within_s=20.0)

    def revive(self, member: Member) -> None:
        """Power it on, unless it is; it is in the cluster when this returns."""
        if _gone(_launcher(member)):
            self.boot(member)
            self._await(member)
        for other in self.members:
            reaches = partial(self._reaches, other, member)
            wait_until(f"{other.name} can ask {member.name} again", reaches, within_s=60.0, every_s=0.2)

    def _reaches(self, asking: Member, asked: Member) -> bool:
        return self.run(asking, "incus", "query", f"/1.0?target={asked.name}", ok=range(256)).ok

    def down(self) -> None:
        """End everything; nothing is left."""
        if (self.folder / "keeper.json").exists():
            for pid in (self.keeper, int(self._facts["unshare"])):
                _end(pid)
            for group in self._groups():
                cgroups.remove(group)
        wait_until(f"{self.folder} can be removed", self._removed, within_s=20.0, every_s=0.1)

    def _removed(self) -> bool:
        try:
            remove_tree(self.folder)
        except OSError:
            return False  # a mount that is just going
        return not self.folder.exists()


def _end(pid: int) -> None:
    """SIGKILL, and wait until it is gone; it may be nobody's child here."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return

    wait_until(f"process {pid} has ended", lambda: _gone(pid), within_s=20.0)


def _gone(pid: int) -> bool:
    """It has ended; perhaps it was a child of ours, and waits to be told so."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return not Path(f"/proc/{pid}").exists()


def _launcher(member: Member) -> int:
    """The process that ends after all others of a member."""
    return int((member.folder / "nsenter.pid").read_text(encoding="ascii"))


def _is_v2(group: Path) -> bool:
    return (group.parent / "cgroup.subtree_control").exists() or cgroups.is_v2()


def _first_seed(member: Member) -> str:
    return f"""\
config: {{core.https_address: "{member.address}:8443"}}
cluster: {{server_name: {member.name}, enabled: true}}
storage_pools: [{{name: default, driver: btrfs, config: {{size: {_POOL_SIZE}}}}}]
profiles: [{{name: default, devices: {{root: {{path: /, pool: default, type: disk}}}}}}]
"""


def _joining_seed(member: Member, token: str) -> str:
    return f"""\
cluster:
  enabled: true
  server_address: {member.address}:8443
  cluster_token: {token}
  member_config: [{{entity: storage-pool, name: default, key: size, value: {_POOL_SIZE}}}]
"""


def main() -> None:
    """The cluster that stays."""
    cluster = Cluster(cache() / "incus")
    if sys.argv[1:2] == ["down"]:
        cluster.down()
        return
    if not cluster.folder.exists():
        cluster.up(int(sys.argv[2]) if len(sys.argv) > 2 else 3, stays=True)
    print(f"labbuilder up --provider incus --remote {cluster.member(1).socket}")


if __name__ == "__main__":
    main()
