"""What a host lacks for machines that are files: nothing."""

from __future__ import annotations

from labbuilder.host.store import Home
from labbuilder.providers.base import Finding
from labbuilder.spec.providers import Sections


def findings(home: Home, settings: Sections = ()) -> tuple[Finding, ...]:
    del home, settings
    return (Finding("files", True, "can be written"),)
