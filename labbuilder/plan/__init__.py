"""The plan: a pure function of the spec."""

from labbuilder.model.lab import ImageRecipe, MachinePlan, Network, Nic, Pair, Peer, Plan, Upstream
from labbuilder.model.step import RenderedFile, Step
from labbuilder.plan.build import build_plan

__all__ = [
    "ImageRecipe",
    "MachinePlan",
    "Network",
    "Nic",
    "Pair",
    "Peer",
    "Plan",
    "RenderedFile",
    "Step",
    "Upstream",
    "build_plan",
]
