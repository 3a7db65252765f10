"""Results of real drills, recorded on nspawn: tests/facts/drill-*.json.gz are reports that labbuilder wrote."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from labbuilder import report
from labbuilder.drill.model import DrillResult

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
