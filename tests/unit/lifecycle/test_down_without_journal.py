"""A lab whose journal is lost, on providers that this host does not show labs of: it is not lost with its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labbuilder.errors import ResidueError
from labbuilder.host.store import Home, LabDir
from labbuilder.lab import Lab
from labbuilder.lifecycle import down
from labbuilder.lifecycle.down import take_down


def without_journal(tmp_path: Path, provider: str) -> tuple[Home, LabDir]:
    home = Home(tmp_path)
    lab = home.lab("lost")
    lab.make()
    lab.spec.write_text(Lab("lost").add_server().set(provider=provider).to_yaml(), encoding="utf-8")
    (lab.path / "machines/server1").mkdir(parents=True)
    return home, lab


def test_of_a_server_elsewhere_nothing_is_forgotten(tmp_path: Path) -> None:
    home, lab = without_journal(tmp_path, "incus")
    with pytest.raises(ResidueError, match="nothing tells by what the lab lost is known on Incus") as told:
        take_down(home, "lost")
    assert str(lab.journal) in str(told.value)
    assert lab.spec.exists()


def test_a_hypervisor_of_this_host_is_asked_by_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, lab = without_journal(tmp_path, "virtualbox")
    asked = []

    class Hypervisor:
        def destroy_all(self) -> None:
            assert lab.spec.exists()
            asked.append("destroyed")

        def residue(self) -> list[str]:
            return []

    def opened(kind: str, *_: Any) -> Hypervisor:
        asked.append(kind)
        return Hypervisor()

    monkeypatch.setattr(down, "open_provider", opened)
    assert take_down(home, "lost")
    assert asked == ["virtualbox", "destroyed"]
    assert not lab.path.exists()
