"""A Kea configuration with something of everything, and seeded changes to it: dropped, doubled, misspelt, moved."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

_HOOKS = "/usr/lib/x86_64-linux-gnu/kea/hooks"
_BASE = {
    "Dhcp4": {
        "interfaces-config": {"interfaces": [], "dhcp-socket-type": "raw"},
        "control-socket": {"socket-type": "unix", "socket-name": "/run/kea/socket"},
        "lease-database": {"type": "memfile", "persist": False, "lfc-interval": 3600},
        "multi-threading": {"enable-multi-threading": True, "thread-pool-size": 2, "packet-queue-size": 16},
        "expired-leases-processing": {"reclaim-timer-wait-time": 10, "max-reclaim-leases": 100},
        "sanity-checks": {"lease-checks": "fix-del"},
        "valid-lifetime": 600,
        "min-valid-lifetime": 300,
        "max-valid-lifetime": 900,
        "renew-timer": 150,
        "rebind-timer": 300,
        "calculate-tee-times": False,
        "t1-percent": 0.5,
        "authoritative": True,
        "match-client-id": True,
        "echo-client-id": True,
        "next-server": "10.9.0.2",
        "boot-file-name": "pxelinux.0",
        "server-hostname": "boot",
        "ddns-send-updates": False,
        "ddns-replace-client-name": "never",
        "decline-probation-period": 3600,
        "host-reservation-identifiers": ["hw-address", "client-id"],
        "dhcp-ddns": {"enable-updates": False, "server-ip": "127.0.0.1", "server-port": 53001},
        "hooks-libraries": [
            {"library": f"{_HOOKS}/libdhcp_lease_cmds.so"},
            {
                "library": f"{_HOOKS}/libdhcp_ha.so",
                "parameters": {
                    "high-availability": [
                        {
                            "this-server-name": "server1",
                            "mode": "hot-standby",
                            "heartbeat-delay": 1000,
                            "max-response-delay": 3000,
                            "max-unacked-clients": 0,
                            "multi-threading": {"enable-multi-threading": True, "http-dedicated-listener": True},
                            "peers": [
                                {"name": "server1", "url": "http://10.9.0.2:8000/", "role": "primary"},
                                {"name": "server2", "url": "http://10.9.0.3:8000/", "role": "standby"},
                            ],
                        }
                    ]
                },
            },
        ],
        "option-def": [
            {"name": "colour", "code": 222, "space": "dhcp4", "type": "string"},
            {"name": "address", "code": 1, "space": "vendor-9", "type": "ipv4-address", "array": False},
        ],
        "option-data": [
            {"name": "domain-name-servers", "data": "10.9.0.1, 10.9.0.2"},
            {"name": "domain-name", "data": "example.org"},
            {"code": 42, "data": "10.9.0.9", "always-send": True},
            {"name": "colour", "data": "blue"},
            {"name": "address", "space": "vendor-9", "data": "10.9.0.5"},
            {"name": "interface-mtu", "csv-format": False, "data": "05dc"},
        ],
        "client-classes": [
            {"name": "phones", "test": "substring(option[60].hex,0,5) == 'Aastr'"},
            {"name": "both", "test": "member('phones') and member('KNOWN')", "valid-lifetime": 60},
        ],
        "reservations": [{"hw-address": "0a:0b:0c:0d:0e:0f", "hostname": "everywhere"}],
        "shared-networks": [
            {
                "name": "floor",
                "relay": {"ip-addresses": ["10.1.0.1"]},
                "subnet4": [
                    {"id": 11, "subnet": "10.1.0.0/24", "pools": [{"pool": "10.1.0.10 - 10.1.0.99"}]},
                    {"id": 12, "subnet": "10.2.0.0/24", "pools": [{"pool": "10.2.0.128/26"}]},
                ],
            }
        ],
        "subnet4": [
            {
                "id": 1,
                "subnet": "10.9.0.0/24",
                "pools": [
                    {"pool": "10.9.0.100 - 10.9.0.149", "client-class": "phones"},
                    {"pool": "10.9.0.150-10.9.0.199", "option-data": [{"name": "log-servers", "data": "10.9.0.7"}]},
                ],
                "option-data": [{"name": "routers", "data": "10.9.0.1"}],
                "reservations": [
                    {"hw-address": "1a:1b:1c:1d:1e:1f", "ip-address": "10.9.0.10", "hostname": "printer"},
                    {"client-id": "01:11:22:33:44:55:66", "ip-address": "10.9.0.11"},
                    {"duid": "01:02:03:04:05", "client-classes": ["phones"], "next-server": "10.9.0.3"},
                ],
                "user-context": {"site": "one", "floors": [1, 2]},
            },
            {"id": 2, "subnet": "10.8.0.0/16", "valid-lifetime": 400, "interface": "lo"},
        ],
        "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
    }
}
_STRINGS = (
    *("", " ", "x", "10.9.0.100", "10.9.0.10", "10.9.1.7", "10.9.0.0/24", "10.9.0.0/33", "10.9.0.300", "0.0.0.0"),
    *(
        "10.9.0.1-10.9.0.5",
        "10.9.0.140 - 10.9.0.160",
        "1a:1b:1c:1d:1e:1f",
        "zz:zz",
        "routers",
        "dhcp4",
        "phones",
        "ip-address",
    ),
    *(
        "string",
        "true",
        "12",
        "-1",
        "255.255.255.255",
        "2001:db8::1",
        "a b",
        "-",
        "memfile",
        "unix",
        "member('nobody')",
    ),
)
_NUMBERS = (-1, 0, 1, 2, 5, 12, 255, 256, 601, 65535, 65536, 2**32 - 1, 2**32, 10**12, 10**20)
_OTHERS: tuple[Any, ...] = (True, False, None, 0.5, [], {}, ["x"], {"x": 1})
_MARKS = '{}[],:"#/.-+ \n\t0ax'


class Node:
    """An object as pairs, so that a name may stand twice, or an array."""

    def __init__(self, value: Any) -> None:
        self.pairs = isinstance(value, dict)
        entries = value.items() if isinstance(value, dict) else ((None, entry) for entry in value)
        self.entries: list[list[Any]] = [
            [name, Node(entry) if isinstance(entry, dict | list) else entry] for name, entry in entries
        ]

    def text(self) -> str:
        """It as JSON."""
        inner = [
            _text(entry) if name is None else f"{json.dumps(name)}: {_text(entry)}" for name, entry in self.entries
        ]
        return ("{%s}" if self.pairs else "[%s]") % ",\n".join(inner)

    def places(self) -> Iterator[tuple[Node, int]]:
        """Each entry of it and below."""
        for index, (_, entry) in enumerate(self.entries):
            yield self, index
            if isinstance(entry, Node):
                yield from entry.places()


class Mutant(NamedTuple):
    """A changed configuration."""

    what: str
    text: str


def mutants(count: int, seed: int, *, below: str = "") -> Iterator[Mutant]:
    """So many changed configurations, the same for a seed; `below`: changed inside the member of this name alone."""
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        root = Node(_BASE)
        if not below and chance.random() < _OF_TEXT:
            yield Mutant(*_changed_text(root.text(), chance))
            continue
        everywhere = list(root.places())
        places = next((list(e[1].places()) for n, i in everywhere if (e := n.entries[i])[0] == below), everywhere)
        inside, index = chance.choice(places)
        name = inside.entries[index][0]
        what = chance.choice((_drop, _double, _misspell, _move, _other, _other, _other))(inside, index, places, chance)
        yield Mutant(f"{what}: {name}", root.text())


_OF_TEXT = 0.2


def _text(value: Any) -> str:
    return value.text() if isinstance(value, Node) else json.dumps(value)


def _changed_text(text: str, chance: random.Random) -> tuple[str, str]:
    at, mark = chance.randrange(len(text)), chance.choice(_MARKS)
    way = chance.choice(("insert", "drop", "replace"))
    rest = text[at:] if way == "insert" else text[at + 1 :]
    return f"{way} {mark!r} at {at}", text[:at] + (mark if way != "drop" else "") + rest


def _drop(inside: Node, index: int, _: Any, __: random.Random) -> str:
    del inside.entries[index]
    return "dropped"


def _double(inside: Node, index: int, _: Any, __: random.Random) -> str:
    inside.entries.insert(index, inside.entries[index])
    return "doubled"


def _misspell(inside: Node, index: int, places: Any, chance: random.Random) -> str:
    name = inside.entries[index][0]
    if not isinstance(name, str) or not name:
        return _double(inside, index, places, chance)
    at = chance.randrange(len(name))
    inside.entries[index] = [
        chance.choice((name[:at] + name[at + 1 :], name[:at] + "e" + name[at:], name.upper())),
        inside.entries[index][1],
    ]
    return "misspelt"


def _move(inside: Node, index: int, places: list[tuple[Node, int]], chance: random.Random) -> str:
    moved = inside.entries[index]
    within = {id(node) for node, _ in moved[1].places()} if isinstance(moved[1], Node) else set()
    targets = [
        node for node, _ in places if node.pairs == inside.pairs and id(node) not in within and node is not moved[1]
    ]
    del inside.entries[index]
    chance.choice(targets).entries.append(moved)
    return "moved"


def _other(inside: Node, index: int, _: Any, chance: random.Random) -> str:
    old = inside.entries[index][1]
    same = (
        _STRINGS
        if isinstance(old, str)
        else _NUMBERS
        if isinstance(old, int) and not isinstance(old, bool)
        else _OTHERS
    )
    new = chance.choice(same if chance.random() < _OF_ITS_TYPE else (*_STRINGS, *_NUMBERS, *_OTHERS))
    inside.entries[index] = [inside.entries[index][0], Node(new) if isinstance(new, dict | list) else new]
    return f"now {json.dumps(new)}"


_OF_ITS_TYPE = 0.7
