"""A client's connections, as they stand on the wire."""

from __future__ import annotations

import io
from ipaddress import IPv4Address

import dpkt
from dpkt.tcp import TH_ACK, TH_PUSH, TH_SYN

from labbuilder.drill.model import Outage, Reading
from labbuilder.drill.stopwatches.connections import read_connections
from labbuilder.drill.stopwatches.outage import outage
from labbuilder.model.lab import Witness

WITNESS = Witness(IPv4Address("203.0.113.10"), 80)
SOURCES = {IPv4Address("172.26.0.11"): "server1", IPv4Address("172.26.0.12"): "server2"}
CLIENT = "192.168.1.100"


def frame(port: int, flags: int, said: str = "", *, back: bool = False) -> bytes:
    ends, ports = (CLIENT, str(WITNESS.address)), (port, WITNESS.port)
    (source, to), (sport, dport) = (ends[::-1], ports[::-1]) if back else (ends, ports)
    tcp = dpkt.tcp.TCP(sport=sport, dport=dport, flags=flags, data=said.encode())
    ip = dpkt.ip.IP(src=IPv4Address(source).packed, dst=IPv4Address(to).packed, p=6, data=tcp)
    ip.len = len(ip)
    return bytes(dpkt.ethernet.Ethernet(data=ip))


def capture(*frames: tuple[float, bytes], cut: int = 0) -> bytes:
    file = io.BytesIO()
    writer = dpkt.pcap.Writer(file)
    for at, each in frames:
        writer.writepkt(each, ts=100.0 + at)
    return file.getvalue()[: -cut or None]


def read(*frames: tuple[float, bytes], cut: int = 0) -> list[tuple[float, float | None, str | None]]:
    found = read_connections(capture(*frames, cut=cut), WITNESS, SOURCES, zero_s=100.0, kind="connect")
    return [(round(e.asked_at_s, 3), e.answered_at_s and round(e.answered_at_s, 3), e.server) for e in found]


def answer(port: int, address: str) -> bytes:
    return frame(port, TH_PUSH | TH_ACK, f"{address}\n", back=True)


def test_each_connection_is_answered_by_the_server_whose_address_the_world_saw() -> None:
    assert read(
        (-0.2, frame(4001, TH_SYN)),
        (-0.19, frame(4001, TH_SYN | TH_ACK, back=True)),
        (-0.18, answer(4001, "172.26.0.11")),
        (0.1, frame(4002, TH_SYN)),
        (0.5, frame(4003, TH_SYN)),
        (0.51, answer(4003, "172.26.0.12")),
    ) == [(-0.2, -0.18, "server1"), (0.1, None, None), (0.5, 0.51, "server2")]


def test_a_segment_that_is_said_again_begins_no_other_wish_and_a_port_may_come_again() -> None:
    assert read(
        (0.0, frame(4001, TH_SYN)),
        (0.4, frame(4001, TH_SYN)),
        (0.5, answer(4001, "172.26.0.12")),
        (9.0, frame(4001, TH_SYN)),
    ) == [(0.0, 0.5, "server2"), (9.0, None, None)]


def test_a_stranger_and_rubbish_have_no_name_and_a_capture_that_was_cut_off_is_read_up_to_there() -> None:
    frames = (
        (0.0, frame(4001, TH_SYN)),
        (0.1, answer(4001, "172.26.9.9")),
        (0.2, frame(4002, TH_SYN)),
        (0.3, answer(4002, "what?")),
        (0.4, b"\x00" * 20),
        (0.5, frame(4003, TH_SYN)),
    )
    assert read(*frames, cut=5) == [(0.0, 0.1, None), (0.2, 0.3, None)]


def test_what_is_only_shown_fails_no_drill() -> None:
    frames = ((-0.5, frame(1, TH_SYN)), (-0.4, answer(1, "172.26.0.11")), (0.5, frame(2, TH_SYN)))
    found = read_connections(capture(*frames), WITNESS, SOURCES, zero_s=100.0, kind="connect")
    felt = outage("connect", found, until_s=5.0)
    assert felt == Outage("connect", 1, 0, None, None, 0.0)
    assert Reading("world", (felt,), found, judged=False).passed
    assert not Reading("world", (felt,), found).passed
