"""A capture of the client's wire into DHCP messages; dpkt reads it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address

import dpkt
from dpkt.dhcp import DHCP

from labbuilder.drill.model import Message

_TYPES = ("", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM")  # RFC 2132, 9.6
_MESSAGE_TYPE, _REQUESTED, _SERVER_ID, _LEASE_TIME = 53, 50, 54, 51
_EVERYWHERE = IPv4Address("255.255.255.255")


def read_capture(data: bytes, servers: Mapping[IPv4Address, str], *, zero_s: float) -> Iterator[Message]:
    """The DHCP messages of a pcap file, in order.

    Args:
        data: The file. One that was cut off in the middle of a packet is read up to there.
        servers: Names of the servers by their internal address.
        zero_s: The moment, in the capture's own clock, from which times are counted.
    """
    reader = dpkt.pcap.Reader(io.BytesIO(data))
    try:
        for at, frame in reader:
            message = _message(frame, servers, at - zero_s)
            if message is not None:
                yield message
    except dpkt.NeedData:
        return


def _message(frame: bytes, servers: Mapping[IPv4Address, str], at_s: float) -> Message | None:
    try:
        ip = dpkt.ethernet.Ethernet(frame).data
        dhcp = DHCP(ip.data.data)
    except (dpkt.UnpackError, AttributeError, IndexError):
        return None  # no DHCP, whatever its port says
    options = dict(dhcp.opts)
    kind = options.get(_MESSAGE_TYPE, b"\0")[0]
    if not 0 < kind < len(_TYPES):
        return None
    to = IPv4Address(ip.dst)
    named = options.get(_SERVER_ID)
    peer = IPv4Address(named) if named else to
    addresses = (dhcp.yiaddr, dhcp.ciaddr, int.from_bytes(options.get(_REQUESTED, b"\0"), "big"))
    address = next((IPv4Address(a) for a in addresses if a), None)
    return Message(
        at_s=at_s,
        type=_TYPES[kind],
        client=":".join(f"{byte:02x}" for byte in dhcp.chaddr[:6]),
        xid=dhcp.xid,
        secs=dhcp.secs,
        server=servers.get(peer),
        address=str(address) if address else None,
        renewing=_TYPES[kind] == "REQUEST" and bool(dhcp.ciaddr),
        broadcast=to == _EVERYWHERE,
        lease_s=int.from_bytes(options[_LEASE_TIME], "big") if _LEASE_TIME in options else None,
    )
