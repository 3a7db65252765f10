"""A running lab is asked to be another: `up --reconfigure` ends proven, and its clients have what is leased now."""

from __future__ import annotations

from typing import Any

import pytest

from labbuilder.host.store import Home
from labbuilder.lab import Lab

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]

LEASE = "/var/lib/dhcp/dhclient.enp0s3.leases"
# What is asked for, one after the other, and what the client's lease must say then.
CHANGES: list[tuple[dict[str, Any], str, set[str]]] = [
    ({"dhcp": {"default_lease_s": 1200}}, "option dhcp-lease-time", {"1200"}),
    ({"networks": {"internal": {"subnet": "10.9.8.0/24"}}}, "option broadcast-address", {"10.9.8.255"}),
    ({"dns": {"domain": "other.test"}}, "option domain-name", {'"other.test"'}),
    ({"dhcp": {"pool": "10.9.8.50-10.9.8.51"}}, "fixed-address", {"10.9.8.50", "10.9.8.51"}),
    ({"servers": [{"name": "server1", "internal": "10.9.8.5"}]}, "option routers", {"10.9.8.5"}),
    ({"servers": 2}, "option domain-name-servers", {"10.9.8.1,10.9.8.2", "10.9.8.2,10.9.8.1"}),
    ({"dhcp": {"pool": "10.9.8.60-10.9.8.63"}}, "fixed-address", {f"10.9.8.{n}" for n in range(60, 64)}),
]


@pytest.mark.parametrize("engine", ["isc", "kea"])
def test_what_is_leased_otherwise_is_leased_anew(home: Home, engine: str) -> None:
    values: dict[str, Any] = {"servers": 1, "clients": 1}
    with Lab("other", home=home).set(**values, dhcp={"failover": {"engine": engine}}):
        for change, option, wanted in CHANGES:
            values |= change
            values["dhcp"] = {**values["dhcp"], "failover": {"engine": engine}}
            lab = Lab("other", home=home).set(**values).up(reconfigure=True)
            told = lab.run("client1", f"sed -n 's/^ *{option} \\(.*\\);/\\1/p' {LEASE} | tail -n 1").stdout.strip()
            assert told in wanted, change
            lab.up()
            assert lab.outcome is not None
            assert lab.outcome.unchanged
            lab.close()
