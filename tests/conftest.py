"""Homes and labs that tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from labbuilder.lab import Lab
from labbuilder.providers.virtualbox.media import forget_below
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage
from labbuilder.store import Home


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home of this test run, with the images of the user's own: they are kept by the hash of their recipe."""
    own = Home(tmp_path_factory.mktemp("home"))
    shared = Home.default().images
    shared.mkdir(parents=True, exist_ok=True)
    own.images.symlink_to(shared)
    os.environ["LABBUILDER_HOME"] = str(own.path)
    return own


@pytest.fixture(scope="session")
def lab(home: Home) -> Iterator[Lab]:
    """The guide's lab, up and proven. A test that breaks it mends it."""
    guide = Lab("guide", home=home).add_server().add_server().add_client().up()
    yield guide
    guide.down()


@pytest.fixture(scope="session")
def virtualbox_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The spec's `virtualbox:` for tests: without VT-x nothing boots, so an empty disk will do."""
    disk = tmp_path_factory.mktemp("base") / "base.vdi"
    vboxmanage = VBoxManage()
    vboxmanage.change("createmedium", "disk", "--filename", disk, "--size", "8")
    forget_below(vboxmanage, disk)
    return {"bridged": "nat", "image": str(disk)}
