"""Machines as files below the lab's folder: what one command does, the next one finds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labbuilder.errors import MachineError
from labbuilder.host.store import Home, LabDir, remove_tree
from labbuilder.model.lab import MachinePlan, Plan
from labbuilder.providers.base import MachineState, MachineStatus
from labbuilder.spec.providers import Sections
from labbuilder.ssh.endpoint import Endpoint
from labbuilder.ssh.keys import LabKeys, ensure_keys

CALLS: list[tuple[str, ...]] = []
"""What providers were told since a test cleared it: the word, and of which machine or snapshot."""
FAILS: dict[tuple[str, ...], BaseException] = {}
"""What a call raises instead."""
LACKS: dict[str, tuple[str, ...]] = {}
"""What a machine lacks of its image, until it is put back."""
_OFF = MachineState.STOPPED


class FakeProvider:
    """A disk is a folder; a machine that runs is a word in a file."""

    kind = "nspawn"

    def __init__(self, home: Home, lab: LabDir, mark: str) -> None:
        self.home = home
        self.lab = lab
        self.mark = mark

    def _told(self, *words: str) -> None:
        CALLS.append(words)
        if words in FAILS:
            raise FAILS[words]

    def _file(self, name: str) -> Path:
        return self.lab.machine(name) / "fake.json"

    def disk(self, name: str) -> Path:
        return self.lab.machine(name) / "disk"

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self._file(name).read_text())
        except FileNotFoundError:
            return None
        return found

    def _known(self, name: str) -> dict[str, Any]:
        found = self._read(name)
        if found is None:
            raise MachineError(brief=f"{name} was never made", resolution="labbuilder up makes it")
        return found

    def _write(self, name: str, **changes: Any) -> None:
        self._file(name).write_text(json.dumps({**self._known(name), **changes}))

    def _state(self, name: str) -> MachineState | None:
        found = self._read(name)
        return None if found is None else MachineState(found["state"])

    def preflight(self, plan: Plan) -> None:
        self._told("preflight", plan.lab)

    def image_name(self, plan: Plan) -> str | None:
        return plan.image.digest

    def _image(self, plan: Plan) -> Path:
        return self.lab.path.with_name(f"{plan.image.digest}.fake-image")

    def has_image(self, plan: Plan) -> bool:
        return self._image(plan).exists()

    def ensure_image(self, plan: Plan) -> None:
        self._told("ensure_image", plan.image.digest)
        self._image(plan).touch()

    def ensure_networks(self, plan: Plan) -> None:
        self._told("ensure_networks", plan.lab)

    def create(self, plan: Plan, machine: MachinePlan) -> None:
        self._told("create", machine.name)
        if self._read(machine.name) is None:
            self.disk(machine.name).mkdir(parents=True, exist_ok=True)
            ensure_keys(self.lab, [machine.name])
            self._file(machine.name).write_text(json.dumps({"state": _OFF, "boots": 0, "cut": []}))

    def restore(self, plan: Plan, machine: MachinePlan, changed: Sequence[str] = ()) -> Sequence[str]:
        del plan
        self._told("restore", machine.name, *changed)
        return LACKS.pop(machine.name, ())

    def start(self, name: str) -> None:
        self._told("start", name)
        known = self._known(name)
        if known["state"] == _OFF:
            self.console(name).write_text("booting\n")
            self._write(name, state=MachineState.RUNNING, boots=known["boots"] + 1)

    def wait_ready(self, name: str) -> None:
        self._told("wait_ready", name)
        if self._state(name) is _OFF:
            raise MachineError(brief=f"{name} went off while it was waited for", resolution="labbuilder up")

    def stop(self, name: str) -> None:
        self._told("stop", name)
        if self._read(name) is not None:
            self._write(name, state=_OFF)

    def kill(self, name: str) -> None:
        self._told("kill", name)
        if self._read(name) is not None:
            self._write(name, state=_OFF)

    def reboot(self, name: str) -> None:
        self._told("reboot", name)
        known = self._known(name)
        if known["state"] == _OFF:
            raise MachineError(brief=f"{name} is off, so it can't reboot", resolution="labbuilder up")
        self._write(name, boots=known["boots"] + 1)

    def pause(self, name: str) -> None:
        self._told("pause", name)
        self._write(name, state=MachineState.PAUSED)

    def resume(self, name: str) -> None:
        self._told("resume", name)
        self._write(name, state=MachineState.RUNNING)

    def set_link(self, name: str, network: str, *, up: bool) -> None:
        self._told("plug" if up else "unplug", name)
        others = [kind for kind in self._known(name)["cut"] if kind != network]
        self._write(name, cut=others if up else [*others, network])

    def status(self) -> tuple[MachineStatus, ...]:
        names = sorted(path.parent.name for path in (self.lab.path / "machines").glob("*/fake.json"))
        found = {name: self._known(name) for name in names}
        return tuple(
            MachineStatus(name, MachineState(seen["state"]), None, seen["boots"], tuple(seen["cut"]))
            for name, seen in found.items()
        )

    def is_awake(self, name: str) -> bool:
        return self._state(name) is MachineState.RUNNING

    def endpoint(self, name: str) -> Endpoint:
        self._known(name)
        keys = LabKeys(self.lab.keys)
        return Endpoint(name, keys.host_public(name), keys.identity, unix_socket=self.lab.machine(name) / "ssh.sock")

    def console(self, name: str) -> Path:
        return self.lab.machine(name) / "console.log"

    def _names(self) -> list[str]:
        return [machine.name for machine in self.status()]

    def save_snapshot(self, name: str) -> None:
        self._told("save_snapshot", name)
        for machine in self._names():
            shutil.copytree(self.disk(machine), self.lab.snapshots / name / machine)

    def restore_snapshot(self, name: str) -> None:
        self._told("restore_snapshot", name)
        for machine in self._names():
            remove_tree(self.disk(machine))
            shutil.copytree(self.lab.snapshots / name / machine, self.disk(machine))

    def delete_snapshot(self, name: str) -> None:
        self._told("delete_snapshot", name)
        remove_tree(self.lab.snapshots / name)

    def destroy(self, name: str) -> None:
        self._told("destroy", name)
        remove_tree(self.lab.machine(name))

    def destroy_all(self) -> None:
        self._told("destroy_all")
        remove_tree(self.lab.path / "machines")

    def residue(self) -> Sequence[str]:
        machines = self.lab.path / "machines"
        return [f"folder {machines}"] if machines.exists() else []


def open_provider(home: Home, lab: LabDir, mark: str, settings: Sections) -> FakeProvider:
    del settings
    return FakeProvider(home, lab, mark)
