"""Three labs that are brought up, proven, drilled, killed, damaged and taken down at random for as long as is wanted.

`make soak` runs it for half an hour. What `status`, `verify` and the exit statuses say is held against what the kernel
shows, and what was taken down must have left nothing. It ends with 1 when anything was left or any answer was wrong;
the seed that it prints makes it choose the same again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from labbuilder.host.store import Home
from labbuilder.lifecycle.identity import lab_identity
from labbuilder.providers.nspawn import cgroups, supervisors

WAYS = (("--clients", "1"), ("--clients", "1", "--engine", "kea"), ("--servers", "1", "--clients", "1"))
LIMIT_S = 300.0


@dataclass
class Soak:
    """One run.

    Attributes:
        wrong: What was left, or said and not so.
        done: How often each deed was done.
    """

    home: Home
    chance: random.Random
    names: tuple[str, ...]
    wrong: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def command(self, *words: str, kill_after_s: float | None = None) -> subprocess.CompletedProcess[str]:
        """Run labbuilder, or begin to and kill it."""
        argv = [sys.executable, "-m", "labbuilder", *words]
        running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            out, err = running.communicate(timeout=LIMIT_S if kill_after_s is None else kill_after_s)
        except subprocess.TimeoutExpired:
            running.kill()
            out, err = running.communicate()
        return subprocess.CompletedProcess(argv, running.returncode, out, err)

    def expect(self, *words: str, code: int = 0) -> str:
        """Run labbuilder; another exit status is a wrong answer."""
        ended = self.command(*words)
        if ended.returncode != code:
            self.say_wrong(f"{' '.join(words)} ended with {ended.returncode}, not {code}: {ended.stderr[-600:]}")
        return ended.stdout

    def say_wrong(self, what: str) -> None:
        print(f"  WRONG {what}", flush=True)
        self.wrong.append(what)

    def states(self, name: str) -> dict[str, str]:
        """What `status` says of each machine."""
        said = self.expect("status", "--lab", name, "--json")
        return {m["name"]: m["state"] for m in json.loads(said)["machines"]} if said else {}

    def mark(self, name: str) -> str:
        identity = lab_identity(self.home.lab(name))
        return identity.mark if identity else ""

    def machine(self, name: str) -> tuple[str, tuple[Path, ...]]:
        """One of the lab's machines, and the lab's control groups."""
        machines = sorted(path.name for path in (self.home.lab(name).path / "machines").glob("[!.]*/"))
        return self.chance.choice(machines), cgroups.lab_groups(self.mark(name))

    def is_up(self, name: str) -> bool:
        return self.home.lab(name).path.exists()

    def up(self, name: str) -> None:
        self.expect("up", "--name", name, *WAYS[self.names.index(name) % len(WAYS)])
        seen = self.states(name)
        if not seen or not set(seen.values()) <= {"running", "starting"}:
            self.say_wrong(f"{name} is up, and its status is {seen}")
        inits = [pid for pid in cgroups.pids(cgroups.lab_groups(self.mark(name))) if _is_init(pid)]
        if len(inits) != len(seen):
            self.say_wrong(f"{name} has {len(seen)} machines and {len(inits)} inits")

    def down(self, name: str) -> None:
        mark = self.mark(name)
        self.expect("down", "--lab", name)
        self.look_for_residue(name, mark)

    def look_for_residue(self, name: str, mark: str) -> None:
        folder = self.home.lab(name).path
        of_it = (one for one in supervisors.all_supervisors() if one.mark == mark or one.folder == folder)
        left = [f"process {one.pid}" for one in of_it]
        left += [str(group) for group in cgroups.lab_groups(mark) if mark and group.exists()]
        left += [str(path) for path in self.home.labs.iterdir() if name in path.name]
        for what in left:
            self.say_wrong(f"{name} left {what}")

    def verify(self, name: str) -> None:
        self.expect("verify", "--lab", name)

    def drill(self, name: str) -> None:
        """Of a pair; one server alone has no failover."""
        if name != self.names[2]:
            self.expect("drill", "crash-primary", "--lab", name)

    def cut_power(self, name: str) -> None:
        """By `kill`, or by whatever kills a systemd-nspawn; then `verify` must not pass."""
        machine, groups = self.machine(name)
        if self.chance.random() < 0.5:
            self.expect("kill", machine, "--lab", name)
        else:
            os.kill(_nspawn(groups, machine), signal.SIGKILL)
            _until(lambda: not cgroups.lives(groups, machine))
        if self.states(name).get(machine) != "stopped":
            self.say_wrong(f"{machine} of {name} was killed, and is {self.states(name)}")
        self.expect("verify", "--lab", name, code=1)
        self.up(name)

    def stop_processes(self, name: str) -> None:
        """SIGSTOP of the supervisor or of a systemd-nspawn holds nothing up."""
        machine, groups = self.machine(name)
        first = [one.pid for one in supervisors.all_supervisors() if one.first and one.mark == self.mark(name)]
        os.kill(self.chance.choice([*first, _nspawn(groups, machine)]), signal.SIGSTOP)
        self.expect("kill", machine, "--lab", name)
        self.up(name)

    def kill_supervisor(self, name: str) -> None:
        for one in supervisors.all_supervisors():
            if one.mark == self.mark(name):
                supervisors.end(one.pid)
        if set(seen := self.states(name).values()) != {"stopped"}:
            self.say_wrong(f"{name} lost its supervisor, and is {seen}")
        self.up(name)

    def kill_command(self, name: str) -> None:
        """SIGKILL of a command at any moment; the next `up` or `down` ends well."""
        words = self.chance.choice([("up", "--name", name), ("down", "--lab", name), ("verify", "--lab", name)])
        self.command(*words, kill_after_s=self.chance.uniform(0.1, 4.0))
        if not self.is_up(name):
            self.look_for_residue(name, "")
        else:
            self.chance.choice((self.up, self.down))(name)

    def damage(self, name: str) -> None:
        """Journal, spec, socket or a machine's cards are lost; `down` still leaves nothing."""
        lab, mark = self.home.lab(name), self.mark(name)
        machine, _ = self.machine(name)
        lost = (lab.journal, lab.spec, lab.path / "control.sock", lab.machine(machine) / "nics.json")
        self.chance.choice(lost).unlink()
        self.expect("down", "--lab", name)
        self.look_for_residue(name, mark)

    def remove_folder(self, name: str) -> None:
        """A lab ends with its folder."""
        lab, mark = self.home.lab(name), self.mark(name)

        def gone() -> bool:
            shutil.rmtree(lab.path, ignore_errors=True)  # what runs writes into it
            return not lab.path.exists()

        _until(gone)
        _until(lambda: not any(group.exists() for group in cgroups.lab_groups(mark)))
        self.look_for_residue(name, mark)

    def deed(self) -> None:
        """One of all that can be done now."""
        name = self.chance.choice(self.names)
        wild = (self.cut_power, self.stop_processes, self.kill_supervisor, self.kill_command, self.damage)
        there = (self.verify, self.drill, *wild, self.remove_folder, self.down)
        deed = self.chance.choice(there if self.is_up(name) else (self.up,))
        begun = time.monotonic()
        try:
            deed(name)
        except Exception as error:  # noqa: BLE001  it is told, and the run goes on
            self.say_wrong(f"{deed.__name__} {name}: {type(error).__name__}: {error}")
        self.done[deed.__name__] += 1
        print(f"{deed.__name__:16} {name:8} {time.monotonic() - begun:6.1f} s", flush=True)


