"""Whether the host's Vagrant and VirtualBox go together, looked at before anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.providers.vagrant import host
from labbuilder.providers.vagrant.provider import VagrantProvider

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]


def test_a_lab_of_which_there_is_nothing_yet_can_be_looked_at(
    vagrant: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` looks before it makes the lab's folder."""
    monkeypatch.setattr("labbuilder.providers.virtualbox.host.DRIVER", Path("/dev/null"))
    home = Home(tmp_path)
    lab = home.lab("fresh")
    plan = Lab("fresh", home=home).add_server().set(provider="vagrant", virtualbox=vagrant).plan()
    VagrantProvider(home, lab, "5eed1e55").preflight(plan)
    assert not lab.path.exists()


def test_what_fits_is_said_to_fit(vagrant: dict[str, Any], tmp_path: Path) -> None:
    del vagrant
    told = {finding.name: finding for finding in host.findings(Home(tmp_path))}
    assert told["versions"].ok
    assert told["versions"].seen == "Vagrant 2.3.4 knows VirtualBox 7.0.20"
    assert not told["kernel module"].ok  # VirtualBox's own findings are there too
