"""The lab's wires: a bridge for each network in the lab's network namespace, and a veth for each NIC.

A NIC is told as its name, network, mac and bridge.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping

from labbuilder.host.run import run

_DAY = 8_640_000  # in hundredths of a second


def ip_batch(*lines: str) -> None:
    """Run several ``ip`` commands in one process, in the network namespace of the caller."""
    run("ip", "-batch", "-", stdin="".join(f"{line}\n" for line in lines))


def bridge_name(number: int) -> str:
    """Return the name of the bridge that is the network of that number."""
    return f"br{number}"


def make_bridges(names: Iterable[str]) -> None:
    """Bring up the bridges that are missing.

    No forwarding delay, since nothing can loop; what they learned is kept for a day.
    """
    there = {name for _, name in socket.if_nameindex()}
    missing = (bridge for bridge in names if bridge not in there)
    made = (f"link add {bridge} up type bridge forward_delay 0 ageing_time {_DAY}" for bridge in missing)
    ip_batch("link set lo up", *made)


def plug_world(pid: int, mac: str, bridge: str) -> None:
    """Connect the world in the network namespace of ``pid``, in place of one that has died."""
    end = f"up.{bridge}"
    _delete(end)
    ip_batch(f"link add {end} up master {bridge} type veth peer name lan0 address {mac} netns {pid}")


def host_end(index: int, nic: Mapping[str, str]) -> str:
    """Return the name of the bridge's end of a machine's wire."""
    return f"m{index}.{nic['bridge']}"


def plug(index: int, nics: list[dict[str, str]], pid: int, cut: set[str]) -> None:
    """Make a machine's NICs, born with their names and MACs in the network namespace of ``pid``.

    A NIC gets no unicast frame that is not for it: a veth would hand on what the bridge floods, and dhcpd would answer
    what was asked of a dead partner.
    """
    lines = []
    for nic in nics:
        state = "" if nic["network"] in cut else "up"
        end = host_end(index, nic)
        peer = f"peer name {nic['name']} address {nic['mac']} netns {pid}"
        lines.append(f"link add {end} {state} master {nic['bridge']} type veth {peer}")
        lines.append(f"link set {end} type bridge_slave flood off")
    ip_batch(*lines)


def set_link(index: int, nic: Mapping[str, str], *, up: bool) -> None:
    """Plug or unplug one cable: the machine sees its carrier go."""
    ip_batch(f"link set {host_end(index, nic)} {'up' if up else 'down'}")


def pull(index: int, nics: list[dict[str, str]]) -> None:
    """Take a machine's wires away, both ends, where they are there; its next boot has new ones.

    Down is not enough: connections that nobody closes keep the dead machine's network namespace for minutes.
    """
    _delete(*(host_end(index, nic) for nic in nics))


def _delete(*links: str) -> None:
    """Those that are there: a namespace that the kernel just takes apart takes its wires with it."""
    run("ip", "-force", "-batch", "-", stdin="".join(f"link del {link}\n" for link in links), ok=(0, 1))
