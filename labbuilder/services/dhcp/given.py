"""What a client was given: its addresses as the kernel has them, and who gave each, by dhclient's own notes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from labbuilder.host.run import Result
from labbuilder.model.lab import MachinePlan

_LEASE = re.compile(r"^lease \{(.*?)^\}", re.MULTILINE | re.DOTALL)
_SERVER = re.compile(r"option dhcp-server-identifier ([0-9.]+);")
_FIXED = re.compile(r"fixed-address ([0-9.]+);")


@dataclass(frozen=True)
class Given:
    """One address of a client.

    Attributes:
        address: With its prefix.
        server: The machine of the lab that gave it; else the address of who did; empty where nobody noted it.
        left_s: Seconds until the lease ends; None: the address has no end, so it is no lease.
    """

    address: str
    server: str
    left_s: int | None


def asks(me: MachinePlan) -> str:
    """Return shell that prints the addresses of a client's NIC, then what dhclient noted, the newest file last."""
    (nic,) = me.nics
    return f"ip -j -4 address show dev {nic.name}; ls -tr /var/lib/dhcp/*.leases 2>/dev/null | xargs -r cat"


def read(result: Result, servers: Mapping[str, IPv4Address]) -> tuple[Given, ...]:
    """Read what `asks` printed; nothing where the NIC is not there.

    Args:
        result: What was printed.
        servers: The lab's, by their names.
    """
    shown, _, noted = result.stdout.partition("\n")
    names = {str(address): name for name, address in servers.items()}
    gave = {}
    for block in _LEASE.findall(noted):
        fixed, server = _FIXED.search(block), _SERVER.search(block)
        if fixed and server:
            gave[fixed[1]] = names.get(server[1], server[1])
    nics = json.loads(shown) if shown.startswith("[") else []
    return tuple(
        Given(
            f"{entry['local']}/{entry['prefixlen']}",
            gave.get(entry["local"], "") if entry.get("dynamic") else "",
            entry["valid_life_time"] if entry.get("dynamic") else None,
        )
        for nic in nics
        for entry in nic.get("addr_info", ())
    )
