"""What machines do: one file a service, and everything that is known of it in that file.

The plan, the image, the checks, the faults and what a spec may ask for are collected from here. Who writes a service
needs the names below and no others: docs/services.md.
"""

from __future__ import annotations

from labbuilder.model.check import Check, Judgement
from labbuilder.model.fault import Fault, Shell
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.model.step import SECRET, RenderedFile, SecretFile, Step
from labbuilder.services.base import Service, Unit
from labbuilder.services.judges import says, says_one_of
from labbuilder.services.systemd import ENABLE, RESTART, active, comes_back, enabled
from labbuilder.spec.base import Model, Problem
from labbuilder.spec.models import LabSpec

__all__ = [
    "ENABLE",
    "RESTART",
    "SECRET",
    "Check",
    "Fault",
    "Judgement",
    "LabSpec",
    "MachinePlan",
    "Model",
    "Plan",
    "Problem",
    "RenderedFile",
    "SecretFile",
    "Service",
    "Shell",
    "Step",
    "Unit",
    "active",
    "comes_back",
    "enabled",
    "says",
    "says_one_of",
]
