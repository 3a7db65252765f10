"""A proven lab is broken at random, in one small thing at a time, and `verify` is asked whether it sees it.

`make mutants` breaks it two hundred times. It ends with 1 when less than 95 % was seen, or the lab could not be mended;
what was not seen is printed. The seed that it prints makes it choose the same again.
"""

from __future__ import annotations

import argparse
import random
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labbuilder.errors import LabError
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.model.lab import MachinePlan, Plan

ENOUGH = 0.95
KEPT = "/root/mutant"
HEALTHY = "healthy"


@dataclass(frozen=True)
class Mutant:
    """One small thing that is broken, and what puts it back."""

    machine: str
    what: str
    do: str
    undo: str


@dataclass
class Mutants:
    """Random breaks of one lab."""

    plan: Plan
    chance: random.Random

    def make(self) -> Mutant:
        """One of any kind."""
        kinds: tuple[Callable[[MachinePlan], Mutant], ...] = (
            self.file_deleted,
            self.line_dropped,
            self.mode_changed,
            self.unit_stopped,
            self.unit_masked,
            self.rule_added,
            self.process_signalled,
            self.address_added,
            self.route_added,
        )
        kind = self.chance.choice(kinds)
        machines = self.plan.servers if kind == self.unit_stopped else self.plan.machines
        return kind(self.chance.choice(machines))

    def _file(self, machine: MachinePlan, what: str, path: str, command: str) -> Mutant:
        keep = f"cp -a {path} {KEPT}"
        return Mutant(machine.name, f"{what}: {path}", f"{keep}; {command}", f"rm -rf {path}; mv {KEPT} {path}")

    def file_deleted(self, machine: MachinePlan) -> Mutant:
        path = self.chance.choice((*machine.files, *machine.own_files)).path
        return self._file(machine, "deleted", path, f"rm {path}")

    def line_dropped(self, machine: MachinePlan) -> Mutant:
        file = self.chance.choice(machine.files)
        number = self.chance.randrange(len(file.text.splitlines())) + 1
        return self._file(machine, f"line {number} dropped", file.path, f"sed -i {number}d {file.path}")

    def mode_changed(self, machine: MachinePlan) -> Mutant:
        file = self.chance.choice((*machine.files, *machine.own_files))
        mode = self.chance.choice([mode for mode in (0o400, 0o600, 0o644, 0o666, 0o755) if mode != file.mode])
        return self._file(machine, f"mode {mode:o}", file.path, f"chmod {mode:o} {file.path}")

    def _daemons(self) -> tuple[str, ...]:
        engine = "isc-dhcp-server" if self.plan.dhcp.failover.engine == "isc" else "kea-dhcp4-server"
        return engine, "named"

    def unit_stopped(self, machine: MachinePlan) -> Mutant:
        unit = self.chance.choice(self._daemons())
        start = f"systemctl reset-failed {unit}; systemctl start {unit}"
        return Mutant(machine.name, f"stopped: {unit}", f"systemctl stop {unit}", start)

    def unit_masked(self, machine: MachinePlan) -> Mutant:
        always = ("networking", "multi-user.target")
        of_servers = (*self._daemons(), "netfilter-persistent", "systemd-sysctl")
        unit = self.chance.choice(always + (of_servers if "server" in machine.roles else ()))
        name = unit if "." in unit else f"{unit}.service"
        place = f"/etc/systemd/system/{name}"
        keep = f"rm -rf {KEPT}; [ ! -e {place} ] || cp -a {place} {KEPT}"
        back = f"rm -f {place}; [ ! -e {KEPT} ] || mv {KEPT} {place}; systemctl daemon-reload"
        told = self.chance.choice(("", "; systemctl daemon-reload"))
        return Mutant(machine.name, f"masked: {unit}{told}", f"{keep}; ln -sf /dev/null {place}{told}", back)

    def rule_added(self, machine: MachinePlan) -> Mutant:
        chain = self.chance.choice(("INPUT", "OUTPUT", "FORWARD"))
        ports = {"tcp": (22, 53, 80, 443, 647, 8000), "udp": (53, 67, 68, 123), "icmp": (0,)}
        protocol = self.chance.choice(list(ports))
        port = self.chance.choice(ports[protocol])
        matched = f"-p {protocol}" + (f" --dport {port}" if port else "")
        target = self.chance.choice(("DROP", "REJECT", "ACCEPT"))
        way = self.chance.choice((f"{chain} {matched} -j {target}", f"POSTROUTING -t nat {matched} -j ACCEPT"))
        return Mutant(machine.name, f"rule: {way}", f"iptables -A {way}", f"iptables -D {way}")

    def process_signalled(self, machine: MachinePlan) -> Mutant:
        """A daemon that is killed comes back by itself: that is as it should be."""
        if "client" in machine.roles:
            signal = self.chance.choice(("KILL", "STOP"))
            nic = machine.nics[0].name
            undo = "kill -CONT $(pidof dhclient)" if signal == "STOP" else f"ifdown --force {nic}; ifup {nic}"
            return Mutant(machine.name, f"{signal}: dhclient", f"kill -{signal} $(pidof dhclient)", undo)
        program = self.chance.choice(("dhcpd" if "isc-dhcp-server" in self._daemons() else "kea-dhcp4", "named"))
        program = self.chance.choice((program, "systemd-journald"))
        return Mutant(
            machine.name, f"STOP: {program}", f"kill -STOP $(pidof {program})", f"kill -CONT $(pidof {program})"
        )

    def address_added(self, machine: MachinePlan) -> Mutant:
        network = self.chance.choice(list(self.plan.networks.values()))
        device = self.chance.choice(("lo", *(nic.name for nic in machine.nics)))
        address = network.subnet.network_address + self.chance.randrange(1, 250)
        taken = {str(nic.address).partition("/")[0] for other in self.plan.machines for nic in other.nics}
        if str(address) in taken or (network.pool is not None and address in network.pool):
            return self.address_added(machine)
        what = f"{address}/{self.chance.choice((32, network.subnet.prefixlen))} dev {device}"
        return Mutant(machine.name, f"address {what}", f"ip addr add {what}", f"ip addr del {what}")

    def route_added(self, machine: MachinePlan) -> Mutant:
        target = self.chance.choice(("203.0.113.0/24", "8.8.8.8", "10.77.0.0/16", "192.168.1.128/25"))
        way = self.chance.choice(("blackhole {}", "unreachable {}", f"{{}} dev {machine.nics[0].name}"))
        what = way.format(target)
        return Mutant(machine.name, f"route {what}", f"ip route add {what}", f"ip route del {what}")


