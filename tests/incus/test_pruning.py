"""Our image on a server: removed by `labbuilder image prune` when nobody uses it, and no other's ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from incus_cluster import Cluster

from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.providers.incus.client import Api
from labbuilder.providers.incus.images import image_name
from labbuilder.providers.incus.remotes import Remote, ensure_identity, find_remote, keep_remote

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

_FOREIGN = """
cd "$(mktemp -d)"
echo 'architecture: x86_64\ncreation_date: 1\nproperties: {description: labbuilder}' >metadata.yaml
mkdir rootfs
tar -cf ../foreign.tar metadata.yaml rootfs
incus image import ../foreign.tar --alias labbuilder-0123456789ab
"""


def prune(home: Home, remote: str) -> dict[str, list[str]]:
    env = os.environ | {"LABBUILDER_HOME": str(home.path), "INCUS_SOCKET": remote}
    words = [sys.executable, "-m", "labbuilder", "image", "prune", "--json"]
    said = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(said.stdout)
    return found


def test_an_image_goes_when_its_last_lab_has_gone(
    home: Home, incus_remote: str, incus_cluster: Cluster, tmp_path: Path
) -> None:
    other = Home(tmp_path)  # of somebody else, who knows the server and has no lab
    api = Api(find_remote(home, incus_remote))
    lab = Lab("pruned", home=home).add_server().set(provider="incus").section("incus", remote=incus_remote)
    ours = image_name(lab.plan().image)
    incus_cluster.run(incus_cluster.member(1), "sh", "-ec", _FOREIGN)
    try:
        lab.up(verify=False)
        assert prune(other, incus_remote) == {"removed": [], "left": []}
        assert api.find(f"/1.0/images/aliases/{ours}") is not None
        lab.down()
        assert prune(other, incus_remote) == {"removed": [f"{ours} on local"], "left": []}
        assert api.find(f"/1.0/images/aliases/{ours}") is None
        assert [path.rsplit("/", 1)[1] for path in api.get("/1.0/images/aliases")] == ["labbuilder-0123456789ab"]
    finally:
        lab.down()
        incus_cluster.run(incus_cluster.member(1), "incus", "image", "delete", "labbuilder-0123456789ab")


def test_a_server_that_does_not_answer_is_told_and_holds_nothing_up(incus_remote: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    identity = ensure_identity(home)
    keep_remote(home, Remote("gone", "https://127.0.0.1:1", None, (identity / "client.crt").read_text(), identity))
    found = prune(home, incus_remote)
    assert [left.split(":")[0] for left in found["left"]] == ["gone"]
    assert "can't be reached" in found["left"][0]
