"""Which provider a lab gets."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from labbuilder.errors import ProviderUnavailableError
from labbuilder.providers.base import Finding, Provider
from labbuilder.providers.virtualbox.host import DRIVER
from labbuilder.store import Home, LabDir

if TYPE_CHECKING:
    from labbuilder.providers.nspawn.image import ImageStore
KINDS = ("nspawn", "virtualbox")


def _no_such(kind: str) -> ProviderUnavailableError:
    return ProviderUnavailableError(
        brief=f"there is no provider {kind!r}", resolution=f"use auto, {' or '.join(KINDS)}"
    )


def choose(wanted: str) -> tuple[str, str]:
    """The provider for ``wanted`` ("auto" or a name) and why it is that one."""
    if wanted != "auto":
        if wanted not in KINDS:
            raise _no_such(wanted)
        return wanted, "asked for"
    has_program = shutil.which("VBoxManage") is not None
    can_start = DRIVER.exists() or sys.platform != "linux"
    if has_program and can_start:
        return "virtualbox", "auto: VirtualBox is here and can start machines"
    lacking = f"{DRIVER} is missing, so VirtualBox can start none" if has_program else "VirtualBox is not installed"
    return "nspawn", f"auto: {lacking}; systemd-nspawn needs no hypervisor"


def open_provider(kind: str, home: Home, lab: LabDir, mark: str) -> Provider:
    """The provider of that kind, bound to one lab.

    Raises:
        ProviderUnavailableError: There is no such provider.
    """
    match kind:
        case "nspawn":
            from labbuilder.providers.nspawn.provider import NspawnProvider  # noqa: PLC0415  Linux only

            return NspawnProvider(home, lab, mark)
        case "virtualbox":
            from labbuilder.providers.virtualbox.provider import VirtualBoxProvider  # noqa: PLC0415  who asks for it

            return VirtualBoxProvider(home, lab, mark)
        case _:
            raise _no_such(kind)


def doctor(home: Home, wanted: str = "auto") -> tuple[Finding, ...]:
    """What this host has and lacks for a provider; changes nothing."""
    kind, why = choose(wanted)
    chosen = Finding("provider", True, f"{kind} ({why})")
    if kind == "virtualbox":
        from labbuilder.providers.virtualbox.host import findings  # noqa: PLC0415  who asks for it
    else:
        from labbuilder.providers.nspawn.host import findings  # noqa: PLC0415  Linux only
    return (chosen, *findings(home))


def images(home: Home) -> ImageStore:
    """The images that are cached in this home."""
    from labbuilder.providers.nspawn.image import ImageStore  # noqa: PLC0415  Linux only

    return ImageStore(home)
