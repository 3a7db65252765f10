"""The lab's wires: two bridges in the lab's network namespace, and a veth for each NIC."""

from __future__ import annotations

from labbuilder.run import run

BRIDGES = {"internal": "br-int", "bridged": "br-lan"}


def ip_batch(*lines: str) -> None:
    """Run several ``ip`` commands in one process, in the network namespace of the caller."""
    run("ip", "-batch", "-", stdin="".join(f"{line}\n" for line in lines))


def _remove(*ends: str) -> None:
    """Take wires away, where they are there."""
    run("ip", "-force", "-batch", "-", stdin="".join(f"link del {end}\n" for end in ends), ok=(0, 1))


def make_bridges() -> None:
    """Bring up both bridges; no forwarding delay, since nothing can loop."""
    ip_batch("link set lo up", *(f"link add {b} up type bridge forward_delay 0" for b in BRIDGES.values()))


def host_end(index: int, network: str) -> str:
    """The name of the bridge's end of a machine's wire."""
    return f"m{index}.{BRIDGES[network]}"


def plug(index: int, nics: list[dict[str, str]], pid: int, cut: set[str]) -> None:
    """Make a machine's NICs, born with their names and MACs in the network namespace of ``pid``.

    The kernel takes the namespace of the boot before apart when it likes, up to seconds later: its wires go here.
    """
    _remove(*(host_end(index, nic["network"]) for nic in nics))
    lines = []
    for nic in nics:
        state = "" if nic["network"] in cut else "up"
        end = host_end(index, nic["network"])
        peer = f"peer name {nic['name']} address {nic['mac']} netns {pid}"
        lines.append(f"link add {end} {state} master {BRIDGES[nic['network']]} type veth {peer}")
    ip_batch(*lines)


def set_link(index: int, network: str, *, up: bool) -> None:
    """Plug or unplug one cable: the machine sees its carrier go."""
    ip_batch(f"link set {host_end(index, network)} {'up' if up else 'down'}")


def pull(index: int, nics: list[dict[str, str]]) -> None:
    """Unplug every cable of a machine; its next boot has new ones."""
    ip_batch(*(f"link set {host_end(index, nic['network'])} down" for nic in nics))
