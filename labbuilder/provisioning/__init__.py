"""Brings machines to what the plan says: look first, then change only what differs."""

from labbuilder.provisioning.apply import Change, configure
from labbuilder.provisioning.observe import FileDiff, Observation, difference, observe

__all__ = ["Change", "FileDiff", "Observation", "configure", "difference", "observe"]
