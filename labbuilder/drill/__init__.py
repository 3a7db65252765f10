"""Breaks a running lab on purpose and measures what its clients felt.

faults.py     the ways to break the lab, collected from its services
run.py        one drill: baseline, fault, measurement, repair, proof; whatever the fault, this one runner
hands.py      what does a fault's steps, and undoes them; repair.py: the undoing, whatever happens
watch.py      the servers' states meanwhile, by clock.py
stopwatches/  what is measured; traffic.py: the DHCP clients on the wire
series.py     several drills, over modes and engines
share.py      how many clients each server answers, with nothing broken
"""

from labbuilder.drill.faults import faults, titles
from labbuilder.drill.model import DrillResult
from labbuilder.drill.repair import undo_killed
from labbuilder.drill.run import carry_out, drill

__all__ = ["DrillResult", "carry_out", "drill", "faults", "titles", "undo_killed"]
