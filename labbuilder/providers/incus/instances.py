"""The lab's instances on the server, the world among them: looked up there and switched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from labbuilder.errors import HostError, LabError, MachineError
from labbuilder.host.wait import wait_until
from labbuilder.providers.base import MachineState
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.images import KEY
from labbuilder.providers.incus.networks import MARK_KEY
from labbuilder.providers.incus.streams import SSH_SOCKET

WORLD = "-world"  # no machine can be called so: names begin with a letter
STATES = {"Running": MachineState.RUNNING, "Frozen": MachineState.PAUSED, "Error": MachineState.LOST}
LOOK_S = 5
_ANSWERS = f"nc -N -U {SSH_SOCKET} </dev/null 2>/dev/null | grep -q ^SSH"


class Instances:
    """All instances that bear the lab's mark, by the names of the lab's machines.

    Args:
        api: The server, asked in the lab's project.
        lab: The lab's name: an instance is called LAB-MACHINE.
        mark: The lab's mark.
        planned: What the lab's machines are called now.
    """

    def __init__(self, api: Api, lab: str, mark: str, planned: Callable[[], Iterable[str]]) -> None:
        self._api = api
        self._lab = lab
        self._mark = mark
        self._planned = planned

    def instance(self, name: str) -> str:
        """What Incus calls the machine."""
        return f"{self._lab}-{name}"

    def path(self, name: str) -> str:
        """Where Incus is asked about it."""
        return f"/1.0/instances/{self.instance(name)}"

    def all(self) -> dict[str, dict[str, Any]]:
        """What Incus says of each, the world too.

        Of what is on a member that is offline Incus tells the name alone, so the name must do, if the lab plans it.
        """
        found = self._api.find("/1.0/instances", recursion="1") or ()
        prefix = self.instance("")
        planned = {self.instance(name) for name in self._planned()} if any(not i["config"] for i in found) else ()
        ours = [i for i in found if i["config"] and i["config"].get(MARK_KEY) == self._mark]
        ours += [i | {"devices": {}} for i in found if not i["config"] and i["name"] in planned]
        return {i["name"].removeprefix(prefix): i for i in sorted(ours, key=lambda i: str(i["name"]))}

    def machines(self) -> dict[str, MachineState]:
        """The state of each, without the world."""
        return {n: STATES.get(i["status"], MachineState.STOPPED) for n, i in self.all().items() if n != WORLD}

    def state(self, name: str) -> MachineState | None:
        """What Incus says of one; None when it is not there."""
        try:
            seen = self._api.find(self.path(name))
        except HostError:  # a question about one machine goes to its member
            if name not in self.all():
                raise
            return MachineState.LOST
        if seen is None or seen["config"].get(MARK_KEY) != self._mark:
            return None
        return STATES.get(seen["status"], MachineState.STOPPED)

    def make(self, name: str, config: Mapping[str, str], source: Mapping[str, Any], member: str | None) -> None:
        """Make it, unless it is there; it is off.

        Args:
            name: Of the machine.
            config: Its keys besides the marks, by which it is known.
            source: Its image and its devices.
            member: Of the cluster; None leaves it to Incus.

        Raises:
            MachineError: Somebody else's has the name.
        """
        there = self._api.find(self.path(name))
        if there is not None:
            if there["config"].get(MARK_KEY) != self._mark:
                raise MachineError(
                    brief=f"Incus has an instance {self.instance(name)} that this lab did not make",
                    resolution="give the lab another name (labbuilder up --name), or use another --project",
                )
            return
        known = {MARK_KEY: self._mark, f"{KEY}lab": self._lab, f"{KEY}machine": name}
        body = {
            "name": self.instance(name),
            "type": "container",
            "profiles": [],
            "config": {**known, **config},
            **source,
        }
        self._api.change("POST", "/1.0/instances", body, **({"target": member} if member else {}))

    def power_on(self, name: str) -> None:
        """Start it until it runs: one of many may stay off without an error, and Incus starts some by itself."""

        def runs() -> bool:
            if self.state(name) is not MachineState.STOPPED:
                return True
            try:
                self.tell(name, "start")
            except MachineError as error:
                if "busy" not in error.brief and self.state(name) is MachineState.STOPPED:
                    raise
            return False

        wait_until(f"{name} is on", runs, within_s=60.0, every_s=0.05)

    def tell(self, name: str, action: str, **more: Any) -> None:
        """Change its state by one of Incus's words."""
        self._api.change("PUT", f"{self.path(name)}/state", {"action": action, **more})

    def lost(self, name: str) -> HostError:
        """The error for one whose member is offline."""
        member = self.all()[name]["location"]
        return HostError(
            brief=f"{name} can't be reached: the member {member} of the cluster is offline",
            resolution=f"incus cluster list; switch {member} on again, then labbuilder up",
        )

    def answers(self, name: str, *, within_s: float = 0.0) -> bool:
        """Its SSH says its banner; asked by one command in it, which waits so long for it."""
        script = f"until {_ANSWERS}; do sleep 0.05; done" if within_s else _ANSWERS
        words = ["timeout", f"{min(within_s or LOOK_S, LOOK_S):g}", "sh", "-c", script]
        try:
            done = self._api.change("POST", f"{self.path(name)}/exec", {"command": words, "wait-for-websocket": False})
        except LabError:  # it died, or its init was not there yet
            return False
        return bool(done.get("return") == 0)
