"""From a raw disk to VDI: by qemu-img here, by VBoxManage where a provider has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from labbuilder.run import run

ToVdi = Callable[[Path, Path], None]
"""Write the raw disk (first) as a dynamic VDI (second, which does not exist yet)."""


def qemu_img(raw: Path, vdi: Path) -> None:
    """Convert by qemu-img (Debian: qemu-utils); holes stay holes."""
    run("qemu-img", "convert", "-f", "raw", "-O", "vdi", raw, vdi, timeout_s=1800)
