"""Brings machines to what the plan says: look first, then change only what differs."""

from labbuilder.provisioning.apply import Change, configure
from labbuilder.provisioning.files import FileDiff
from labbuilder.provisioning.observe import Observation, difference, observe
from labbuilder.provisioning.secrets import LabSecrets

__all__ = ["Change", "FileDiff", "LabSecrets", "Observation", "configure", "difference", "observe"]
