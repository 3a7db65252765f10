"""Which provider a lab gets."""

from __future__ import annotations

import shutil

from labbuilder.errors import ProviderUnavailableError
from labbuilder.host.store import Home, LabDir
from labbuilder.providers.base import Finding, Provider
from labbuilder.spec.providers import Incus

KINDS = ("nspawn", "virtualbox", "vagrant", "incus")


def _no_such(kind: str) -> ProviderUnavailableError:
    return ProviderUnavailableError(
        brief=f"there is no provider {kind!r}", resolution=f"use auto, {', '.join(KINDS[:-1])} or {KINDS[-1]}"
    )


def choose(wanted: str) -> tuple[str, str]:
    """The provider for ``wanted`` ("auto" or a name) and why it is that one."""
    if wanted != "auto":
        if wanted not in KINDS:
            raise _no_such(wanted)
        return wanted, "asked for"
    if shutil.which("VBoxManage") is None:
        why = "VirtualBox is not installed"
    else:
        from labbuilder.providers.virtualbox.host import driver_problem  # noqa: PLC0415  most hosts have none

        why = driver_problem() or ""
    if not why:
        return "virtualbox", "auto: VirtualBox is here and can start machines"
    return "nspawn", f"auto: {why}; systemd-nspawn needs no hypervisor"


def open_provider(kind: str, home: Home, lab: LabDir, mark: str, incus: Incus) -> Provider:
    """The provider of that kind, bound to one lab.

    Args:
        kind: One of `KINDS`.
        home: Where images are kept.
        lab: The lab's folder.
        mark: The lab's mark.
        incus: Where Incus is, and what is wanted of it; the other kinds live on this host.

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
        case "vagrant":
            from labbuilder.providers.vagrant.provider import VagrantProvider  # noqa: PLC0415  who asks for it

            return VagrantProvider(home, lab, mark)
        case "incus":
            from labbuilder.providers.incus.provider import IncusProvider  # noqa: PLC0415  who asks for it

            return IncusProvider(home, lab, mark, incus)
        case _:
            raise _no_such(kind)


def doctor(home: Home, wanted: str = "auto", incus: Incus | None = None) -> tuple[Finding, ...]:
    """What this host has and lacks for a provider; changes nothing."""
    kind, why = choose(wanted)
    chosen = Finding("provider", True, f"{kind} ({why})")
    if kind == "incus":
        from labbuilder.providers.incus.host import findings as incus_findings  # noqa: PLC0415  who asks for it

        return (chosen, *incus_findings(home, incus or Incus()))
    if kind == "virtualbox":
        from labbuilder.providers.virtualbox.host import findings  # noqa: PLC0415  who asks for it
    elif kind == "vagrant":
        from labbuilder.providers.vagrant.host import findings  # noqa: PLC0415  who asks for it
    else:
        from labbuilder.providers.nspawn.host import findings  # noqa: PLC0415  Linux only
    return (chosen, *findings(home))
