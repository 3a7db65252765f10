"""What the nspawn provider needs of the host, looked up there."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from labbuilder.errors import HostError
from labbuilder.host.run import run
from labbuilder.host.store import Home
from labbuilder.providers.base import Finding
from labbuilder.providers.images import room
from labbuilder.providers.nspawn import cgroups
from labbuilder.providers.nspawn.image import NEEDED_BYTES
from labbuilder.spec.providers import Sections

PACKAGES = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
OLDEST_NSPAWN = 252
NEEDED_MEMORY_MIB = 256  # three machines take about 50 MiB; the image build more


def preflight() -> None:
    """Raise HostError for what is certain to fail later; nothing is started for it.

    Raises:
        HostError: Not root, or a program is missing.
    """
    for finding in (_root(), _programs()):
        if not finding.ok:
            raise HostError(brief=f"{finding.name}: {finding.seen}", resolution=finding.resolution)


def findings(home: Home, settings: Sections = ()) -> tuple[Finding, ...]:
    """Everything that ``labbuilder doctor`` says about this host."""
    del settings  # the same for every lab
    found = [_root(), _programs(), _memory(), room(home, NEEDED_BYTES), _cgroups(), _limits()]
    if found[0].ok and found[1].ok:
        found += [_version(), _namespaces(), _overlay(home)]
        if shutil.which("nft"):  # only machines need it, and they have their own
            found.append(_nat())
    return tuple(found)


def _root() -> Finding:
    user = os.geteuid()
    return Finding("permission", user == 0, f"user id {user}", "run it as root: sudo labbuilder ...")


def _programs() -> Finding:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [program for program in PACKAGES if shutil.which(program, path=path) is None]
    packages = " ".join(sorted({PACKAGES[program] for program in missing}))
    seen = f"missing: {', '.join(missing)}" if missing else "all there"
    return Finding("programs", not missing, seen, f"apt-get install {packages}")


def _version() -> Finding:
    first = run("systemd-nspawn", "--version").stdout.splitlines()[0]
    number = int("".join(c for c in first.split()[1] if c.isdigit())[:3])
    return Finding("systemd-nspawn", number >= OLDEST_NSPAWN, first, f"version {OLDEST_NSPAWN} or later is needed")


def _memory() -> Finding:
    free = next(
        int(line.split()[1]) // 1024
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        if line.startswith("MemAvailable")
    )
    return Finding("memory", free >= NEEDED_MEMORY_MIB, f"{free} MiB available", "end something else")


def _cgroups() -> Finding:
    layout = "v2" if cgroups.is_v2() else "v1 or hybrid"
    init = "systemd is PID 1" if Path("/run/systemd/system").is_dir() else "systemd is not PID 1"
    return Finding("control groups", cgroups.ROOT.is_dir(), f"{layout}; {init}", "mount the control groups")


def _limits() -> Finding:
    """It works without them, so it is never wrong; but who runs it should know."""
    memory, processes = f"{cgroups.LIMITS['memory'] // 1024**2} MiB", f"{cgroups.LIMITS['pids']} processes"
    held = {"memory": memory, "pids": processes}
    lacking = cgroups.unlimited()
    seen = [f"a machine has at most {', '.join(words for name, words in held.items() if name not in lacking)}"]
    if lacking:
        seen = seen if len(lacking) < len(held) else []
        seen.append(f"root in a machine can use up the host's {' and '.join(lacking)}: no such control groups here")
    return Finding("limits", True, "; ".join(seen))


def _namespaces() -> Finding:
    """Really make what a machine needs, in namespaces that end with the command."""
    script = (
        "mount -t tmpfs scratch /mnt && ip link add br-try type bridge && "
        "ip link add veth-try type veth peer name veth-tried && ip link set veth-try master br-try"
    )
    seen = "user, mount and network namespaces, bridge and veth work"
    return _tried("namespaces", script, seen, "let the kernel allow user namespaces, bridge and veth")


def _nat() -> Finding:
    """The rule that a server needs, where no packet ever meets it."""
    script = "nft add table ip try && nft 'add chain ip try out { type nat hook postrouting priority 100; }'"
    script += " && nft add rule ip try out masquerade"
    return _tried("nat", script, "a network namespace has a NAT table of its own", "modprobe nf_nat nft_masq")


def _overlay(home: Home) -> Finding:
    """Machines share the image by an overlay on the home's filesystem."""
    home.path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.path) as folder:
        layers = "lowerdir=lower,upperdir=upper,workdir=work,userxattr"
        script = f"cd '{folder}' && mkdir lower upper work && mount -t overlay try -o {layers} /mnt && touch /mnt/new"
        return _tried(
            "overlay", script, f"works in {home.path}", "set LABBUILDER_HOME to a folder on ext4, xfs, btrfs or tmpfs"
        )


def _tried(name: str, script: str, works: str, resolution: str) -> Finding:
    namespaces = ("--user", "--map-root-user", "--mount", "--net")
    tried = run("unshare", *namespaces, "sh", "-ec", script, ok=range(256))
    return Finding(name, tried.ok, works if tried.ok else tried.stderr.strip(), resolution)
