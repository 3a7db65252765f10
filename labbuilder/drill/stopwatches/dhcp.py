"""What DHCP messages say: exchanges, addresses given twice, leases forgotten. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from labbuilder.drill.model import Exchange, Kind, Message


def heard(messages: Iterable[Message]) -> Iterator[Message]:
    """What reaches the clients: an answer to what one no longer asks is passed over, as clients do.

    Kea keeps ACKs back while its partner is silent, and sends them when nobody waits for them any more.
    """
    asked: dict[str, int] = {}
    for message in messages:
        if message.type in ("DISCOVER", "REQUEST"):
            asked[message.client] = message.xid
        elif message.type in ("ACK", "NAK") and asked.pop(message.client, None) != message.xid:
            continue
        yield message


def exchanges(messages: Iterable[Message]) -> tuple[Exchange, ...]:
    """Every wish with its answer. A client that asks in another way has given up its wish before.

    A rebind begins with the renewal that had no answer: from then on the holder waits.

    Args:
        messages: What the clients heard.
    """
    done: list[Exchange] = []
    pending: dict[str, Exchange] = {}
    for message in messages:
        kind = _wish(message)
        open_ = pending.get(message.client)
        if kind is not None:
            if open_ is None or open_.kind != kind:
                done += [open_] if open_ else []
                waits = open_ is not None and (open_.kind, kind) == (Kind.RENEW, Kind.REBIND)
                since = open_.asked_at_s if open_ is not None and waits else message.at_s
                pending[message.client] = Exchange(kind, message.client, since)
        elif message.type == "REQUEST" and open_ is not None:
            pending[message.client] = replace(open_, server=message.server)
        elif message.type == "ACK" and open_ is not None:
            server = open_.server or message.server  # two dhcpd may both answer a REQUEST that names one of them
            done.append(replace(open_, answered_at_s=message.at_s, server=server, address=message.address))
            del pending[message.client]
    unheard = (replace(exchange, server=None) for exchange in pending.values())
    return tuple(sorted([*done, *unheard], key=lambda exchange: exchange.asked_at_s))


def _wish(message: Message) -> Kind | None:
    if message.type == "DISCOVER":
        return Kind.NEW
    if message.renewing:
        return Kind.REBIND if message.broadcast else Kind.RENEW
    return None


@dataclass(frozen=True)
class _Lease:
    client: str
    until_s: float


def duplicates(messages: Iterable[Message], held: Mapping[str, str]) -> tuple[str, ...]:
    """Addresses that two clients held at one time, with both.

    Args:
        messages: What the clients heard.
        held: Addresses that were leased before it began, with their clients' MACs.
    """
    leases = {address: _Lease(client, float("inf")) for address, client in held.items()}
    found = []
    for message in messages:
        address = message.address
        if address is None:
            continue
        lease = leases.get(address)
        if message.type == "RELEASE" and lease is not None and lease.client == message.client:
            del leases[address]
        elif message.type == "ACK":
            if lease is not None and lease.client != message.client and message.at_s < lease.until_s:
                found.append(f"{address}: {lease.client} and {message.client}")
            leases[address] = _Lease(message.client, message.at_s + (message.lease_s or 0))
    return tuple(found)


def lost_leases(messages: Iterable[Message]) -> tuple[str, ...]:
    """Leases that were acknowledged and then refused, or replaced by another address, while they ran.

    Args:
        messages: What the clients heard.
    """
    holds: dict[str, tuple[str, float]] = {}
    found = []
    for message in messages:
        address, until = holds.get(message.client, ("", float("-inf")))
        if message.type in ("RELEASE", "DISCOVER"):  # who keeps a lease does not ask for one
            holds.pop(message.client, None)
        elif message.type == "NAK" and message.at_s < until:
            found.append(f"{message.client}: {address} was refused by {message.server}")
            holds.pop(message.client)
        elif message.type == "ACK" and message.address:
            if message.at_s < until and message.address != address:
                found.append(f"{message.client}: {address} became {message.address}, by {message.server}")
            holds[message.client] = (message.address, message.at_s + (message.lease_s or 0))
    return tuple(found)
