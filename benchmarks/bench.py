"""Times of labbuilder against the hand-made floor, turn by turn, in one run.

The floor is ../shared/reference/floor/floor.py, where it is there: the fastest hand-made way to the same lab, proven by
one connection. ``python benchmarks/bench.py [ROUNDS]`` prints a table, then one JSON document.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND = ROOT / ".venv/bin/labbuilder"
MORE_CLIENTS = 10
FLOOR = ROOT.parent / "shared/reference/floor/floor.py"


def timed(*argv: str | Path) -> float:
    """Seconds of one command, from the return key to its end."""
    begun = time.monotonic()
    subprocess.run([str(word) for word in argv], check=True, capture_output=True)
    return time.monotonic() - begun


def floor_s(script: Path) -> float:
    """Seconds until the hand-made lab is proven, as it says itself."""
    said = subprocess.run(
        [sys.executable, str(script), "--json", "--dhcpd", "native"], check=True, capture_output=True, text=True
    ).stdout
    return float(json.loads(said)["nat_ok"])


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    phases: dict[str, list[float]] = {
        "floor": [],
        "up": [],
        "up again": [],
        "verify": [],
        "down": [],
        "1 client more": [],
    }
    with tempfile.TemporaryDirectory() as scratch:
        script = Path(scratch) / "floor.py"
        if FLOOR.exists():
            for part in FLOOR.parent.iterdir():
                shutil.copy(part, scratch)
            floor_s(script)  # builds its image
        for _ in range(rounds):
            if FLOOR.exists():
                phases["floor"].append(floor_s(script))
            phases["up"].append(timed(COMMAND, "up", "--name", "bench"))
            phases["up again"].append(timed(COMMAND, "up", "--name", "bench"))
            phases["verify"].append(timed(COMMAND, "verify", "--lab", "bench"))
            phases["down"].append(timed(COMMAND, "down", "--lab", "bench"))
            many = timed(COMMAND, "up", "--name", "bench", "--clients", str(1 + MORE_CLIENTS))
            phases["1 client more"].append((many - phases["up"][-1]) / MORE_CLIENTS)
            timed(COMMAND, "down", "--lab", "bench")
    figures = {
        name: {"min_s": round(min(v), 3), "median_s": round(statistics.median(v), 3), "max_s": round(max(v), 3)}
        for name, v in phases.items()
        if v
    }
    for name, row in figures.items():
        ratio = row["median_s"] / figures["floor"]["median_s"] if "floor" in figures else float("nan")
        print(
            f"{name:13} min {row['min_s']:6.2f}  median {row['median_s']:6.2f}  max {row['max_s']:6.2f}  x{ratio:.2f}"
        )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
