"""Breaks a running lab on purpose and measures what its clients felt.

faults.py    the ways to break it, each with its repair
traffic.py   real clients on the wire, and the capture of all they say
capture.py   the capture into messages; measure.py: messages into outages
run.py       one drill: baseline, fault, measurement, repair, proof
repair.py    the repair, whatever happens
series.py    several drills, over modes and engines
share.py     how many clients each server answers, with nothing broken
"""

from labbuilder.drill.faults import FAULTS
from labbuilder.drill.model import DrillResult
from labbuilder.drill.repair import undo_killed
from labbuilder.drill.run import drill

__all__ = ["FAULTS", "DrillResult", "drill", "undo_killed"]
