"""Changes to good Kea pairs, each with the one rule that tells it: rule, pair, files, what becomes what."""

from __future__ import annotations

KEA, LB = "kea-hot-standby", "kea-load-balancing"
P, S = "primary", "secondary"
BOTH = (P, S)
Change = tuple[str, str, tuple[str, ...], str, str]

_PEER2 = '{"name": "server2", "url": "http://192.168.1.3:8000/"'
_ROUTERS = '"option-data": [{"name": "routers", "data": "192.168.1.1"}]'
_POOL = '"pools": [{"pool": "192.168.1.100 - 192.168.1.200"}]'
_SUBNET = '"subnet4": ['
_SERVER = '"valid-lifetime": 600,'

_RELATION: tuple[Change, ...] = (
    ("ha-lease-cmds", KEA, (P,), "libdhcp_lease_cmds", "libdhcp_stat_cmds"),
    ("ha-missing", KEA, (P,), '"high-availability"', '"low-availability"'),
    ("ha-peers-differ", KEA, (S,), ":8000/", ":8001/"),
    ("ha-settings-differ", KEA, (S,), _PEER2, _PEER2 + ', "basic-auth-user": "a"'),
    ("ha-never-ready", KEA, BOTH, '"heartbeat-delay": 1000', '"heartbeat-delay": 0'),
    ("ha-never-ready", KEA, BOTH, '"mode":', '"sync-page-limit": 0, "mode":'),
    ("kea-release", KEA, (S,), '"server2"', '"server9"'),
    ("ha-urls", KEA, BOTH, "192.168.1.3:8000/", "192.168.1.2:8000"),
    ("ha-urls", KEA, BOTH, "192.168.1.3:8000/", "192.168.1.3/"),
    ("ha-urls", KEA, BOTH, "192.168.1.3:8000/", "server2:8000/"),
    ("ha-urls", KEA, BOTH, "http://192.168.1.3:8000/", "192.168.1.3:8000"),
    ("ha-urls", KEA, BOTH, "192.168.1.3:8000/", "192.168.1.3:http/"),
    ("ha-server-name", KEA, (S,), '"this-server-name": "server2"', '"this-server-name": "server1"'),
    ("ha-server-name", KEA, (S,), '"this-server-name": "server2"', '"this-server-name": "server3"'),
    ("ha-mode", KEA, BOTH, "hot-standby", "cold-standby"),
    ("ha-settings-differ", KEA, (S,), '"max-ack-delay": 1000', '"max-ack-delay": 2000'),
    ("ha-settings-differ", KEA, (S,), '"max-ack-delay": 1000,', ""),
    ("ha-settings-differ", KEA, (S,), '"auto-failover": true}]', '"auto-failover": false}]'),
    ("ha-delays", KEA, BOTH, '"max-response-delay": 3000', '"max-response-delay": 900'),
    ("ha-slow-takeover", KEA, BOTH, '"max-response-delay": 3000', '"max-response-delay": 60001'),
    ("ha-slow-takeover", KEA, BOTH, '"max-unacked-clients": 0', '"max-unacked-clients": 11'),
    ("ha-pool-classes", LB, BOTH, ', "client-class": "HA_server1"', ""),
    ("ha-pool-classes", LB, BOTH, '"client-class": "HA_server2"', '"client-class": "HA_server1"'),
    ("pool-classes-differ", KEA, (S,), '.200"', '.200", "client-class": "staff"'),
    ("ha-multi-threading", KEA, BOTH, '{"enable-multi-threading": true, "t', '{"enable-multi-threading": false, "t'),
    ("ha-multi-threading", KEA, (S,), '{"enable-multi-threading": true, "h', '{"enable-multi-threading": false, "h'),
    (
        "kea-release",
        KEA,
        BOTH,
        '"multi-threading": {"enable-multi-threading": true, "t',
        '"dhcp-queue-control": {"enable-queue": false}, "user-context": {"t',
    ),
    ("subnet-id-differs", KEA, (S,), '"id": 1', '"id": 2'),
)

