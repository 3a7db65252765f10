"""Removing our images from the servers that are known, where no instance of anybody was made from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labbuilder.errors import HostError, LabError
from labbuilder.host.parallel import for_each
from labbuilder.host.progress import logger
from labbuilder.host.store import Home
from labbuilder.providers.base import Pruned
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.images import MARK
from labbuilder.providers.incus.remotes import LOCAL, Remote, find_remote, remotes
from labbuilder.spec.providers import Incus, Sections


def prune(home: Home, labs: Iterable[Sections]) -> tuple[Pruned, ...]:
    """Remove our unused images from this host's Incus, the servers that were added, and those that labs name."""
    known: dict[str, Remote] = {}
    named = [found.remote for sections in labs for found in sections if isinstance(found, Incus)]
    for name in (LOCAL, *(remote.name for remote in remotes(home)), *named):
        try:
            remote = find_remote(home, name)
        except LabError as error:  # it was forgotten; its lab is still there
            logger.debug("%s", error)
            continue
        if name != LOCAL or (remote.socket and remote.socket.exists()):
            known.setdefault(remote.shown, remote)
    return tuple(for_each(known.values(), _prune))


def _prune(remote: Remote) -> Pruned:
    removed: list[str] = []
    try:
        api = Api(remote)
        images = api.get("/1.0/images", **{"project": "", "all-projects": "true", "recursion": "1"})
        ours = [image for image in images if MARK in image["properties"]]
        needed = used(api) if ours else frozenset()
        for image in ours:
            if image["fingerprint"] not in needed:
                api.remove(f"/1.0/images/{image['fingerprint']}", project=image["project"])
                removed += [_name(image)]
    except LabError as error:
        return Pruned(remote.name, tuple(removed), error.brief)
    return Pruned(remote.name, tuple(removed))


def used(api: Api) -> frozenset[str]:
    """The images that instances were made from.

    Raises:
        HostError: A member is offline, so nobody knows.
    """
    instances = api.get("/1.0/instances", **{"project": "", "all-projects": "true", "recursion": "1"})
    unseen = sorted({instance["location"] for instance in instances if not instance["config"]})
    if unseen:
        raise HostError(brief=f"what the instances on {', '.join(unseen)} use can't be seen: offline")
    return frozenset(instance["config"].get("volatile.base_image", "") for instance in instances)


def _name(image: dict[str, Any]) -> str:
    return next((str(alias["name"]) for alias in image["aliases"]), str(image["fingerprint"][:12]))
