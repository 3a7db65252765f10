"""Clients on the wire while a lab is broken: started in a client machine, captured there, and removed."""

from __future__ import annotations

import base64
import hashlib
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from labbuilder.assets import DRILL_FILES
from labbuilder.errors import MachineError
from labbuilder.transport import Shell
from labbuilder.wait import wait_until

_FOLDER = "/run/lab-drill"
_UNIT = "lab-drill"
NEWCOMER_EVERY_S = 0.25
RENEWAL_EVERY_S = 0.5
_MOST_NEWCOMERS = 400  # at four a second: more than a minute and a half


def client_macs(seed: int, kind: str, count: int) -> tuple[str, ...]:
    """Locally administered addresses, the same for the same seed, spread evenly over the servers' hash."""
    digests = (hashlib.sha256(f"{seed}/{kind}/{n}".encode()).digest() for n in range(count))
    return tuple(":".join(f"{byte:02x}" for byte in (0x06, *digest[:5])) for digest in digests)


@dataclass
class Traffic:
    """Clients that ask, and the capture of all they say.

    Attributes:
        offset_s: The client's clock minus this host's.
    """

    shell: Shell
    offset_s: float

    @property
    def now_s(self) -> float:
        """The client's clock."""
        return time.time() + self.offset_s

    def crowd(self, macs: tuple[str, ...]) -> None:
        """Let more clients come, that take an address and keep it."""
        lines = "\n".join(
            f"( ip netns add x{n} && ip link add x{n} link $nic netns x{n} address {mac} type macvlan mode bridge && "
            f"ip -n x{n} link set x{n} up && exec ip netns exec x{n} udhcpc -i x{n} -f -t 60 -T 1 -s {_FOLDER}/hook ) "
            ">/dev/null 2>&1 &"
            for n, mac in enumerate(macs)
        )
        self.shell.put(f"nic=$1\n{lines}\nwait\n".encode(), f"{_FOLDER}/crowd.sh")
        nic = self.shell.run(f"cat {_FOLDER}/nic").stdout.strip()
        self.shell.run(f"systemd-run --quiet --collect --unit={_UNIT}-crowd sh {_FOLDER}/crowd.sh {nic}")

    def disperse(self) -> None:
        """The crowd gives its addresses back and goes."""
        self.shell.run("pkill -USR2 -f 'udhcpc -i x' && sleep 0.5; true")
        self.shell.run(f"systemctl stop {_UNIT}-crowd 2>/dev/null; true")

    def capture(self) -> bytes:
        """End the traffic and give the capture, as pcap."""
        self.shell.run(f"systemctl kill -s INT {_UNIT}; true")
        said = self.shell.run(f"base64 -w0 {_FOLDER}/capture.pcap", timeout_s=60)
        return base64.b64decode(said.stdout)


@contextmanager
def traffic(shell: Shell, nic: str, *, seed: int, holders: int) -> Iterator[Traffic]:
    """Start the clients; when the block begins, all holders have a lease. At its end nothing is left of them.

    Args:
        shell: Of the client machine in which they live.
        nic: Its NIC on the internal network.
        seed: Of their MACs.
        holders: So many have a lease and renew it.

    Raises:
        MachineError: The machine can't run them.
        WaitError: They got no addresses.
    """
    _clear(shell)
    shell.run(f"mkdir -p {_FOLDER}; echo {nic} >{_FOLDER}/nic")
    shell.put((DRILL_FILES / "traffic.sh").read_bytes(), f"{_FOLDER}/traffic.sh")
    for kind, count in (("holders", holders), ("newcomers", _MOST_NEWCOMERS)):
        shell.put("".join(f"{mac}\n" for mac in client_macs(seed, kind, count)).encode(), f"{_FOLDER}/{kind}")
    words = shlex.join(["sh", f"{_FOLDER}/traffic.sh", nic, _FOLDER, str(NEWCOMER_EVERY_S), str(RENEWAL_EVERY_S)])
    try:
        started = shell.run(f"systemd-run --quiet --collect --unit={_UNIT} {words}")
        if not started.ok:
            raise MachineError(brief=f"{shell.endpoint.machine} can't run the drill's clients", details=started.stderr)
        wait_until(
            "the drill's clients have their leases",
            lambda: shell.run(f"test -e {_FOLDER}/ready").ok,
            within_s=30.0,
            every_s=0.1,
        )
        before = time.time()
        there = float(shell.run("date +%s.%N").stdout)
        yield Traffic(shell, there - (before + time.time()) / 2)
    finally:
        _clear(shell)


def _clear(shell: Shell) -> None:
    shell.run(
        f"systemctl stop {_UNIT} {_UNIT}-crowd 2>/dev/null; systemctl reset-failed {_UNIT} 2>/dev/null\n"
        f"for n in $(ip netns list | awk '/^[hnx][0-9]/ {{print $1}}'); do ip netns del $n; done; rm -rf {_FOLDER}"
    )