_REFUSED: tuple[Change, ...] = (
    ("ha-parameters", KEA, BOTH, '"max-ack-delay": 1000', '"max-ack-delay": 65536'),
    ("ha-parameters", KEA, BOTH, '"max-ack-delay": 1000', '"max-ack-delay": "1000"'),
    ("ha-parameters", KEA, BOTH, '"mode":', '"sync-timeout": -1, "mode":'),
    ("ha-parameters", KEA, BOTH, '"mode":', '"send-lease-updates": "yes", "mode":'),
    (
        "ha-parameters",
        KEA,
        BOTH,
        '"http-dedicated-listener": true',
        '"http-dedicated-listener": true, "http-listener-threads": -1',
    ),
    ("ha-parameters", KEA, BOTH, '"mode":', '"state-machine": {"states": [{"state": "redy"}]}, "mode":'),
    (
        "ha-parameters",
        KEA,
        BOTH,
        '"mode":',
        '"state-machine": {"states": [{"state": "ready", "pause": "ever"}]}, "mode":',
    ),
    ("ha-parameters", KEA, BOTH, _PEER2, _PEER2 + ', "basic-auth-user": "a:b"'),
    ("ha-parameters", KEA, BOTH, _PEER2, _PEER2 + ', "basic-auth-password": "a", "basic-auth-password-file": "b"'),
    (
        "ha-peer-names",
        KEA,
        BOTH,
        '"role": "standby"',
        '"role": "standby"}, {"name": "server2", "url": "http://192.168.1.4:8/", "role": "backup"',
    ),
    (
        "ha-peer-names",
        KEA,
        BOTH,
        '"role": "standby"',
        '"role": "standby"}, {"name": " ", "url": "http://192.168.1.4:8/", "role": "backup"',
    ),
    ("ha-tls", KEA, BOTH, _PEER2, _PEER2 + ', "trust-anchor": "a", "cert-file": "b"'),
    ("ha-tls", KEA, BOTH, "http://", "https://"),
    ("ha-roles", KEA, BOTH, '"standby"', '"secondary"'),
    ("ha-roles", KEA, BOTH, '"standby"', '"stand-by"'),
    ("ha-unfit", KEA, BOTH, '"mode":', '"wait-backup-ack": true, "mode":'),
    ("ha-unfit", LB, BOTH, '"mode":', '"wait-backup-ack": true, "mode":'),
    ("ha-unfit", KEA, BOTH, '"mode":', '"delayed-updates-limit": 5, "mode":'),
    ("ha-misspelt", KEA, BOTH, '"mode":', '"sync-time-out": 5, "mode":'),
    ("kea-syntax", KEA, BOTH, '"valid-lifetime"', '"valid-life-time"'),
    ("kea-syntax", KEA, BOTH, '"valid-lifetime": 600', '"valid-lifetime": "600"'),
    ("kea-syntax", KEA, BOTH, '"dhcp-socket-type": "raw"', '"dhcp-socket-type": "row"'),
    ("kea-syntax", KEA, BOTH, _SERVER, _SERVER + '"valid-lifetime": 600,'),
    ("kea-syntax", KEA, BOTH, _SERVER, _SERVER + '"t1-percent": 1,'),
    ("kea-syntax", KEA, BOTH, _SERVER, _SERVER + '"loggers": [],'),
    ("kea-network", KEA, BOTH, "192.168.1.100 - 192.168.1.200", "192.168.2.100 - 192.168.2.200"),
    ("kea-network", KEA, BOTH, "192.168.1.100 - 192.168.1.200", "192.168.1.200 - 192.168.1.100"),
    ("kea-network", KEA, BOTH, _POOL, _POOL.replace("]", ', {"pool": "192.168.1.200/32"}]')),
    ("kea-network", KEA, BOTH, _SUBNET, _SUBNET + '{"id": 1, "subnet": "10.0.0.0/8"}, '),
    ("kea-network", KEA, BOTH, _SUBNET, _SUBNET + '{"id": 2, "subnet": "10.0.0.0"}, '),
    ("kea-network", KEA, BOTH, _SUBNET, '"shared-networks": [{"subnet4": []}], ' + _SUBNET),
    ("kea-network", KEA, BOTH, _POOL, _POOL + ', "next-server": "server1"'),
    ("kea-network", KEA, BOTH, _POOL, _POOL + ', "relay": {"ip-addresses": ["gateway"]}'),
    ("kea-reservation", KEA, BOTH, _POOL, _POOL + ', "reservations": [{"ip-address": "192.168.1.9"}]'),
    ("kea-reservation", KEA, BOTH, _POOL, _POOL + ', "reservations": [{"duid": "01", "ip-address": "192.168.2.9"}]'),
    ("kea-reservation", KEA, BOTH, _POOL, _POOL + ', "reservations": [{"hw-address": "x", "hostname": "a"}]'),
    ("kea-release", KEA, BOTH, _POOL, _POOL + ', "reservations": [{"hw-address": "01:02"}]'),
    (
        "kea-reservation",
        KEA,
        BOTH,
        _POOL,
        _POOL + ', "reservations": [{"duid": "1", "hostname": "a"}, {"duid": "01", "hostname": "b"}]',
    ),
    ("kea-bounds", KEA, BOTH, '"packet-queue-size": 16', '"packet-queue-size": -1'),
    ("kea-lifetimes", KEA, BOTH, _SERVER, _SERVER + '"max-valid-lifetime": 599,'),
    ("kea-lifetimes", KEA, BOTH, '"renew-timer": 150', '"renew-timer": 301'),
    ("kea-option", KEA, BOTH, '"routers"', '"router"'),
    ("kea-option", KEA, BOTH, '"name": "routers"', '"name": "routers", "code": 6'),
    ("kea-option", KEA, BOTH, _ROUTERS, _ROUTERS.replace("]", ', {"name": "interface-mtu", "data": "big"}]')),
    ("kea-option", KEA, BOTH, _SUBNET, '"option-def": [{"name": "a", "code": 256, "type": "string"}], ' + _SUBNET),
    ("kea-class", KEA, BOTH, _SUBNET, '"client-classes": [{"name": "a", "test": "member(\'b\')"}], ' + _SUBNET),
    ("kea-class", KEA, BOTH, _SUBNET, '"client-classes": [{"name": "a"}, {"name": "a"}], ' + _SUBNET),
    ("kea-release", KEA, BOTH, '"id": 1,', ""),
    ("kea-release", KEA, BOTH, '"id": 1,', '"id": 0,'),
    ("kea-release", KEA, BOTH, _POOL, _POOL + ', "allocator": "random"'),
    ("kea-release", KEA, BOTH, _POOL, _POOL + ', "reservation-mode": "all"'),
)

