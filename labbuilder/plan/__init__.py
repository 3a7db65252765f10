"""The plan: a pure function of the spec."""

from labbuilder.plan.build import build_plan
from labbuilder.plan.model import (
    ImageRecipe,
    MachinePlan,
    Nic,
    Plan,
    RenderedFile,
    Service,
    Upstream,
)

__all__ = [
    "ImageRecipe",
    "MachinePlan",
    "Nic",
    "Plan",
    "RenderedFile",
    "Service",
    "Upstream",
    "build_plan",
]
