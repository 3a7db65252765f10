"""Two labs on one real LAN can't have one address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labbuilder.errors import SpecError
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.lifecycle.compare import refuse_taken_addresses

VIRTUALBOX = {"provider": "virtualbox"}
NAT = {"provider": "virtualbox", "virtualbox": {"bridged": "nat"}}
BRIDGE = {"provider": "incus", "incus": {"remote": "far", "bridged": "br0"}}
OTHER_BRIDGE = {"provider": "incus", "incus": {"remote": "near", "bridged": "br0"}}


def there(home: Home, lab: Lab) -> None:
    home.lab(lab.name).path.mkdir(parents=True)
    home.lab(lab.name).journal.touch()
    home.lab(lab.name).spec.write_text(lab.to_yaml())


@pytest.mark.parametrize(
    ("one", "two"), [(VIRTUALBOX, VIRTUALBOX), ({"provider": "vagrant"}, VIRTUALBOX), (BRIDGE, BRIDGE)]
)
def test_an_address_on_a_real_lan_is_one_labs_alone(tmp_path: Path, one: dict[str, Any], two: dict[str, Any]) -> None:
    home = Home(tmp_path)
    there(home, Lab("one").add_server().add_client().set(**one))
    asked = Lab("two").add_server().add_client().set(**two)
    with pytest.raises(SpecError, match=r"172\.26\.0\.11 is taken by the lab one"):
        refuse_taken_addresses(asked.spec, home)
    refuse_taken_addresses(Lab("two").add_server(bridged="172.26.0.99").set(**two).spec, home)
    refuse_taken_addresses(asked.set(name="one").spec, home)  # itself


@pytest.mark.parametrize(
    ("one", "two"), [(NAT, VIRTUALBOX), (VIRTUALBOX, NAT), (BRIDGE, OTHER_BRIDGE), ({"provider": "nspawn"}, VIRTUALBOX)]
)
def test_on_lans_of_their_own_labs_have_the_same(tmp_path: Path, one: dict[str, Any], two: dict[str, Any]) -> None:
    there(Home(tmp_path), Lab("one").add_server().add_client().set(**one))
    refuse_taken_addresses(Lab("two").add_server().add_client().set(**two).spec, Home(tmp_path))
