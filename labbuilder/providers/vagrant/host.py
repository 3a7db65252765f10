"""What the Vagrant provider needs of the host: a Vagrant that knows the host's VirtualBox."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from labbuilder.errors import HostError, LabError
from labbuilder.host.store import Home
from labbuilder.providers.base import Finding
from labbuilder.providers.vagrant.command import INSTALL, Vagrant, require_vagrant
from labbuilder.providers.virtualbox import host as virtualbox
from labbuilder.providers.virtualbox.registry import Registry, VBoxManageRegistry
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
from labbuilder.spec.providers import Sections

# The first Vagrant that knows each VirtualBox, by its changelog; it refuses one that it does not know.
FITTING = {(7, 0): (2, 3, 2), (7, 1): (2, 4, 2), (7, 2): (2, 4, 9)}


def misfit(vagrant: str, virtualbox_version: str) -> str | None:
    """What to do when these two don't work together; None when they do."""
    series = _numbers(virtualbox_version)[:2]
    needed = next((first for known, first in FITTING.items() if known == series), None)
    newest = max(FITTING)
    if needed is None:
        wanted = f"{_dotted(min(FITTING))} to {_dotted(newest)}"
        return f"install VirtualBox {wanted}, or a Vagrant that knows {_dotted(series)}; or use --provider virtualbox"
    if _numbers(vagrant) >= needed:
        return None
    older = [s for s, first in FITTING.items() if first <= _numbers(vagrant)]
    beside = f", or VirtualBox {_dotted(max(older))}, which this one knows" if older else ""
    return f"install Vagrant {_dotted(needed)} or later{beside}; or use --provider virtualbox, which needs none"


def preflight(vagrant: Vagrant, registry: Registry) -> None:
    """Raise for what is certain to fail later.

    Raises:
        ProviderUnavailableError: Vagrant or VBoxManage is not installed.
        HostError: They don't work together, or VirtualBox can't start machines.
    """
    require_vagrant()
    virtualbox.preflight(registry)
    seen = vagrant.version(), registry.version()
    advice = misfit(*seen)
    if advice:
        raise HostError(brief=f"Vagrant {seen[0]} does not know VirtualBox {seen[1]}", resolution=advice)


def findings(home: Home, settings: Sections = ()) -> tuple[Finding, ...]:
    """Everything that ``labbuilder doctor`` says about Vagrant, and VirtualBox below it; changes nothing."""
    return (*_findings(), *virtualbox.findings(home, settings))


def _findings() -> Iterator[Finding]:
    if shutil.which("vagrant") is None:
        yield Finding("Vagrant", False, "vagrant is not installed", INSTALL)
        return
    vboxmanage = VBoxManage()
    try:
        version = Vagrant(Path.cwd(), vboxmanage).version()
    except LabError as error:
        yield Finding("Vagrant", False, f"{error.brief}; {error.details}", error.resolution or INSTALL)
        return
    yield Finding("Vagrant", True, version)
    if shutil.which("VBoxManage") is not None:
        below = VBoxManageRegistry(vboxmanage).version()
        advice = misfit(version, below)
        seen = f"Vagrant {version} {'does not know' if advice else 'knows'} VirtualBox {below}"
        yield Finding("versions", advice is None, seen, advice or "")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
