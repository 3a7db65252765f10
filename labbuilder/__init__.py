"""Build, prove and break DHCP failover labs of real Debian machines."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labbuilder.errors import LabError
    from labbuilder.lab import Lab
    from labbuilder.spec.models import LabSpec
    from labbuilder.verify.model import Verification

__version__ = "0.1.0"
__all__ = ["Lab", "LabError", "LabSpec", "Verification", "__version__"]

_HOMES = {
    "Lab": "labbuilder.lab",
    "LabError": "labbuilder.errors",
    "LabSpec": "labbuilder.spec.models",
    "Verification": "labbuilder.verify.model",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `labbuilder --help` needs none of them."""
    if name not in _HOMES:
        raise AttributeError(name)
    return getattr(import_module(_HOMES[name]), name)
