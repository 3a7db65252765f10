"""Results of real drills, recorded on nspawn: tests/facts/drill-*.json.gz are reports that labbuilder wrote.

They are of format 1, so whoever uses them reads that too.
"""

from __future__ import annotations

import gzip
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from labbuilder import report
from labbuilder.drill.model import DrillResult, Exchange, Outage, Reading, Wrong

FACTS = Path(__file__).resolve().parents[1] / "facts"
NAMES = ("isc-load-balancing", "isc-manual", "kea-hot-standby")


@cache
def recorded(name: str = "isc-load-balancing") -> DrillResult:
    """The crash of the primary's daemon, with this engine and mode."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        path.write_bytes(gzip.decompress((FACTS / f"drill-crash-primary-{name}.json.gz").read_bytes()))
        (result,) = report.load(path)
    return result


def felt(result: DrillResult, **changed: Any) -> DrillResult:
    """The result with another reading of addresses."""
    return replace(result, stopwatches=(replace(result.addresses, **changed), *result.stopwatches[1:]))


def wrong(result: DrillResult, *, duplicates: tuple[str, ...] = (), lost: tuple[str, ...] = ()) -> DrillResult:
    """The result with addresses given twice or leases lost."""
    return felt(result, wrong=(Wrong("duplicates", duplicates), Wrong("lost", lost)))


def with_names(result: DrillResult) -> DrillResult:
    """The result with a second stopwatch, as one that asks for names would measure."""
    gone = range(1, 6)
    asked = [
        Exchange("lab", f"c{n}", n / 2) if n in gone else Exchange("lab", f"c{n}", n / 2, n / 2 + 0.02, "server2")
        for n in range(-4, 12)
    ]
    asked.append(Exchange("world", "c0", 1.0))
    outages = (Outage("lab", 12, 7, 2.98, 0.02, 0.5), Outage("world", 1, 0, None, None, 0.0))
    names = Reading("names", outages, tuple(asked), (Wrong("stale", ("c3 is not 192.168.1.9",)),))
    return replace(result, stopwatches=(*result.stopwatches, names))
