"""DHCP clients on the wire while a lab is broken: started in a client machine, captured there, and removed."""

from __future__ import annotations

import base64
import hashlib
import shlex
from dataclasses import dataclass

from labbuilder.errors import MachineError
from labbuilder.host.assets import DRILL_FILES
from labbuilder.host.wait import wait_until
from labbuilder.lifecycle.session import Session
from labbuilder.model.lab import Witness
from labbuilder.ssh.shell import Shell

_FOLDER = "/run/lab-drill"
_UNIT = "lab-drill"
NEWCOMER_EVERY_S = 0.1
RENEWAL_EVERY_S = 0.25
CONNECTION_EVERY_S = 0.1
_CLIENTS_WITHIN_S = 60.0
_LOAD_TAIL_US = 2_000_000  # perfdhcp waits so long for the last answers


def client_macs(seed: int, kind: str, count: int) -> tuple[str, ...]:
    """Locally administered addresses, the same for the same seed, spread evenly over the servers' hash."""
    digests = (hashlib.sha256(f"{seed}/{kind}/{n}".encode()).digest() for n in range(count))
    return tuple(":".join(f"{byte:02x}" for byte in (0x06, *digest[:5])) for digest in digests)


@dataclass(frozen=True)
class Traffic:
    """DHCP clients in the lab's first client, and the capture of all they say.

    Attributes:
        session: The running lab.
    """

    session: Session

    @property
    def shell(self) -> Shell:
        """Of the machine in which they live."""
        return self.session.shell(self.session.plan.clients[0].name)

    @property
    def nic(self) -> str:
        """Its NIC on the internal network."""
        return self.session.plan.clients[0].nic(self.session.plan.served.name).name

    def start(self, *, seed: int, holders: int, newcomers: int, once: bool = False) -> None:
        """Start them; return when all holders have a lease. `clear` removes them, also when this raised.

        Args:
            seed: Of their MACs.
            holders: So many have a lease and renew it.
            newcomers: So many ask for a new one, in turns.
            once: Each of them asks once; else they come again.

        Raises:
            MachineError: The machine can't run them.
            WaitError: They got no addresses.
        """
        self.clear()
        self.shell.run(f"mkdir -p {_FOLDER}")
        self.shell.put((DRILL_FILES / "traffic.sh").read_bytes(), f"{_FOLDER}/traffic.sh")
        for kind, count in (("holders", holders), ("newcomers", newcomers)):
            self.shell.put("".join(f"{mac}\n" for mac in client_macs(seed, kind, count)).encode(), f"{_FOLDER}/{kind}")
        words = ["sh", f"{_FOLDER}/traffic.sh", self.nic, _FOLDER, str(NEWCOMER_EVERY_S), str(RENEWAL_EVERY_S)]
        words += ["once"] if once else []
        started = self.shell.run(f"systemd-run --quiet --collect --unit={_UNIT} {shlex.join(words)}")
        if not started.ok:
            raise MachineError(brief=f"{self.shell.machine} can't run the drill's clients", details=started.stderr)
        wait_until(
            "the drill's clients have their leases",
            lambda: self.shell.run(f"test -e {_FOLDER}/ready").ok,
            within_s=_CLIENTS_WITHIN_S,
            every_s=0.1,
        )

    def clear(self) -> None:
        """Remove all that was made, also when it was killed."""
        units = f"{_UNIT} {_UNIT}-crowd {_UNIT}-load {_UNIT}-world"
        self.shell.run(
            f"systemctl stop {units} 2>/dev/null; systemctl reset-failed {_UNIT} 2>/dev/null\n"
            f"ip netns list | awk '/^[hnx][0-9]/ {{print \"netns del \" $1}}' | ip -batch -; rm -rf {_FOLDER}",
            timeout_s=120,
        )

    def capture(self) -> bytes:
        """End them and give the capture, as pcap."""
        return self._captured(_UNIT, "capture")

    def connect(self, witness: Witness) -> None:
        """Let the machine itself open connections to the witness, ten a second; return when they are captured.

        Raises:
            MachineError: The machine can't run them.
            WaitError: Nothing is captured.
        """
        script = f"{_FOLDER}/world.sh"
        self.shell.put((DRILL_FILES / "world.sh").read_bytes(), script)
        words = ["sh", script, self.nic, _FOLDER, str(witness.address), str(witness.port), str(CONNECTION_EVERY_S)]
        started = self.shell.run(f"systemd-run --quiet --collect --unit={_UNIT}-world {shlex.join(words)}")
        if not started.ok:
            raise MachineError(brief=f"{self.shell.machine} can't run the drill's connections", details=started.stderr)
        there = f"test -s {_FOLDER}/world.pcap"
        wait_until("connections are captured", lambda: self.shell.run(there).ok, within_s=20.0, every_s=0.05)

    def connections(self) -> bytes:
        """End them and give their capture, as pcap."""
        return self._captured(f"{_UNIT}-world", "world")

    def _captured(self, unit: str, name: str) -> bytes:
        self.shell.run(f"systemctl kill -s INT {unit}; true")
        said = self.shell.run(f"base64 -w0 {_FOLDER}/{name}.pcap", timeout_s=60)
        return base64.b64decode(said.stdout)

    @property
    def all_came(self) -> bool:
        """Each newcomer that comes ``once`` has had its turn."""
        return self.shell.run(f"test -e {_FOLDER}/done").ok

    def crowd(self, macs: tuple[str, ...]) -> None:
        """Let more clients come, that take an address and keep it."""
        lines = "\n".join(
            f"( ip netns add x{n} && ip link add x{n} link $nic netns x{n} address {mac} type macvlan mode bridge && "
            f"nsenter --net=/run/netns/x{n} ip link set x{n} up && "
            f"exec nsenter --net=/run/netns/x{n} udhcpc -i x{n} -f -R -t 60 -T 1 -s {_FOLDER}/hook ) >/dev/null 2>&1 &"
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
        """What perfdhcp said; empty where it did not run."""
        return self.shell.run(f"cat {_FOLDER}/load").stdout
