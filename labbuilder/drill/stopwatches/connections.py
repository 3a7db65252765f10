"""A capture of a client's TCP connections into exchanges; dpkt reads it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

import dpkt

from labbuilder.drill.model import Exchange
from labbuilder.model.lab import Witness
from labbuilder.services.judges import is_address


@dataclass(frozen=True)
class _Segment:
    """One TCP segment between the client and the witness."""

    at_s: float
    client: str
    port: int
    opens: bool
    said: str


def read_connections(
    data: bytes, witness: Witness, sources: Mapping[IPv4Address, str], *, zero_s: float, kind: str
) -> tuple[Exchange, ...]:
    """Each connection as a wish of its own, answered when the witness has said what source address it saw.

    Args:
        data: A pcap file. One that was cut off in the middle of a packet is read up to there.
        witness: Whom the client calls.
        sources: The servers' names, by the source address that their NAT gives.
        zero_s: The moment, in the capture's own clock, from which times are counted.
        kind: What the exchanges are called.
    """
    found: dict[int, Exchange] = {}
    done: list[Exchange] = []
    for segment in _segments(data, witness, zero_s):
        here = found.get(segment.port)
        if segment.opens:
            if here is None or here.answered_at_s is not None:  # else it is said once more
                done += [here] if here else []
                found[segment.port] = Exchange(kind, segment.client, segment.at_s)
        elif here is not None and here.answered_at_s is None and segment.said:
            server = sources.get(IPv4Address(segment.said)) if is_address(segment.said) else None
            found[segment.port] = replace(here, answered_at_s=segment.at_s, server=server, address=segment.said)
    return tuple(sorted([*done, *found.values()], key=lambda exchange: exchange.asked_at_s))


def _segments(data: bytes, witness: Witness, zero_s: float) -> list[_Segment]:
    found: list[_Segment] = []
    try:
        for at, frame in dpkt.pcap.Reader(io.BytesIO(data)):
            segment = _segment(frame, witness, at - zero_s)
            found += [segment] if segment else []
    except dpkt.NeedData:
        pass
    return found


def _segment(frame: bytes, witness: Witness, at_s: float) -> _Segment | None:
    try:
        ip = dpkt.ethernet.Ethernet(frame).data
        tcp, ends = ip.data, (IPv4Address(ip.src), IPv4Address(ip.dst))
        flags, ports, said = tcp.flags, (tcp.sport, tcp.dport), bytes(tcp.data)
    except (dpkt.UnpackError, AttributeError, ValueError):
        return None
    if (ends[1], ports[1]) == (witness.address, witness.port):
        return _Segment(at_s, str(ends[0]), ports[0], bool(flags & dpkt.tcp.TH_SYN), "")
    if (ends[0], ports[0]) == (witness.address, witness.port):
        return _Segment(at_s, str(ends[1]), ports[1], False, said.decode("ascii", "replace").strip())
    return None