_DIFFER: tuple[Change, ...] = (
    ("kea-boot-differs", KEA, (S,), _POOL, _POOL + ', "next-server": "192.168.1.9"'),
    ("kea-boot-differs", KEA, (S,), _SERVER, _SERVER + '"boot-file-name": "a",'),
    ("kea-ddns-differs", KEA, (S,), _SERVER, _SERVER + '"dhcp-ddns": {"enable-updates": true},'),
    ("kea-classes-differ", KEA, (S,), _SUBNET, '"client-classes": [{"name": "a"}], ' + _SUBNET),
    (
        "kea-definitions-differ",
        KEA,
        (S,),
        _SUBNET,
        '"option-def": [{"name": "a", "code": 222, "type": "string"}], ' + _SUBNET,
    ),
    ("kea-reservations-differ", KEA, (S,), _POOL, _POOL + ', "reservations": [{"duid": "01", "hostname": "a"}]'),
    ("kea-relay-differs", KEA, (S,), _POOL, _POOL + ', "relay": {"ip-addresses": ["192.168.9.1"]}'),
    ("kea-interface-differs", KEA, (S,), _POOL, _POOL + ', "interface": "eth0"'),
    ("kea-client-id-differs", KEA, (S,), _POOL, _POOL + ', "match-client-id": false'),
)

CHANGES = (*_RELATION, *_REFUSED, *_DIFFER)
