"""Clients on the wire while a lab is broken: started in a client machine, captured there, and removed."""

from __future__ import annotations

import base64
import hashlib
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from labbuilder.drill.model import Message
from labbuilder.errors import MachineError
from labbuilder.host.assets import DRILL_FILES
from labbuilder.host.wait import wait_until
from labbuilder.lifecycle.session import Session
from labbuilder.ssh.shell import Shell

_FOLDER = "/run/lab-drill"
_UNIT = "lab-drill"
NEWCOMER_EVERY_S = 0.1
RENEWAL_EVERY_S = 0.25
_CLIENTS_WITHIN_S = 60.0
_LOAD_TAIL_US = 2_000_000  # perfdhcp waits so long for the last answers


def client_macs(seed: int, kind: str, count: int) -> tuple[str, ...]:
    """Locally administered addresses, the same for the same seed, spread evenly over the servers' hash."""
    digests = (hashlib.sha256(f"{seed}/{kind}/{n}".encode()).digest() for n in range(count))
    return tuple(":".join(f"{byte:02x}" for byte in (0x06, *digest[:5])) for digest in digests)


@dataclass
class Traffic:
    """Clients that ask, and the capture of all they say.

    Attributes:
        shell: Of the machine in which they live.
        nic: Its NIC on the internal network.
        offset_s: The machine's clock minus this host's.
    """

    shell: Shell
    nic: str
    offset_s: float

    @property
    def now_s(self) -> float:
        """The client's clock."""
        return time.time() + self.offset_s

    def crowd(self, macs: tuple[str, ...]) -> None:
        """Let more clients come, that take an address and keep it."""
        lines = "\n".join(
            f"( ip netns add x{n} && ip link add x{n} link $nic netns x{n} address {mac} type macvlan mode bridge && "
            f"ip -n x{n} link set x{n} up && "
            f"exec ip netns exec x{n} udhcpc -i x{n} -f -R -t 60 -T 1 -s {_FOLDER}/hook ) >/dev/null 2>&1 &"
            for n, mac in enumerate(macs)
        )
        self.shell.put(f"nic=$1\n{lines}\nwait\n".encode(), f"{_FOLDER}/crowd.sh")
        self.shell.run(f"systemd-run --quiet --collect --unit={_UNIT}-crowd sh {_FOLDER}/crowd.sh {self.nic}")

    def disperse(self) -> None:
        """The crowd gives its addresses back and goes."""
        self.shell.run(f"systemctl stop {_UNIT}-crowd 2>/dev/null; true")

    def load(self, *, exchanges: int, per_second: int, clients: int, seed: int) -> None:
        """Start perfdhcp beside them: so many clients, who ask again and again, until so many exchanges were begun.

        It acts as a relay with the machine's own address, so its answers come there (perfdhcp(8)).
        """
        words = ["perfdhcp", "-4", "-l", self.nic, "-r", per_second, "-n", exchanges, "-R", clients, "-s", seed]
        words += ["-W", _LOAD_TAIL_US, "-b", f"mac={client_macs(seed, 'load', 1)[0]}"]
        command = f"{shlex.join(map(str, words))} >{_FOLDER}/load 2>&1; : >{_FOLDER}/load-done"
        self.shell.run(f"systemd-run --quiet --collect --unit={_UNIT}-load sh -c {shlex.quote(command)}")

    @property
    def loading(self) -> bool:
        """It has not ended."""
        return not self.shell.run(f"test -e {_FOLDER}/load-done").ok

    @property
    def load_report(self) -> str:
        """What perfdhcp said."""
        return self.shell.run(f"cat {_FOLDER}/load").stdout

    @property
    def all_came(self) -> bool:
        """Each newcomer of `traffic` with ``once`` has had its turn."""
        return self.shell.run(f"test -e {_FOLDER}/done").ok

    def capture(self) -> bytes:
        """End the traffic and give the capture, as pcap."""
        self.shell.run(f"systemctl kill -s INT {_UNIT}; true")
        said = self.shell.run(f"base64 -w0 {_FOLDER}/capture.pcap", timeout_s=60)
        return base64.b64decode(said.stdout)


@contextmanager
def traffic(
    shell: Shell, nic: str, *, seed: int, holders: int, newcomers: int, once: bool = False
) -> Iterator[Traffic]:
    """Start the clients; when the block begins, all holders have a lease. At its end nothing is left of them.

    Args:
        shell: Of the client machine in which they live.
        nic: Its NIC on the internal network.
        seed: Of their MACs.
        holders: So many have a lease and renew it.
        newcomers: So many ask for a new one, in turns.
        once: Each of them asks once; else they come again.

    Raises:
        MachineError: The machine can't run them.
        WaitError: They got no addresses.
    """
    clear(shell)
    shell.run(f"mkdir -p {_FOLDER}")
    shell.put((DRILL_FILES / "traffic.sh").read_bytes(), f"{_FOLDER}/traffic.sh")
    for kind, count in (("holders", holders), ("newcomers", newcomers)):
        shell.put("".join(f"{mac}\n" for mac in client_macs(seed, kind, count)).encode(), f"{_FOLDER}/{kind}")
    words = ["sh", f"{_FOLDER}/traffic.sh", nic, _FOLDER, str(NEWCOMER_EVERY_S), str(RENEWAL_EVERY_S)]
    words += ["once"] if once else []
    try:
        started = shell.run(f"systemd-run --quiet --collect --unit={_UNIT} {shlex.join(words)}")
        if not started.ok:
            raise MachineError(brief=f"{shell.machine} can't run the drill's clients", details=started.stderr)
        wait_until(
            "the drill's clients have their leases",
            lambda: shell.run(f"test -e {_FOLDER}/ready").ok,
            within_s=_CLIENTS_WITHIN_S,
            every_s=0.1,
        )
        before = time.time()
        there = float(shell.run("date +%s.%N").stdout)
        yield Traffic(shell, nic, there - (before + time.time()) / 2)
    finally:
        clear(shell)


def clear(shell: Shell) -> None:
    """Remove all that `traffic` made, also when it was killed."""
    shell.run(
        f"systemctl stop {_UNIT} {_UNIT}-crowd {_UNIT}-load 2>/dev/null; systemctl reset-failed {_UNIT} 2>/dev/null\n"
        f"ip netns list | awk '/^[hnx][0-9]/ {{print \"netns del \" $1}}' | ip -batch -; rm -rf {_FOLDER}",
        timeout_s=120,
    )


def captured(session: Session, capture: bytes, *, zero_s: float) -> tuple[Message, ...]:
    """The DHCP messages of a capture, with the names of the lab's servers; times count from ``zero_s``."""
    from labbuilder.drill.capture import read_capture  # noqa: PLC0415  dpkt loads every protocol it knows

    servers = {session.spec.internal_address(i).ip: server.name for i, server in enumerate(session.plan.servers)}
    return tuple(read_capture(capture, servers, zero_s=zero_s))
