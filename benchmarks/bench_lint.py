"""Times of the lint on a pair of 24,000 lines each, against what the daemon itself takes to read one of them.

.venv/bin/python benchmarks/bench_lint.py
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/support"))

from dhcpd_tree import daemon

SUBNETS = 4000
SUBNET = """\
subnet 10.{net}.0 netmask 255.255.255.0 {{
  option routers 10.{net}.1;
  pool {{ failover peer "lab"; range 10.{net}.100 10.{net}.200; }}
  host h{n}a {{ hardware ethernet 02:00:{high:02x}:{low:02x}:00:01; fixed-address 10.{net}.10; }}
  host h{n}b {{ hardware ethernet 02:00:{high:02x}:{low:02x}:00:02; fixed-address 10.{net}.11; }}
}}
"""
HEAD = """\
failover peer "lab" {{ {role}; address 10.255.0.{me}; peer address 10.255.0.{you}; max-response-delay 30;
  max-unacked-updates 10; load balance max seconds 3; {more} }}
default-lease-time 3600;
"""
LINT = [sys.executable, "-m", "labbuilder", "lint"]


def text(role: str, me: int, you: int, more: str, subnets: int) -> str:
    """One server's dhcpd.conf."""
    nets = "".join(SUBNET.format(net=f"{n // 256}.{n % 256}", n=n, high=n // 256, low=n % 256) for n in range(subnets))
    return HEAD.format(role=role, me=me, you=you, more=more) + nets


def timed(*command: str) -> float:
    """The quickest of three runs, in seconds."""
    found = []
    for _ in range(3):
        begin = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        found.append(time.monotonic() - begin)
    return min(found)


def main() -> None:
    """Print a table."""
    print(f"{'lines a side':>12} {'lint s':>8} {'dhcpd -t s':>11} {'ratio':>6} {'MB':>5}")
    with TemporaryDirectory() as folder:
        one, two = Path(folder, "one.conf"), Path(folder, "two.conf")
        for subnets in (SUBNETS // 4, SUBNETS // 2, SUBNETS):
            one.write_text(text("primary", 1, 2, "mclt 600; split 128;", subnets))
            two.write_text(text("secondary", 2, 1, "", subnets))
            lint = timed(*LINT, str(one), str(two))
            dhcpd = timed(str(daemon()), "-4", "-t", "-cf", str(one), "-lf", f"{folder}/none")
            megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
            lines = one.read_text().count("\n")
            print(f"{lines:>12} {lint:>8.2f} {dhcpd:>11.2f} {lint / dhcpd:>6.1f} {megabytes:>5}")


if __name__ == "__main__":
    main()
