"""What the Incus provider needs of the server, looked up there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from labbuilder.errors import HostError, LabError
from labbuilder.host.store import Home
from labbuilder.providers.base import Finding
from labbuilder.providers.images import room
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.images import NEEDED_BYTES
from labbuilder.providers.incus.networks import may_make_networks
from labbuilder.providers.incus.placement import Member
from labbuilder.providers.incus.remotes import find_remote
from labbuilder.providers.incus.words import NotPermittedError
from labbuilder.spec.providers import Incus, Sections, section

NEEDED = {
    "nic_attached_connected": "cables that can be unplugged",
    "image_template_permissions": "images that give a machine its keys",
}
_INSTEAD = "say `machine: container`; --provider virtualbox makes virtual machines on this host"
_NO_KIND = "Instance type not operational"
_OFFER = "Debian 13 has a version that will do in trixie-backports: apt install -t trixie-backports incus"


def preflight(api: Api, settings: Incus) -> None:
    """Raise for what is certain to fail later.

    Raises:
        HostError: The server is not there, is too old, does not trust us, or lacks the project or the pool.
    """
    for finding in _server(api, settings):
        if not finding.ok:
            raise HostError(brief=f"{finding.name}: {finding.seen}", resolution=finding.resolution)


def require_projects(api: Api, project: str) -> None:
    """Raise unless the lab may have a project of its own: who may not ask for it may not make it.

    Raises:
        HostError: It may not.
    """
    try:
        api.find(f"/1.0/projects/{project}")
    except NotPermittedError as error:
        mine = ", ".join(sorted(path.rsplit("/", 1)[-1] for path in api.get("/1.0/projects"))) or "none"
        raise HostError(
            brief="this certificate is restricted to projects, so the lab can't have one of its own",
            details=f"{error.details}\nThe projects that it may use: {mine}",
            resolution="name one of them with --project, or in the spec (incus: project:)",
        ) from error


def require_machines(api: Api, settings: Incus, found: Sequence[Member]) -> None:
    """Raise where the spec asks for virtual machines.

    Raises:
        HostError: Members can't run them, and why; or all could, and it is labbuilder that can't make them.
    """
    if "vm" not in (settings.machine, *settings.machines.values()):
        return
    servers = [api.get("/1.0", target=member.name) for member in found if member.online] or [api.get("/1.0")]
    drivers = {seen["environment"]["server_name"]: seen["environment"]["driver"] for seen in servers}
    lacking = [name for name, driver in drivers.items() if "qemu" not in driver]
    if not lacking:
        raise HostError(
            brief="machine: vm: labbuilder makes no virtual machines on Incus yet, though the server could run them",
            resolution=_INSTEAD,
        )
    said = {w["location"] or lacking[0]: w["last_message"] for w in _warnings(api) if w["type"] == _NO_KIND}
    raise HostError(
        brief=f"machine: vm: {', '.join(lacking)} can't run virtual machines",
        details="\n".join(f"{name}: it has {drivers[name]} alone. {said.get(name, '')}".rstrip() for name in lacking),
        resolution=_INSTEAD,
    )


def _warnings(api: Api) -> list[dict[str, Any]]:
    try:
        return list(api.get("/1.0/warnings", recursion="1", project=""))
    except NotPermittedError:  # they are the admin's
        return []


def may_place(api: Api) -> bool:
    """We may choose the members of the project that is asked."""
    about = api.find(f"/1.0/projects/{api.project}")
    config = about["config"] if about else {}
    if config.get("restricted") != "true" or config.get("restricted.cluster.target") == "allow":
        return True
    return may_make_networks(api)  # who has every right is not bound by it


def no_placement(project: str) -> HostError:
    """The error for a placement in a project that leaves it to Incus."""
    return HostError(
        brief=f"placement: the project {project} lets nobody choose the members",
        resolution="leave placement out, or ask who runs the server: "
        f"incus project set {project} restricted.cluster.target=allow",
    )


def findings(home: Home, sections: Sections = ()) -> tuple[Finding, ...]:
    """Everything that ``labbuilder doctor`` says about the server."""
    settings = section(sections, Incus)
    try:
        api = Api(find_remote(home, settings.remote), settings.project or "default")
        found = [*_server(api, settings)]
        if all(finding.ok for finding in found):
            found += _members(members(api))
    except LabError as error:
        found = [Finding("server", False, f"{error.brief}: {error.details}", error.resolution or "")]
    return (*found, room(home, NEEDED_BYTES))


def members(api: Api) -> tuple[Member, ...]:
    """The members of the cluster; none where the server is no cluster."""
    if not api.get("/1.0")["environment"]["server_clustered"]:
        return ()
    found = api.get("/1.0/cluster/members", recursion="1")
    return tuple(Member(m["server_name"], m["url"], m["status"] == "Online", tuple(m["groups"] or ())) for m in found)


def _server(api: Api, settings: Incus) -> Iterator[Finding]:
    seen = api.get("/1.0", project="default")
    trusted = seen["auth"] == "trusted"
    yield Finding("trust", trusted, f"{api.remote.shown} says: {seen['auth']}", "labbuilder remote add NAME TOKEN")
    if not trusted:
        return
    lacking = [what for name, what in NEEDED.items() if name not in seen["api_extensions"]]
    told = f"Incus {seen['environment']['server_version']}"
    yield Finding("version", not lacking, f"{told} lacks {', '.join(lacking)}" if lacking else told, _OFFER)
    if settings.project is not None:
        there = api.find(f"/1.0/projects/{settings.project}") is not None
        missing = f"there is no Incus project {settings.project}"
        yield Finding("project", there, settings.project if there else missing, "incus project list shows them")
    yield _pool(api.find(f"/1.0/storage-pools/{settings.pool}"), settings.pool)


def _pool(seen: dict[str, Any] | None, name: str) -> Finding:
    told = f"there is no storage pool {name}" if seen is None else f"{name} ({seen['driver']})"
    return Finding("storage pool", seen is not None, told, "incus storage list shows them; pool: in the spec names one")


def _members(found: tuple[Member, ...]) -> Iterator[Finding]:
    if not found:
        yield Finding("cluster", True, "none: one server")
    for member in found:
        told = "online" if member.online else "offline"
        yield Finding(f"member {member.name}", member.online, told, f"switch {member.name} on again")
