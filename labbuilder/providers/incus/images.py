"""The image that all containers start from: made once, uploaded once to each server, known there by its recipe."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
from pathlib import Path

import yaml
from filelock import FileLock

from labbuilder.host import progress
from labbuilder.model.lab import ImageRecipe
from labbuilder.providers.debian import build_tree
from labbuilder.providers.images import ImageCache
from labbuilder.providers.incus.client import Api

NEEDED_BYTES = 900_000_000  # mmdebstrap's tree, its tar of 270 MB and the packed one of 100 MB
KEY = "user.labbuilder."
MARK = "labbuilder"
"""The property by which an image on a server is known as ours."""
_PACKAGES_EXPECTED = 195  # for the bar alone
_ROOT = "rootfs.tar.gz"
_TEMPLATES = {
    # path in the machine: key of the instance's configuration, mode
    "/etc/hostname": ("machine", "0644"),
    "/etc/ssh/lab_host_ed25519": ("host_key", "0600"),
    "/etc/ssh/lab_authorized_keys": ("authorized_keys", "0644"),
}


def image_name(recipe: ImageRecipe) -> str:
    """What the image is called on a server: it changes with all that is in it."""
    whole = hashlib.sha256(recipe.digest.encode() + _metadata(recipe)).hexdigest()
    return f"labbuilder-{whole[:12]}"


def cache_name(recipe: ImageRecipe) -> str:
    """What its root is called in the cache."""
    return f"rootfs-{recipe.digest}"


def fingerprint(api: Api, name: str) -> str | None:
    """The image on the server; None when it is not there."""
    alias = api.find(f"/1.0/images/aliases/{name}")
    return None if alias is None else str(alias["target"])


def ensure_image(api: Api, cache: ImageCache, recipe: ImageRecipe) -> None:
    """Upload the image unless the server has it; make it first unless it is in the cache.

    Raises:
        HostError: No room or no permission.
        CommandError: mmdebstrap failed.
    """
    name = image_name(recipe)
    if fingerprint(api, name) is not None:
        return
    folder = cache.ensure(
        cache_name(recipe), "rootfs", recipe.suite, NEEDED_BYTES, lambda part, step: _make(recipe, part, step)
    )
    with FileLock(cache.folder / f".{name}.upload.lock"):  # of labs side by side one uploads it
        if fingerprint(api, name) is None:
            with progress.step("upload") as step, open(folder / _ROOT, "rb") as root:
                step.detail = api.remote.shown
                api.upload_image(_metadata(recipe), root, name)


def _make(recipe: ImageRecipe, folder: Path, step: progress.Step) -> None:
    tar = folder / "rootfs.tar"
    build_tree(recipe, tar, lambda done: step.advance(min(done / _PACKAGES_EXPECTED / 2, 0.98)))
    with open(tar, "rb") as plain, gzip.open(folder / _ROOT, "wb", compresslevel=1) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)  # gzip: what every member can unpack
    tar.unlink()


def _metadata(recipe: ImageRecipe) -> bytes:
    """The image's metadata: its templates give each machine its identity while Incus makes it."""
    templates = {
        path: {"when": ["create"], "template": f"{key}.tpl", "mode": mode} for path, (key, mode) in _TEMPLATES.items()
    }
    about = {
        "architecture": "x86_64",
        "creation_date": 1,
        "properties": {"os": "Debian", "release": recipe.suite, MARK: recipe.digest},
        "templates": templates,
    }
    files = {"metadata.yaml": yaml.safe_dump(about)}
    files |= {f"templates/{key}.tpl": f'{{{{ config_get("{KEY}{key}", "") }}}}\n' for key, _ in _TEMPLATES.values()}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()
