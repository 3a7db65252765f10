"""The simulated world behind the bridged LAN: a router that is also the resolvers and a witness.

It has no route back to the internal network, so only what a server has translated gets an answer.
"""

from __future__ import annotations

import os
import signal
import socketserver
import threading
import traceback
from typing import Any

from dnslib import QTYPE, RCODE, RR, A
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSRecord, DNSServer

from labbuilder.providers.nspawn import linux, wires


class Names(BaseResolver):  # type: ignore[misc]  # dnslib has no types
    """Knows one name and says NXDOMAIN to all others."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        """Answer one question (dnslib's interface)."""
        del handler
        reply = request.reply()
        if request.q.qname == self.name:
            if request.q.qtype in (QTYPE.A, QTYPE.ANY):
                reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(self.address), ttl=60))
        else:
            reply.header.rcode = RCODE.NXDOMAIN
        return reply


class _Witness(socketserver.BaseRequestHandler):
    """Answers with the source address it saw."""

    def handle(self) -> None:
        self.request.sendall(f"{self.client_address[0]}\n".encode())


class _WitnessServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def start(world: dict[str, Any]) -> int:
    """Fork the world off, plug it into the bridged LAN and return its PID once it answers.

    Args:
        world: mac, bridge, gateway (with prefix length), resolvers, witness, witness_port, witness_name.
    """
    ready, say_ready = os.pipe()
    may_go, say_go = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
            linux.unshare(linux.CLONE_NEWNET)
            os.write(say_ready, b"n")
            os.read(may_go, 1)
            _serve(world, say_ready)
        except BaseException:  # noqa: BLE001  nothing may return into the supervisor's loop
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(say_ready)
    try:
        _await(pid, world, ready, say_go)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        for end in (ready, may_go, say_go):
            os.close(end)
    return pid


def _await(pid: int, world: dict[str, Any], ready: int, say_go: int) -> None:
    if os.read(ready, 1):
        wires.plug_world(pid, world["mac"], world["bridge"])
        os.write(say_go, b"g")
    if not os.read(ready, 1):
        raise OSError("the simulated upstream did not start")


def _serve(world: dict[str, Any], say_ready: int) -> None:
    addresses = dict.fromkeys([*world["resolvers"], world["witness"]])  # one may serve as both
    wires.ip_batch(
        "link set lo up",
        "link set lan0 up",
        f"addr add {world['gateway']} dev lan0",
        *(f"addr add {address}/32 dev lo" for address in addresses),
    )
    names = Names(world["witness_name"], world["witness"])
    for address in dict.fromkeys(world["resolvers"]):
        for tcp in (False, True):
            server = DNSServer(names, address=address, port=53, tcp=tcp, logger=DNSLogger("-request,-reply"))
            server.start_thread()
    witness = _WitnessServer((world["witness"], world["witness_port"]), _Witness)
    threading.Thread(target=witness.serve_forever, daemon=True).start()
    os.write(say_ready, b"r")
    threading.Event().wait()
