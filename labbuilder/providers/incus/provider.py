"""The Incus provider: machines of one lab as system containers, on one server or over the members of a cluster."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from labbuilder.errors import LabError, MachineError
from labbuilder.host import progress
from labbuilder.host.parallel import for_each
from labbuilder.host.store import Home, LabDir
from labbuilder.host.wait import wait_until
from labbuilder.model.lab import MachinePlan, Nic, Plan
from labbuilder.providers.base import MachineState, MachineStatus
from labbuilder.providers.images import ImageCache
from labbuilder.providers.incus import host, images, world
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.images import KEY
from labbuilder.providers.incus.instances import STATES, WORLD, Instances
from labbuilder.providers.incus.networks import MARK_KEY, LabNetworks
from labbuilder.providers.incus.placement import Member, check_wishes, place
from labbuilder.providers.incus.relay import Relay
from labbuilder.providers.incus.remotes import find_remote
from labbuilder.providers.incus.words import went_off
from labbuilder.spec.load import load_spec
from labbuilder.spec.providers import Incus, Sections, section
from labbuilder.ssh.endpoint import Endpoint
from labbuilder.ssh.keys import LabKeys, ensure_keys

_OFF = (MachineState.STOPPED, MachineState.LOST)
_BOOT_S, _SHUTDOWN_S = 120.0, 60  # the longest, with what a server far away needs to say so


class IncusProvider:
    """Machines of one lab on an Incus server.

    Args:
        home: Where the remotes and the image are kept.
        lab: The lab's folder.
        mark: The lab's mark: in the configuration of all that it makes, and by nothing else is anything removed.
        settings: The spec's `incus:`.
    """

    kind = "incus"

    def __init__(self, home: Home, lab: LabDir, mark: str, settings: Incus) -> None:
        self.home = home
        self.lab = lab
        self.mark = mark
        self.settings = settings
        self.project = settings.project or f"labbuilder-{lab.name}-{mark}"
        self.images = ImageCache(home)
        self._prepared: dict[str, str | None] | None = None
        self._preparing, self._settling = threading.Lock(), threading.Lock()

    @cached_property
    def api(self) -> Api:
        """The server, asked in the lab's project."""
        return Api(find_remote(self.home, self.settings.remote), self.project)

    @cached_property
    def _shared(self) -> Api:
        """Where images are: a project of the lab's own shares those of the default one."""
        return Api(self.api.remote, self.settings.project or "default")

    @cached_property
    def _instances(self) -> Instances:
        return Instances(self.api, self.lab.name, self.mark, self._planned)

    def _planned(self) -> tuple[str, ...]:
        spec = load_spec(self.lab.spec) if self.lab.spec.exists() else None
        return (WORLD, *(s.name for s in spec.servers), *(c.name for c in spec.clients)) if spec else (WORLD,)

    @cached_property
    def _networks(self) -> LabNetworks:
        return LabNetworks(self._shared, self.mark, self.settings)

    @cached_property
    def _members(self) -> tuple[Member, ...]:
        """Of the cluster, as they were when they were first asked for."""
        return host.members(self._shared)

    @cached_property
    def _may_place(self) -> bool:
        return host.may_place(self._shared)

    def preflight(self, plan: Plan) -> None:
        """Raise for what is certain to fail later: no server, no trust, no such project, pool, member or network."""
        host.preflight(self._shared, self.settings)
        if self.settings.project is None:
            host.require_projects(self._shared, self.project)
        host.require_machines(self._shared, self.settings, self._members)
        check_wishes(self.settings.placement, self._members)
        if self.settings.placement and not self._may_place:
            raise host.no_placement(self.project)
        self._networks.check(plan, self._members)

    def image_name(self, plan: Plan) -> str:
        """The root from which the server's image is made."""
        return images.cache_name(plan.image)

    def has_image(self, plan: Plan) -> bool:
        """The server has it."""
        return images.fingerprint(self._shared, images.image_name(plan.image)) is not None

    def ensure_image(self, plan: Plan) -> None:
        """Upload the image, unless the server has it."""
        images.ensure_image(self._shared, self.images, plan.image)

    def ensure_networks(self, plan: Plan) -> None:
        """Make the lab's project, its networks and, where it is simulated, the world; decide who goes where."""
        with self._preparing:
            if self._prepared is None:
                self._ensure_project()
                self._networks.ensure(plan, self._members)
                self._prepared = self._place(plan)
                if plan.upstream.witness is not None:
                    self._ensure_world(plan)

    def _ensure_project(self) -> None:
        if self.settings.project is None and self._shared.find(f"/1.0/projects/{self.project}") is None:
            features = dict.fromkeys(("images", "networks", "profiles", "storage.buckets"), "false")
            config = {MARK_KEY: self.mark} | {f"features.{name}": value for name, value in features.items()}
            about = f"labbuilder: the lab {self.lab.name}"
            self._shared.change("POST", "/1.0/projects", {"name": self.project, "config": config, "description": about})

    def _place(self, plan: Plan) -> dict[str, str | None]:
        there = {name: found["location"] for name, found in self._instances.all().items()}
        missing = [name for name in (*(m.name for m in plan.machines), WORLD) if name not in there]
        asked = {name: wish for name, wish in self.settings.placement.items() if name in missing}
        if self._members and not self._may_place:
            return dict.fromkeys(missing)  # Incus chooses
        turn = int(self.mark, 16)
        return place(missing, self._members, asked, taken=there, spread=self.settings.spread, turn=turn)

    def _ensure_world(self, plan: Plan) -> None:
        nic = Nic(world.NIC, plan.uplink.name, world.world_mac(self.mark), None)
        self._make(plan, WORLD, (nic,), {"script": world.settle_script(plan.upstream)})
        self._instances.power_on(WORLD)

    def create(self, plan: Plan, machine: MachinePlan) -> None:
        """Make the container, with its identity; where it goes was decided with the networks."""
        self.ensure_networks(plan)
        keys = ensure_keys(self.lab, [machine.name])
        identity = {"host_key": keys.host_private(machine.name), "authorized_keys": keys.authorized}
        self._make(plan, machine.name, machine.nics, identity)

    def _make(self, plan: Plan, name: str, nics: Sequence[Nic], identity: Mapping[str, str]) -> None:
        config = {f"{KEY}{key}": value for key, value in identity.items()}
        config[f"{KEY}networks"] = json.dumps({nic.network: nic.name for nic in nics})
        config |= {"security.guestapi": "false"} | self.settings.limits  # its keys are root's own business
        root = {"type": "disk", "path": "/", "pool": self.settings.pool}
        devices = {nic.name: self._networks.device(plan.networks[nic.network], nic) for nic in nics}
        source = {
            "source": {"type": "image", "alias": images.image_name(plan.image)},
            "devices": {"root": root, **devices},
        }
        self._instances.make(name, config, source, (self._prepared or {}).get(name))

    def start(self, name: str) -> None:
        """Power it on."""
        state = self._instances.state(name)
        if state is None:
            raise MachineError(brief=f"{name} was never made", resolution="labbuilder up makes it")
        if state is MachineState.LOST:
            raise self._instances.lost(name)
        if state is MachineState.STOPPED:
            self._instances.power_on(name)

    def wait_ready(self, name: str) -> None:
        """Wait for the banner of the machine's SSH, by one command in it; then for the world."""

        def answers() -> bool:
            self._raise_if_dead(name)
            return self._instances.answers(name, within_s=_BOOT_S)

        wait_until(
            f"{name} answers on its management SSH",
            answers,
            within_s=_BOOT_S,
            every_s=0.1,
            resolution=f"labbuilder console {name} shows how far it came",
        )
        self._settle_world()

    def _raise_if_dead(self, name: str) -> None:
        state = self._instances.state(name)
        if state is MachineState.LOST:
            raise self._instances.lost(name)
        if state in (None, MachineState.STOPPED):
            raise went_off(name, self.console(name).read_text(errors="replace").splitlines()[-10:])

    def _settle_world(self) -> None:
        with self._settling:
            there = self._instances.all().get(WORLD)
            if there is not None and there["config"] and f"{KEY}settled" not in there["config"]:
                with progress.step("world"):
                    world.settle(self.api, self._instances.instance(WORLD), there["config"][f"{KEY}script"])
                    self.api.change("PATCH", self._instances.path(WORLD), {"config": {f"{KEY}settled": "yes"}})

    def stop(self, name: str) -> None:
        """Shut down in order, then by force."""
        state = self._instances.state(name)
        if state in (None, *_OFF):
            return
        if state is MachineState.PAUSED:
            self.resume(name)
        try:
            self._instances.tell(name, "stop", timeout=_SHUTDOWN_S)
        except MachineError:
            self.kill(name)

    def kill(self, name: str) -> None:
        """Cut its power."""
        if self._instances.state(name) not in (None, *_OFF):
            self._instances.tell(name, "stop", force=True, timeout=-1)

    def reboot(self, name: str) -> None:
        """Reboot in order, into a new network namespace."""
        if self._instances.state(name) in (None, *_OFF):
            raise MachineError(brief=f"{name} is off, so it can't reboot", resolution="labbuilder up")
        self._instances.tell(name, "restart", timeout=_SHUTDOWN_S)
        self.wait_ready(name)

    def pause(self, name: str) -> None:
        """Freeze every process of it."""
        if self._instances.state(name) is not MachineState.PAUSED:
            self._instances.tell(name, "freeze")

    def resume(self, name: str) -> None:
        """Let it go on."""
        if self._instances.state(name) is MachineState.PAUSED:
            self._instances.tell(name, "unfreeze")

    def set_link(self, name: str, network: str, *, up: bool) -> None:
        """Plug or unplug the host's end of the wire."""
        seen = self.api.get(self._instances.path(name))
        devices, nic = seen["devices"], _nics(seen).get(network)
        if nic is None:
            raise MachineError(
                brief=f"it is not known which card of {name} is on the {network} network: an older labbuilder made it",
                resolution=f"labbuilder down --lab {self.lab.name}, then labbuilder up",
            )
        change = {"devices": {nic: devices[nic] | {"connected": "true" if up else "false"}}}
        self.api.change("PATCH", self._instances.path(name), change)

    def status(self) -> tuple[MachineStatus, ...]:
        """What Incus says of the lab's containers; running means that SSH answers and the world is there."""
        found = self._instances.all()
        around = found.pop(WORLD, None)
        whole = around is None or not around["config"] or f"{KEY}settled" in around["config"]
        return tuple(for_each(found.items(), lambda item: self._status(*item, whole=whole)))

    def _status(self, name: str, seen: Mapping[str, Any], *, whole: bool) -> MachineStatus:
        state = STATES.get(seen["status"], MachineState.STOPPED)
        if state is MachineState.RUNNING and not (whole and self._instances.answers(name)):
            state = MachineState.STARTING
        cut = tuple(n for n, nic in _nics(seen).items() if seen["devices"][nic].get("connected") == "false")
        member = "" if seen["location"] == "none" else seen["location"]
        return MachineStatus(name, state, cut_links=cut, member=member)

    def is_awake(self, name: str) -> bool:
        """By Incus's word alone."""
        return self._instances.state(name) is MachineState.RUNNING

    def endpoint(self, name: str) -> Endpoint:
        """Through Incus's exec."""
        keys = LabKeys(self.lab.keys)
        relay = Relay(self.home.path, self.settings.remote, self.project, self._instances.instance(name), self.api)
        return Endpoint(name, keys.host_public(name), keys.identity, relay=relay)

    def console(self, name: str) -> Path:
        """What Incus kept of it, fetched now; what was fetched before, where the member is gone."""
        path = self.lab.machine(name) / "console.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        said = self.api.download(f"{self._instances.path(name)}/console")
        if said or not path.exists():
            path.write_bytes(said)
        return path

    def save_snapshot(self, name: str) -> None:
        """Keep the disks while all machines stand still: as after a power cut of all at once."""
        machines = self._instances.machines()
        running = [m for m, state in machines.items() if state is MachineState.RUNNING]
        try:
            for_each(running, self.pause)
            for_each(
                machines, lambda m: self.api.change("POST", f"{self._instances.path(m)}/snapshots", {"name": name})
            )
        finally:
            for_each(running, self.resume)

    def restore_snapshot(self, name: str) -> None:
        """Bring back the disks."""
        for_each(
            self._instances.machines(), lambda m: self.api.change("PUT", self._instances.path(m), {"restore": name})
        )

    def delete_snapshot(self, name: str) -> None:
        """Forget the disks that were kept."""
        for_each(self._instances.machines(), lambda m: self.api.remove(f"{self._instances.path(m)}/snapshots/{name}"))

    def destroy(self, name: str) -> None:
        """Cut the power and remove the container."""
        if self._instances.state(name) is not None:
            self.kill(name)
            self.api.remove(self._instances.path(name))
        if self._prepared is not None and self._prepared.get(name) is None:
            self._prepared = None  # where it goes when it is made again is to be decided

    def destroy_all(self) -> None:
        """Remove containers, then networks, then the lab's own project; what can't be removed is residue."""
        for_each(self._instances.all(), _unless(self.destroy))
        removals = [f"/1.0/networks/{name}" for name in self._networks.made()]
        for_each(removals, _unless(lambda path: self._shared.remove(path, project="default")))
        if self.settings.project is None:
            _unless(lambda name: self._shared.remove(f"/1.0/projects/{name}"))(self.project)
        self._prepared = None

    def residue(self) -> Sequence[str]:
        """Containers, networks and the project, as the server shows them."""
        own = self.settings.project is None and self._shared.find(f"/1.0/projects/{self.project}") is not None
        return [
            *(f"container {i['name']} on {i['location']} ({i['status']})" for i in self._instances.all().values()),
            *(f"network {name}" for name in self._networks.made()),
            *([f"project {self.project}"] if own else []),
        ]


def _nics(instance: Mapping[str, Any]) -> dict[str, str]:
    """The names of an instance's cards, by the network that each is on; none of one whose member is gone."""
    found: dict[str, str] = json.loads((instance["config"] or {}).get(f"{KEY}networks", "{}"))
    return found


def _unless(remove: Callable[[str], None]) -> Callable[[str], None]:
    """Go on with the rest when one thing can't be removed: it will be told as residue."""

    def tried(what: str) -> None:
        try:
            remove(what)
        except LabError as error:
            progress.logger.debug("%s is left: %s", what, error)

    return tried


def open_provider(home: Home, lab: LabDir, mark: str, settings: Sections) -> IncusProvider:
    """The provider, bound to one lab."""
    return IncusProvider(home, lab, mark, section(settings, Incus))
