"""Before anything is broken, the pool is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labbuilder.drill import drill
from labbuilder.errors import SpecError
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.lifecycle.identity import Identity
from labbuilder.lifecycle.session import Session


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    """A lab that is asked for and of which nothing was made yet."""
    lab = Lab("pool").add_server().add_server().add_client().set(provider="nspawn", **request.param)
    home = Home(tmp_path)
    with Session(home, home.lab("pool"), Identity("nspawn", "0" * 8), lab.spec) as session:
        yield session


SMALL = {"dhcp": {"pool": "192.168.1.100-192.168.1.102"}}
LARGE = {"networks": {"internal": {"subnet": "10.7.0.0/16"}}, "dhcp": {"pool": "10.7.1.0-10.7.4.255"}}


@pytest.mark.parametrize(
    ("opened", "name", "told"),
    [(SMALL, "crash-primary", "has 3 addresses, too few"), (LARGE, "pool-exhausted", "too large for a crowd")],
    indirect=["opened"],
)
def test_a_pool_that_tells_nothing_or_asks_for_too_much_is_refused(opened: Session, name: str, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        drill(opened, name)
