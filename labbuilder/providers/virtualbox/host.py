"""What the VirtualBox provider needs of the host, looked up there."""

from __future__ import annotations

from labbuilder.errors import HostError
from labbuilder.providers.virtualbox.registry import Registry

OLDEST = (7, 0)


def preflight(registry: Registry) -> None:
    """Raise for what is certain to fail later.

    Raises:
        ProviderUnavailableError: VBoxManage is not installed.
        HostError: VirtualBox is too old.
    """
    version = registry.version()
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise HostError(
            brief=f"VirtualBox {version} is too old",
            details=f"labbuilder knows VirtualBox {oldest} and later",
            resolution=f"install VirtualBox {oldest} or later, or use --provider nspawn",
        )
