"""A class of labs on a three-member Incus cluster: made whole, one after the other four at a time, and not switched on.

What grows with the labs is measured at a size that no test machine could boot: requests, seconds, incusd's memory.
``python benchmarks/incus_class.py [LABS]`` prints one JSON document a step, then one for the removal.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))

from incus_cluster import Cluster  # noqa: E402  it lies with the tests

from labbuilder.host.parallel import for_each  # noqa: E402
from labbuilder.host.store import Home, remove_tree  # noqa: E402
from labbuilder.lab import Lab  # noqa: E402
from labbuilder.providers.incus.provider import IncusProvider  # noqa: E402

STEP = 10
AT_ONCE = 4


class Requests(logging.Handler):
    """Counts what the server is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self._counting = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """One request is one line of the log."""
        if record.getMessage().startswith("+ incus "):
            with self._counting:
                self.count += 1


def incusd_mb(cluster: Cluster) -> list[int]:
    """Resident memory of each member's incusd."""
    seen = (cluster.run(member, "ps", "-C", "incusd", "-o", "rss=").stdout for member in cluster.members)
    return [max(int(word) for word in re.findall(r"\d+", text)) // 1000 for text in seen]


def main() -> None:
    """Make, look, remove."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    requests = Requests()
    logging.getLogger("labbuilder").addHandler(requests)
    logging.getLogger("labbuilder").setLevel(logging.DEBUG)
    folder = Path(tempfile.mkdtemp(prefix="lbclass-", dir="/var/tmp"))
    cluster, home = Cluster(folder / "c"), Home(folder / "home")
    home.path.mkdir()
    home.images.symlink_to(Home.default().images)
    try:
        cluster.up()
        spec = {"remote": str(cluster.member(1).socket), "bridged": "br0"}
        labs = [
            Lab(f"class-{n}", home=home).add_server().add_server().add_client().set(provider="incus", incus=spec)
            for n in range(1, count + 1)
        ]
        providers = [IncusProvider(home, home.lab(lab.name), f"{n:08x}", lab.spec.incus) for n, lab in enumerate(labs)]
        providers[0].ensure_image(labs[0].plan())

        def make(number: int) -> None:
            plan = labs[number].plan()
            home.lab(labs[number].name).path.mkdir(parents=True)
            providers[number].preflight(plan)
            providers[number].ensure_networks(plan)
            for_each(plan.machines, lambda machine: providers[number].create(plan, machine))

        def told(what: str, done: int, begun: float) -> None:
            seconds = round(time.monotonic() - begun, 1)
            print(json.dumps({what: done, "seconds": seconds, "requests": requests.count, "MB": incusd_mb(cluster)}))
            sys.stdout.flush()
            requests.count = 0

        requests.count = 0
        for first in range(0, count, STEP):
            begun, last = time.monotonic(), min(first + STEP, count)
            for_each(range(first, last), make, at_once=AT_ONCE)
            told("labs made", last, begun)
        begun = time.monotonic()
        for_each(providers, lambda provider: provider.destroy_all(), at_once=AT_ONCE)
        left = [thing for provider in providers for thing in provider.residue()]
        told("labs removed", count - len(left), begun)
    finally:
        cluster.down()
        remove_tree(folder)


if __name__ == "__main__":
    main()
