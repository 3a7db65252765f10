"""Shell that asks a machine what several services want to know."""

from __future__ import annotations

from labbuilder.model.lab import Nic

DEFAULT_ROUTE = "ip route show default | awk '{print $3, $5}'"
NAMESERVERS = "awk '/^nameserver/ {print $2}' /etc/resolv.conf"
DIG = "dig +short +time=3 +tries=2"  # a lost datagram is not a broken lab


def addresses(nic: Nic, which: str = "") -> str:
    """Return shell that prints the addresses of a NIC that is up, with their prefixes; ``which``: "dynamic"."""
    return f"ip -4 -o address show dev {nic.name} up {which}".rstrip() + " | awk '{print $4}'"
