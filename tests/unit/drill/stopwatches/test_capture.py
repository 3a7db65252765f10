"""A capture read by dpkt: frames as they stand on the wire, and what is no DHCP."""

from __future__ import annotations

import io
from ipaddress import IPv4Address

import dpkt
from dpkt.dhcp import DHCP

from labbuilder.drill.stopwatches.capture import read_capture

SERVERS = {IPv4Address("192.168.1.1"): "server1"}
MAC = bytes.fromhex("060000000001")


def frame(
    kind: int, *, source: str, to: str, ciaddr: str = "0.0.0.0", options: tuple[tuple[int, bytes], ...] = ()
) -> bytes:
    dhcp = DHCP(
        op=2 if kind in (2, 5, 6) else 1, hrd=1, hln=6, xid=7, secs=3, chaddr=MAC, ciaddr=int(IPv4Address(ciaddr)),
        opts=((53, bytes([kind])), *options),
    )  # fmt: skip
    udp = dpkt.udp.UDP(sport=67, dport=68, data=bytes(dhcp))
    udp.ulen = len(udp)
    ip = dpkt.ip.IP(src=IPv4Address(source).packed, dst=IPv4Address(to).packed, p=17, data=udp)
    ip.len = len(ip)
    return bytes(dpkt.ethernet.Ethernet(src=MAC, dst=b"\xff" * 6, data=ip))


def capture(*frames: bytes, cut: int = 0) -> bytes:
    file = io.BytesIO()
    writer = dpkt.pcap.Writer(file)
    for number, each in enumerate(frames):
        writer.writepkt(each, ts=100.0 + number)
    return file.getvalue()[: -cut or None]


def test_messages_have_their_times_from_the_fault_and_the_names_of_the_servers() -> None:
    given = ((54, IPv4Address("192.168.1.1").packed), (51, (60).to_bytes(4, "big")))
    data = capture(
        frame(1, source="0.0.0.0", to="255.255.255.255"),
        frame(5, source="192.168.1.1", to="192.168.1.100", options=given),
    )
    discover, ack = read_capture(data, SERVERS, zero_s=100.5)
    assert (discover.type, discover.at_s, discover.secs, discover.client) == ("DISCOVER", -0.5, 3, "06:00:00:00:00:01")
    assert (ack.type, ack.at_s, ack.server, ack.lease_s) == ("ACK", 0.5, "server1", 60)


def test_a_renewal_goes_to_its_server_and_a_rebind_to_everyone() -> None:
    data = capture(
        frame(3, source="192.168.1.100", to="192.168.1.1", ciaddr="192.168.1.100"),
        frame(3, source="192.168.1.100", to="255.255.255.255", ciaddr="192.168.1.100"),
        frame(3, source="0.0.0.0", to="255.255.255.255"),
    )
    renew, rebind, select = read_capture(data, SERVERS, zero_s=0.0)
    assert (renew.renewing, renew.broadcast, renew.server, renew.address) == (True, False, "server1", "192.168.1.100")
    assert (rebind.renewing, rebind.broadcast, rebind.server) == (True, True, None)
    assert not select.renewing


def test_what_is_no_dhcp_is_passed_over() -> None:
    ethernet = bytes(dpkt.ethernet.Ethernet(src=MAC, dst=MAC, data=b"\0" * 40, type=0x0806))
    assert list(read_capture(capture(ethernet, b"\0" * 20), SERVERS, zero_s=0.0)) == []


def test_a_capture_that_was_cut_is_read_up_to_there() -> None:
    whole = frame(1, source="0.0.0.0", to="255.255.255.255")
    assert len(list(read_capture(capture(whole, whole, cut=5), SERVERS, zero_s=0.0))) == 1