def main() -> None:
    """Parse, break, ask, mend, tell, exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--engine", choices=("isc", "kea"), default="isc")
    asked = parser.parse_args()
    unseen: list[Mutant] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        home = Home(Path(folder))
        home.images.symlink_to(Home.default().images)
        lab = Lab("mutants", home=home).add_server().add_server().add_client().failover(engine=asked.engine)
        with lab.up():
            lab.save(HEALTHY)
            mutants = Mutants(lab.plan(), random.Random(asked.seed))
            for number in range(1, asked.count + 1):
                mutant = mutants.make()
                seen = carried_out(lab, mutant)
                unseen += [] if seen else [mutant]
                told = " ".join(seen[:6]) or "NOT SEEN"
                print(f"{number:4} {mutant.machine:8} {mutant.what:60} {told}", flush=True)
    share = 1 - len(unseen) / asked.count
    print(f"seed {asked.seed}: {asked.count - len(unseen)} of {asked.count} seen, {share:.1%}")
    for one in unseen:
        print(f"not seen: {one.machine}: {one.do}")
    sys.exit(0 if share >= ENOUGH else 1)


def carried_out(lab: Lab, mutant: Mutant) -> list[str]:
    """Break, ask, mend; return the checks that saw it."""
    done = lab.run(mutant.machine, f"set -e; {mutant.do}")
    if not done.ok:
        print(f"     {mutant.machine}: {shlex.quote(mutant.do)} failed: {done.stderr.strip()}")
    failures = lab.verify().failures
    lab.run(mutant.machine, mutant.undo)
    try:
        lab.up()
    except LabError as error:
        print(f"     not mended, so the snapshot is restored: {error.brief}")
        lab.restore(HEALTHY)
    return [f"{outcome.machine}:{outcome.check}" for outcome in failures]


if __name__ == "__main__":
    main()
