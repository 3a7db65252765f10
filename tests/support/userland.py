"""VirtualBox's real userland where there is no VT-x: Debian sid's package in a cached root tree of its own.

VBoxManage and VBoxSVC do everything but start a machine. Each call runs in a mount namespace of its own, with the
host's folders at their own paths, so nothing is mounted on the host. Run as a program, it builds the tree:

    python tests/support/userland.py
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
from pathlib import Path

from filelock import FileLock

from labbuilder.host.run import run
from labbuilder.providers.debian import host_mirror

PACKAGES = "virtualbox,python3,python3-venv,ca-certificates"
OBSERVER = ("pyvbox==2.1.1", "virtualbox==2.1.1", "filelock", "platformdirs")  # pure Python, for the tree's own
_WRAPPER = """\
#!/bin/sh
# VBoxManage of the tree, on the host's own folders.
exec unshare --mount --propagation slave sh -c '
for d in /proc /dev /sys /tmp /root /home /run; do mount --rbind $d {root}$d; done
exec chroot {root} {program} "$@"' sh "$@"
"""


def cache() -> Path:
    """Where trees are kept between test runs."""
    named = os.environ.get("LABBUILDER_TEST_CACHE")
    return Path(named) if named else Path.home() / ".cache/labbuilder-tests"


def build() -> Path:
    """The tree, built unless it is there: two minutes, 900 MB. Returns the folder with the commands for PATH."""
    recipe = hashlib.sha256(repr((PACKAGES, OBSERVER, _WRAPPER)).encode()).hexdigest()[:12]
    folder = cache() / f"userland-{recipe}"
    cache().mkdir(parents=True, exist_ok=True)
    with FileLock(cache() / ".userland.lock"):
        if not folder.exists():
            part = folder.with_name(f".{folder.name}.part")
            if part.exists():
                shutil.rmtree(part)
            _build(part, folder)
    return folder / "bin"


def _build(part: Path, folder: Path) -> None:
    mirror = host_mirror("sid")
    part.mkdir()
    # fmt: off
    run(
        "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--components=main,contrib",
        '--aptopt=Acquire::Check-Valid-Until "false"', '--aptopt=APT::Install-Recommends "false"',
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
        f"--include={PACKAGES}", "sid", part / "root", mirror, timeout_s=1800.0,
    )
    # fmt: on
    target = part / "root/opt/observer"
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", target, *OBSERVER, timeout_s=300.0)
    (part / "bin").mkdir()
    for name, program in (("VBoxManage", "/usr/bin/VBoxManage"), ("vbox-python", "/usr/bin/python3")):
        command = part / "bin" / name
        command.write_text(_WRAPPER.format(root=folder / "root", program=program))
        command.chmod(0o755)
    part.rename(folder)


def end_services(socket_id: str) -> None:
    """End the VBoxSVC and its broker that serve this IPC socket: nobody else's."""
    wanted = f"VBOX_IPC_SOCKETID={socket_id}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name = (entry / "comm").read_text().strip()
            if name.startswith("VBox") and wanted in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGTERM)
        except OSError:
            continue  # it ended meanwhile


if __name__ == "__main__":
    print(build())