def _is_init(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        numbers = next(line for line in status if line.startswith("NSpid:"))
    except (OSError, StopIteration):
        return False
    return numbers.split()[-1] == "1"


def _nspawn(groups: tuple[Path, ...], machine: str) -> int:
    return next(
        pid for pid in sorted(cgroups.pids(groups, machine)) if "nspawn" in Path(f"/proc/{pid}/comm").read_text()
    )


def _until(so: Callable[[], object], within_s: float = 15.0) -> None:
    end = time.monotonic() + within_s
    while not so():
        if time.monotonic() > end:
            raise TimeoutError("waited in vain")
        time.sleep(0.05)


def main() -> None:
    """Parse, run, tell, exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        home = Home(Path(folder))
        home.images.symlink_to(Home.default().images)
        home.labs.mkdir()
        os.environ["LABBUILDER_HOME"] = folder
        soak = Soak(home, random.Random(asked.seed), ("soak-a", "soak-b", "soak-c"))
        end = time.monotonic() + asked.minutes * 60
        try:
            while time.monotonic() < end:
                soak.deed()
        finally:
            for name in soak.names:
                if soak.is_up(name):
                    soak.down(name)
    told = f"seed {asked.seed}: {sum(soak.done.values())} deeds, {len(soak.wrong)} wrong: {dict(soak.done)}"
    print(told, *soak.wrong, sep="\n")
    sys.exit(1 if soak.wrong else 0)


if __name__ == "__main__":
    main()
