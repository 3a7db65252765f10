"""The simulated world behind the bridged LAN: one container a lab, a router that is also the resolvers and a witness.

It has no route back to the internal network, so only what a server has translated gets an answer.
"""

from __future__ import annotations

from labbuilder.errors import MachineError
from labbuilder.host.render import render
from labbuilder.model.lab import Upstream, stable_mac
from labbuilder.providers.incus.client import Api

NIC = "enp0s8"
_BOOT_S = 60.0


def world_mac(mark: str) -> str:
    """The router's address on the LAN."""
    return stable_mac(f"{mark}/world")


def settle_script(world: Upstream) -> str:
    """Shell that makes a fresh machine the world, now and after every boot of it."""
    assert world.witness is not None  # noqa: S101  the plan of a simulated world has one
    return render(
        "world.sh",
        nic=NIC,
        gateway=f"{world.gateway}/{world.network.prefixlen}",
        addresses=list(dict.fromkeys([*world.resolvers, world.witness.address])),  # one may serve as both
        witness=world.witness,
        name=world.name,
    )


def settle(api: Api, instance: str, script: str) -> None:
    """Tell the container what it is; return when it answers.

    Raises:
        MachineError: It did not become it.
    """
    waiting = "until systemctl is-active -q sockets.target; do sleep 0.05; done"
    body = {
        "command": ["timeout", str(_BOOT_S), "sh", "-ec", f"{waiting}\n{script}"],
        "record-output": True,
        "wait-for-websocket": False,
    }
    done = api.change("POST", f"/1.0/instances/{instance}/exec", body)
    if done.get("return") != 0:
        said = api.download(done["output"]["2"]) if done.get("output") else b""
        raise MachineError(
            brief="the simulated world did not start",
            details=said.decode(errors="replace").strip() or f"Exit status: {done.get('return')}",
            resolution=f"incus exec {instance} -- journalctl -b",
        )
