"""Every labbuilder command of the pages on Incus is run against a real cluster, in the order of its page."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import userland
from filelock import FileLock
from incus_cluster import Cluster, member_root
from pages import ROOT, commands

from labbuilder.host.store import Home, remove_tree

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

# test_pruning.py prunes: here the images are those of this machine's user. And of two labs, whose status?
ELSEWHERE = {"labbuilder image prune", "labbuilder status"}


@pytest.fixture
def reader(home: Home, tmp_path: Path) -> Path:
    """Where somebody reads the page who has no lab and knows no server."""
    own = tmp_path / "home"
    own.mkdir()
    (own / "images").symlink_to(home.images.resolve())
    return tmp_path


@pytest.mark.parametrize(("page", "at_least"), [("docs/incus.md", 7), ("docs/scale.md", 3)])
def test_the_commands_of_the_page_work(
    reader: Path, incus_cluster: Cluster, lost_labs_turn: FileLock, page: str, at_least: int
) -> None:
    first = incus_cluster.member(1)
    env = os.environ | {"LABBUILDER_HOME": str(reader / "home"), "INCUS_SOCKET": str(first.socket)}
    inside = ["nsenter", "-t", str(incus_cluster.keeper), "-n", "--"]  # where the members' addresses are

    def run(words: list[str], where: list[str] = inside) -> None:
        say = [*where, sys.executable, "-m", *words]
        done = subprocess.run(say, cwd=reader, env=env, input="y\n", capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"

    def token() -> str:
        return incus_cluster.run(first, "incus", "config", "trust", "add", page.split("/")[1]).stdout.split()[-1]

    for name in "ab":
        spec = {"name": name, "provider": "incus", "servers": 1, "clients": 0}
        (reader / f"{name}.yaml").write_text(json.dumps(spec))
    run(["labbuilder", "image", "build", "a.yaml"], where=[])  # by who reaches Debian's archive: the cluster does not
    found = [command for command in commands(page) if command.startswith("labbuilder ") and command not in ELSEWHERE]
    assert len(found) >= at_least
    try:
        if not any("remote add far " in command for command in found):
            run(["labbuilder", "remote", "add", "far", "--token", token()])
        for command in found:
            # A class of two: a larger one was measured once, not in every test.
            words = [
                {"TOKEN": token, "HOST": lambda: first.address, "30": lambda: "2"}.get(word, lambda w=word: w)()
                for word in shlex.split(command)
            ]
            run(words)
    finally:
        with lost_labs_turn:
            run(["labbuilder", "down", "--all"])


def test_the_cluster_that_stays_is_made_by_make_and_removed_by_its_program(tmp_path: Path) -> None:
    text = (ROOT / "docs/incus.md").read_text(encoding="utf-8")
    up, down = re.findall(r"`(make incus-cluster|python tests/support/incus_cluster.py down)`", text)
    cache = Path(f"/var/tmp/labbuilder-{secrets.token_hex(4)}")  # UNIX sockets want a short path
    cache.mkdir()
    (cache / member_root().name).symlink_to(userland.cache() / member_root().name)
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # we are in `make test`
    env |= {"LABBUILDER_TEST_CACHE": str(cache), "LABBUILDER_HOME": str(tmp_path)}
    try:
        said = subprocess.run(shlex.split(up), cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
        assert said.splitlines()[-1] == f"labbuilder up --provider incus --remote {cache}/incus/h1/incus/unix.socket"
        look = [sys.executable, "-m", "labbuilder", "doctor", *shlex.split(said.splitlines()[-1])[2:], "--json"]
        found = json.loads(subprocess.run(look, env=env, capture_output=True, text=True, check=True).stdout)
        assert {f"member h{n}" for n in (1, 2, 3)} <= {finding["name"] for finding in found if finding["ok"]}
    finally:
        words = [sys.executable, *shlex.split(down)[1:]]
        subprocess.run(words, cwd=ROOT, env=env, check=True)
        left = (cache / "incus").exists()
        remove_tree(cache)
    assert not left
