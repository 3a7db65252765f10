"""A service from another package, installed beside labbuilder: all commands know it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pages import commands

from labbuilder.host.store import Home

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

EXAMPLE = Path(__file__).parents[2] / "examples/web-service"
Said = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def labbuilder(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Said]:
    """The command, where the example is installed; its lab is taken down at the end."""
    beside = tmp_path_factory.mktemp("beside")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", str(beside)]
    subprocess.run([*pip, str(EXAMPLE)], check=True, capture_output=True)
    env = os.environ | {"LABBUILDER_HOME": str(home.path), "PYTHONPATH": str(beside)}

    def said(*words: str, code: int = 0, beside: bool = True) -> subprocess.CompletedProcess[str]:
        environment = env if beside else {key: value for key, value in env.items() if key != "PYTHONPATH"}
        command = [sys.executable, "-m", "labbuilder", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=EXAMPLE)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    yield said
    said("down", "--lab", "web")


def test_it_is_short() -> None:
    assert len((EXAMPLE / "labbuilder_web.py").read_text().splitlines()) <= 60


def test_the_schema_and_render_know_it(labbuilder: Said, tmp_path: Path) -> None:
    services = json.loads(labbuilder("schema").stdout)["properties"]["services"]
    assert services["properties"]["web"]["properties"]["page"]["default"] == "It works."
    assert services["properties"]["web"]["properties"]["machines"]["description"] == "The machines that serve."
    labbuilder("render", str(tmp_path / "out"), "lab.yaml")
    assert (tmp_path / "out/server1/var/www/html/index.html").read_text() == "The page of the lab.\n"
    assert not (tmp_path / "out/server2/var/www").exists()


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("{machines: [server1, nobody]}", "2: services.web.machines[1]: nobody is no machine of the lab"),
        ("{pge: x}", "2: services.web.pge: unknown key; did you mean page?"),
        ("{page: [x]}", "2: services.web.page: ['x']: input should be a valid string"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(labbuilder: Said, tmp_path: Path, section: str, told: str) -> None:
    (tmp_path / "lab.yaml").write_text(f"services:\n  web: {section}\n")
    assert told in labbuilder("plan", str(tmp_path / "lab.yaml"), code=2).stderr


def test_where_it_is_not_installed_the_spec_is_refused(labbuilder: Said) -> None:
    assert "lab.yaml:3: services.web: no installed package brings" in labbuilder("plan", code=2, beside=False).stderr


def test_the_pages_commands_work(labbuilder: Said) -> None:
    """All but its last: the lab is needed once more."""
    said = [shlex.split(one)[1:] for one in commands("docs/services.md") if one.startswith("labbuilder ")]
    *tried, down = said[:5]
    assert [words[0] for words in tried] == ["plan", "up", "verify", "drill"]
    assert down == ["down"]
    for words in tried:
        labbuilder(*words)


def test_it_is_proven_broken_and_mended(labbuilder: Said) -> None:
    outcomes = json.loads(labbuilder("verify", "--lab", "web", "--json").stdout)["outcomes"]
    seen = {(o["machine"], o["check"]): o["verdict"] for o in outcomes if o["check"] in ("nginx.active", "web.page")}
    assert seen == {("server1", "nginx.active"): "pass", ("server1", "web.page"): "pass"}
    labbuilder("exec", "server1", "--lab", "web", "--", "echo broken >/var/www/html/index.html")
    failed = json.loads(labbuilder("verify", "--lab", "web", "--json", code=1).stdout)["outcomes"]
    assert [o["check"] for o in failed if o["verdict"] != "pass"] == ["files", "web.page"]
    assert "+The page of the lab." in labbuilder("plan").stdout
    labbuilder("up")
    labbuilder("verify", "--lab", "web")
