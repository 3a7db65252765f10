"""Every file of every machine, as it was read and found right. LABBUILDER_UPDATE=1 writes them anew."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from types import ModuleType

import pytest

from labbuilder.lab import Lab
from labbuilder.plan import build_plan
from labbuilder.services.dhcp import isc, kea, standby

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = sorted(GOLDEN.glob("*/lab.yaml"))
MODES = sorted(GOLDEN.glob("modes/*/lab.yaml"))


def files(folder: Path) -> dict[Path, str]:
    return {p.relative_to(folder): p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.parent.name)
def test_the_files_are_the_golden_ones(case: Path, tmp_path: Path) -> None:
    expected = case.parent / "expected"
    lab = Lab.from_file(case)
    if os.environ.get("LABBUILDER_UPDATE"):
        lab.render(expected)
    lab.render(tmp_path)
    assert files(tmp_path) == files(expected)


@pytest.mark.parametrize("case", MODES, ids=lambda path: path.parent.name)
def test_another_mode_or_engine_changes_what_is_golden_and_nothing_else(case: Path, tmp_path: Path) -> None:
    """Kept is what differs from the guide's lab: no mode touches the other services."""
    expected, guide = case.parent / "expected", files(GOLDEN / "guide/expected")
    Lab.from_file(case).render(tmp_path)
    changed = {path: text for path, text in files(tmp_path).items() if guide.get(path) != text}
    if os.environ.get("LABBUILDER_UPDATE"):
        for path, text in changed.items():
            (expected / path).parent.mkdir(parents=True, exist_ok=True)
            (expected / path).write_text(text)
    assert changed == files(expected)
    assert {path.parts[2] for path in changed} <= {"dhcp", "kea", "systemd"}


@pytest.mark.parametrize("case", [*CASES, *MODES], ids=lambda path: path.parent.name)
def test_the_same_spec_gives_the_same_plan(case: Path) -> None:
    first, second = (build_plan(Lab.from_file(case).spec) for _ in range(2))
    assert first == second
    assert first.digest == second.digest
    macs = [nic.mac for machine in first.machines for nic in machine.nics]
    assert len(set(macs)) == len(macs)


@pytest.mark.parametrize(("suite", "folder"), [("bookworm", "/usr/$LIB/kea/hooks/"), ("trixie", "")])
def test_no_file_names_a_processor(suite: str, folder: str) -> None:
    """Machines are amd64 or arm64, as the host is; each Kea finds its hooks on both."""
    lab = Lab().add_server().add_server().set(suite=suite).failover(engine="kea")
    texts = [file.text for machine in lab.plan().machines for file in machine.files]
    assert not [text for text in texts if "x86_64" in text or "aarch64" in text]
    assert sum(f'"library": "{folder}libdhcp_ha.so"' in text for text in texts) == 2


@pytest.mark.parametrize(
    ("engine", "module", "name", "value"),
    [
        ("isc", isc, "FAILOVER_PORT", 647),
        ("isc", standby, "COPY_PORT", 6470),
        ("isc", isc, "LEASES", PurePosixPath("/var/lib/dhcp/dhcpd.leases")),
        ("kea", kea, "HA_PORT", 8000),
    ],
)
def test_what_several_files_say_is_known_in_one_place(
    monkeypatch: pytest.MonkeyPatch, engine: str, module: ModuleType, name: str, value: object
) -> None:
    """Another value there, and it is another one in every file and command."""
    assert getattr(module, name) == value
    monkeypatch.setattr(module, name, PurePosixPath("/else/where") if name == "LEASES" else 1111)
    for mode in ("load-balancing", "manual"):
        lab = Lab().add_server().add_server().add_client().failover(engine=engine, mode=mode)
        said = repr([machine.steps for machine in lab.plan().machines])
        assert not re.search(rf"\b{value}\b", said)
