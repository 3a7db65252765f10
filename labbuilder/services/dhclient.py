"""Shell that looks at a client's dhclient, and makes room for a new one; it starts hardly a process."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address

from labbuilder.model.lab import Nic
from labbuilder.services.probes import DEFAULT_ROUTE

FOLDER = "/var/lib/dhcp"
_EACH = (
    'for it in /proc/[0-9]*/stat; do read -r pid name state _ <$it || continue; [ "$name" = "(dhclient)" ] || continue;'
)

CLEARED = (
    f"{_EACH} kill -s KILL $pid; done; "
    # Read-only, by a mount of its own or by its mode.
    f"[ -w {FOLDER} ] || umount -l {FOLDER} || true; [ ! -d {FOLDER} ] || chmod 755 {FOLDER}; "
    "[ -L /etc/resolv.conf ] || [ ! -d /etc/resolv.conf ] || "
    "mv -T --backup=numbered /etc/resolv.conf /etc/resolv.conf.before-labbuilder"
)
"""Shell that ends every dhclient, also one that is stopped, and what would keep a new one from noting its lease."""


def served(nic: Nic, routers: Collection[IPv4Address], resolvers: Collection[IPv4Address]) -> str:
    """Shell that ends with 0 when the NIC has what a lease brings, and one dhclient would renew it.

    Args:
        nic: The NIC.
        routers: One of these is its gateway.
        resolvers: All of these and no others are asked for names.
    """
    routes = "|".join(f'"{router} {nic.name}"' for router in dict.fromkeys(routers))
    named = "|".join(f'"nameserver {resolver}"' for resolver in resolvers)
    return (
        f'case "$(ip -4 -o address show dev {nic.name} up)" in *"\n"*) false;; *" dynamic "*) ;; *) false;; esac && '
        f'case "$({DEFAULT_ROUTE})" in {routes}) ;; *) false;; esac && '
        f'{{ names=0; while read -r key value _; do case "$key $value" in {named}) names=$((names + 1));; '
        "nameserver*) names=99;; esac; done </etc/resolv.conf; "
        f"[ $names = {len(resolvers)} ]; }} && "
        f"{{ states=; {_EACH} states=$states$state; done; case $states in [RSD]) ;; *) false;; esac; }} && "
        f"[ -s {FOLDER}/dhclient.{nic.name}.leases ] && [ -w {FOLDER} ]"
    )
