"""Defining three VirtualBox machines against the bare VBoxManage calls for the same, and looking at ten, turn by turn.

It uses the userland of tests/support: nothing is started. ``python benchmarks/bench_virtualbox.py [ROUNDS]`` prints
a table, then one JSON document.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from labbuilder.host.journal import Journal, Record
from labbuilder.host.store import Home, write_atomic
from labbuilder.lab import Lab
from labbuilder.plan import Plan
from labbuilder.providers.virtualbox import hardware
from labbuilder.providers.virtualbox.provider import VirtualBoxProvider
from labbuilder.spec.load import dump_spec
from labbuilder.spec.providers import VirtualBox

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/support"))
import userland

DISK_BYTES = 340 << 20  # what a slim Debian takes


def vboxmanage(*words: str | Path) -> None:
    """One bare call."""
    subprocess.run(["VBoxManage", "-q", *map(str, words)], check=True, capture_output=True)


def bare_s(plan: Plan, base: Path, folder: Path) -> float:
    """Seconds of the calls alone, as a shell script would make them; the machines are removed again."""
    begun, ids = time.monotonic(), []
    for machine in plan.machines:
        uuid, disk = str(uuid4()), folder / f"{machine.name}.vdi"
        ids.append(uuid)
        console = str(folder / "console.log")
        words = hardware.modifyvm_words(plan, machine, bridge=None, mark="bare", console=console)
        vboxmanage(
            "createvm", "--name", machine.name, "--uuid", uuid, "--ostype", "Debian12_64",
            "--groups", "/bare", "--basefolder", folder, "--register",
        )  # fmt: skip
        vboxmanage("setextradata", uuid, "mark", "bare")
        for key, value in hardware.extradata(plan.section(VirtualBox), lan_boot_rom=str(folder / "rom")).items():
            vboxmanage("setextradata", uuid, key, value)
        vboxmanage("modifyvm", uuid, *words, *hardware.forward_words(2200 + len(ids)))
        vboxmanage(
            "storagectl", uuid, "--name", "d", "--add", "virtio-scsi", "--controller", "VirtIO", "--portcount", "2"
        )
        vboxmanage("clonemedium", "disk", base, disk)
        vboxmanage("storageattach", uuid, "--storagectl", "d", "--port", "0", "--type", "hdd", "--medium", disk)
        vboxmanage(
            "storageattach", uuid, "--storagectl", "d", "--port", "1", "--type", "dvddrive", "--medium", "emptydrive"
        )
    vboxmanage("closemedium", "disk", base)
    taken = time.monotonic() - begun
    for uuid in ids:
        vboxmanage("unregistervm", uuid, "--delete")
    return taken


def ours_s(plan: Plan, home: Home) -> float:
    """Seconds of the provider for the same machines."""
    lab = home.lab("bench")
    lab.path.mkdir(parents=True)
    provider = VirtualBoxProvider(home, lab, "be9c4000")
    begun = time.monotonic()
    provider.ensure_networks(plan)
    for machine in plan.machines:
        provider.create(plan, machine)
    provider.bases.let_go()
    taken = time.monotonic() - begun
    provider.destroy_all()
    shutil.rmtree(lab.path)
    return taken


@contextmanager
def ten_machines(settings: dict[str, str], home: Home) -> Iterator[VirtualBoxProvider]:
    """A lab of ten, defined, that the command knows."""
    machines = Lab("ten").add_server().add_server().add_clients(8).set(provider="virtualbox", virtualbox=settings)
    plan, lab, mark = machines.plan(), home.lab("ten"), "be9c4010"
    lab.path.mkdir(parents=True)
    Journal(lab.journal).append(Record("lab", "begun", data={"provider": "virtualbox", "mark": mark}))
    write_atomic(lab.spec, dump_spec(machines.spec))
    provider = VirtualBoxProvider(home, lab, mark)
    for machine in plan.machines:
        provider.create(plan, machine)
    yield provider
    provider.destroy_all()
    shutil.rmtree(lab.path)


def looks(provider: VirtualBoxProvider, home: Home) -> dict[str, Callable[[], object]]:
    """Ways to look at the ten machines: by hand, by the command, and what `up` asks when nothing is to be done."""
    command = [str(Path(sys.executable).with_name("labbuilder")), "status", "--lab", provider.lab.name]
    environment = os.environ | {"LABBUILDER_HOME": str(home.path)}
    return {
        "bare list": lambda: vboxmanage("list", "--long", "vms"),
        "status": lambda: subprocess.run(command, check=True, capture_output=True, env=environment),
        "up's questions": lambda: [provider.status() for _ in range(2)],
    }


def timed(do: Callable[[], object]) -> float:
    """Seconds that it takes."""
    begun = time.monotonic()
    do()
    return time.monotonic() - begun


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["PATH"] = f"{userland.build()}:{os.environ['PATH']}"
        os.environ |= {"VBOX_USER_HOME": str(folder / "registry"), "VBOX_IPC_SOCKETID": "labbuilder-bench"}
        raw, base = folder / "raw", folder / "base.vdi"
        raw.write_bytes(os.urandom(DISK_BYTES))
        vboxmanage("convertfromraw", raw, base)
        raw.unlink()
        settings = {"bridged": "nat", "image": str(base)}
        lab = Lab("bench").add_server().add_server().add_client().set(provider="virtualbox", virtualbox=settings)
        figures: dict[str, list[float]] = {"bare calls": [], "provider": []}
        turns: list[tuple[str, Callable[[], float]]] = [
            ("bare calls", lambda: bare_s(lab.plan(), base, folder)),
            ("provider", lambda: ours_s(lab.plan(), Home(folder / "home"))),
        ]
        for number in range(rounds):
            for name, measure in turns if number % 2 else reversed(turns):
                os.sync()  # a gigabyte that the turn before wrote is not written out during this one
                figures[name].append(measure())
        home = Home(folder / "home")
        with ten_machines(settings | {"clones": "linked"}, home) as ten:
            ways = looks(ten, home)
            for number in range(rounds):
                for name, look in ways.items() if number % 2 else reversed(ways.items()):
                    figures.setdefault(name, []).append(timed(look))
        userland.end_services("labbuilder-bench")
    medians = {name: statistics.median(found) for name, found in figures.items()}
    ratios = {
        "provider / bare calls": medians["provider"] / medians["bare calls"],
        "status / bare list": medians["status"] / medians["bare list"],
    }
    for name, found in figures.items():
        print(f"{name:14} {medians[name]:6.2f} s  ({min(found):.2f} to {max(found):.2f})")
    for name, ratio in ratios.items():
        print(f"{name} = {ratio:.2f} in {rounds} rounds")
    print(json.dumps({"rounds": figures, "medians": medians, "ratios": ratios}))


if __name__ == "__main__":
    main()
