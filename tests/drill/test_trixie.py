"""The guide's lab on Debian 13, whose Kea is another; what else differs there is asked of captured answers."""

from __future__ import annotations

import pytest

from labbuilder.host.store import Home
from labbuilder.lab import Lab

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.measures]


def test_kea_in_hot_standby_is_proven_on_debian_13_and_drilled(home: Home) -> None:
    lab = Lab("trixie", home=home).add_server().add_server().add_client().set(suite="trixie")
    with lab.failover(engine="kea", mode="hot-standby"):  # and proven: a check that fails is an error here
        assert lab.run("server1", ". /etc/os-release; echo $VERSION_CODENAME").stdout == "trixie\n"
        assert ",client1," in lab.run("server2", "cat /var/lib/kea/kea-leases4.csv").stdout
        drilled = lab.drill("crash-primary")
        assert drilled.passed, (drilled.duplicates, drilled.lost, drilled.verification.failures)
        beats = lab.run("server1", "journalctl -q -u kea-dhcp4-server | grep -c ha-heartbeat").stdout
        assert beats == "0\n", "the pair's own talk drowns what Kea says"
