"""Proves the lab, line by line."""

from labbuilder.model.check import Check, Judgement, Verdict
from labbuilder.verify.checks import checks_for, left_out
from labbuilder.verify.model import Outcome, Verification
from labbuilder.verify.rounds import run_checks

__all__ = ["Check", "Judgement", "Outcome", "Verdict", "Verification", "checks_for", "left_out", "run_checks"]
