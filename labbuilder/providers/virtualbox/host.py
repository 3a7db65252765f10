"""What the VirtualBox provider needs of the host, looked up there."""

from __future__ import annotations

import sys
from pathlib import Path

from labbuilder.errors import HostError
from labbuilder.providers.virtualbox.registry import Registry

OLDEST = (7, 0)
DRIVER = Path("/dev/vboxdrv")


def preflight(registry: Registry) -> None:
    """Raise for what is certain to fail later.

    Raises:
        ProviderUnavailableError: VBoxManage is not installed.
        HostError: VirtualBox is too old, or can't start machines.
    """
    version = registry.version()
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise HostError(
            brief=f"VirtualBox {version} is too old",
            details=f"labbuilder knows VirtualBox {oldest} and later",
            resolution=f"install VirtualBox {oldest} or later, or use --provider nspawn",
        )
    require_driver()


def require_driver() -> None:
    """Raise where no machine can start; VirtualBox itself says only that it "terminated unexpectedly".

    Raises:
        HostError: The kernel module is not loaded.
    """
    if sys.platform == "linux" and not DRIVER.exists():
        raise HostError(
            brief="VirtualBox's kernel module is not there, so no machine can start",
            details=f"{DRIVER} does not exist",
            resolution="sudo modprobe vboxdrv; if there is none: apt install virtualbox-dkms and the kernel's headers",
        )
