"""Debian packages that only some tests need, installed on this machine when they are."""

from __future__ import annotations

import subprocess
from pathlib import Path

from filelock import FileLock

from labbuilder.host.run import run

_LOCK = Path("/var/lock/labbuilder-tests-apt.lock")


def install(*packages: str) -> None:
    """Unless they are there; one worker at a time, since apt does not wait for the lock of its lists."""
    with FileLock(_LOCK):
        asked = subprocess.run(
            ["dpkg-query", "-W", "-f=${Status}\\n", *packages], capture_output=True, text=True, check=False
        )
        if asked.stdout.splitlines() == ["install ok installed"] * len(packages):
            return
        options = ("-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq", timeout_s=300.0)
        run("apt-get", "install", *options, *packages, env=env, timeout_s=1200.0)
