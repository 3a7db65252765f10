"""Which Vagrant goes with which VirtualBox."""

from __future__ import annotations

import pytest

from labbuilder.providers.vagrant.host import misfit


@pytest.mark.parametrize(
    ("vagrant_version", "virtualbox", "advice"),
    [
        ("2.3.4", "7.0.20", None),
        ("2.3.4", "7.2.22", "install Vagrant 2.4.9 or later, or VirtualBox 7.0, which this one knows"),
        ("2.4.2", "7.1.4", None),
        ("2.4.2", "7.2.0", "install Vagrant 2.4.9 or later, or VirtualBox 7.1"),
        ("2.4.9", "7.2.0", None),
        ("2.2.0", "7.0.0", "install Vagrant 2.3.2 or later; or use"),
        ("2.4.9", "8.0.0", "install VirtualBox 7.0 to 7.2"),
    ],
)
def test_which_vagrant_goes_with_which_virtualbox(vagrant_version: str, virtualbox: str, advice: str | None) -> None:
    found = misfit(vagrant_version, virtualbox)
    assert found is None if advice is None else advice in (found or "")
