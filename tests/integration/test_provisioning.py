"""How a machine is brought to its plan, where that goes wrong."""

from __future__ import annotations

import time

import pytest

from labbuilder.errors import WaitError
from labbuilder.lab import Lab
from labbuilder.plan.model import MachinePlan, Service
from labbuilder.provisioning import configure

pytestmark = pytest.mark.needs_root


def bring(lab: Lab, service: Service) -> None:
    configure((MachinePlan("server1", "server", (), (service,)),), lab.session().shell)


def test_what_never_holds_is_given_up_by_the_clock_however_long_a_look_takes(lab: Lab) -> None:
    """Fifty looks were taken for a second; these would take eleven."""
    start = time.monotonic()
    with pytest.raises(WaitError, match="not in effect within 1 s: a look takes long") as caught:
        bring(lab, Service("never", "a look takes long", holds="sleep 0.2; false", apply="true", settle_s=1))
    assert 1 <= time.monotonic() - start < 5
    assert (caught.value.details or "").startswith("Asked: sleep 0.2; false")
