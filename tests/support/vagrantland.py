"""Real Vagrant for the tests: Debian's package, before a VBoxManage that reports a version it knows.

Debian 12's Vagrant knows VirtualBox up to 7.0, the userland is newer: a VBoxManage before it on PATH says 7.0 and
passes every other word on.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import debian_packages

REPORTED = "7.0.20r163906"
_SHIM = """\
#!/bin/sh
# Reports a version that the installed Vagrant knows; everything else is the real one's.
for word in "$@"; do
    case $word in --version | -v) echo {version}; exit 0 ;; -q) ;; *) break ;; esac
done
exec {real} "$@"
"""


def install() -> None:
    """Debian's vagrant, unless there is one."""
    if shutil.which("vagrant") is None:
        debian_packages.install("vagrant")


def shim(folder: Path, version: str = REPORTED) -> Path:
    """A folder for PATH with such a VBoxManage."""
    real = shutil.which("VBoxManage")
    assert real is not None
    folder.mkdir()
    command = folder / "VBoxManage"
    command.write_text(_SHIM.format(version=version, real=real))
    command.chmod(0o755)
    return folder


def on_path(folder: Path) -> str:
    """PATH with the folder first."""
    return f"{folder}:{os.environ['PATH']}"
