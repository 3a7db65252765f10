"""The parameters of kea-dhcp4 with their types, as dhcp4_parser.yy of Kea 2.2, 2.4, 2.6, 3.0 and 3.2 has them.

An object is called by the member that holds it, or whose list holds it. Types: integer, float, string, boolean; map: an
object of anything; {NAME}: such an object as below; [TYPE]: a list, [TYPE]+ one that is not empty; a|b: one of these
words, in any case after a ~. After a blank: since and until which release; without: in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

_CONFLICTS = "check-with-dhcid|no-check-with-dhcid|check-exists-with-dhcid|no-check-without-dhcid"

OBJECTS: Mapping[str, Mapping[str, str]] = {
    "": {"needs": "Dhcp4", "{Dhcp4}": "Dhcp4"},
    "Dhcp4": {
        "float 3.2-": "adaptive-lease-time-threshold",
        "string 2.4-": "allocator",
        "boolean": """
            authoritative calculate-tee-times ddns-override-client-update ddns-override-no-update ddns-send-updates
            ddns-update-on-renew ddns-use-conflict-resolution early-global-reservations-lookup echo-client-id
            ip-reservations-unique match-client-id reservations-global reservations-in-subnet
            reservations-lookup-first reservations-out-of-pool store-extended-info""",
        "string": """
            boot-file-name comment ddns-generated-prefix ddns-qualifying-suffix hostname-char-replacement
            hostname-char-set next-server server-hostname server-tag""",
        "integer": """
            cache-max-age decline-probation-period dhcp4o6-port max-valid-lifetime min-valid-lifetime
            parked-packet-limit rebind-timer renew-timer statistic-default-sample-age statistic-default-sample-count
            valid-lifetime""",
        "float": "cache-threshold t1-percent t2-percent",
        "[{client-classes}]+ -3.0": "client-classes",
        "[{client-classes}] 3.2-": "client-classes",
        "{compatibility}": "compatibility",
        "{config-control}": "config-control",
        "{control-socket}": "control-socket",
        "[{control-socket}] 3.0-": "control-sockets",
        f"~{_CONFLICTS} 2.6-": "ddns-conflict-resolution-mode",
        "~when-present|never|always|when-not-present": "ddns-replace-client-name",
        "integer 3.0-": "ddns-ttl ddns-ttl-max ddns-ttl-min",
        "float 2.4-": "ddns-ttl-percent",
        "{dhcp-ddns}": "dhcp-ddns",
        "{dhcp-queue-control}": "dhcp-queue-control",
        "{expired-leases-processing}": "expired-leases-processing",
        "[{hooks-libraries}]": "hooks-libraries",
        "[circuit-id|client-id|duid|flex-id|hw-address]+": "host-reservation-identifiers",
        "{database}": "hosts-database lease-database",
        "[{database}]": "hosts-databases",
        "{interfaces-config}": "interfaces-config",
        "[{loggers}]+": "loggers",
        "{multi-threading}": "multi-threading",
        "integer 2.4-": "offer-lifetime",
        "[{option-data}]": "option-data",
        "[{option-def}]": "option-def",
        "off|out-of-pool|global|all -2.4": "reservation-mode",
        "[{reservations}]": "reservations",
        "{sanity-checks}": "sanity-checks",
        "[{shared-networks}]": "shared-networks",
        "boolean 2.6-": "stash-agent-options",
        "[{subnet4}]": "subnet4",
        "map": "user-context",
    },
    "compatibility": {
        "boolean 2.4-": "exclude-first-last-24 ignore-dhcp-server-identifier ignore-rai-link-selection",
        "boolean": "lenient-option-parsing",
    },
    "multi-threading": {
        "needs": "enable-multi-threading",
        "string": "comment",
        "boolean": "enable-multi-threading",
        "integer": "packet-queue-size thread-pool-size",
        "map": "user-context",
    },
    "loggers": {
        "string": "comment name severity",
        "integer": "debuglevel",
        "[{output-options}]+ 2.6-": "output-options",
        "[{output-options}]+": "output_options",
        "map": "user-context",
    },
    "output-options": {
        "boolean": "flush",
        "integer": "maxsize maxver",
        "string": "output pattern",
    },
    "config-control": {
        "[{database}]": "config-databases",
        "integer": "config-fetch-wait-time",
    },
    "database": {
        "needs": "type",
        "string": "cert-file cipher-list host key-file name password trust-anchor user",
        "integer": "connect-timeout lfc-interval max-reconnect-tries max-row-errors port reconnect-wait-time",
        "stop-retry-exit|serve-retry-exit|serve-retry-continue": "on-fail",
        "boolean": "persist readonly",
        "integer 2.4-": "read-timeout tcp-user-timeout write-timeout",
        "boolean 2.6-": "retry-on-startup",
        "memfile|mysql|postgresql -2.6": "type",
        "string 3.0-": "type",
    },
    "reservations": {
        "may be empty": "",
        "string": """
            boot-file-name circuit-id client-id comment duid flex-id hostname hw-address ip-address next-server
            server-hostname""",
        "[string]": "client-classes",
        "[{option-data}]": "option-data",
        "map": "user-context",
    },
    "option-data": {
        "may be empty": "",
        "boolean": "always-send csv-format",
        "[string] 3.0-": "client-classes",
        "integer": "code",
        "string": "comment data name space",
        "boolean 2.4-": "never-send",
        "map": "user-context",
    },
    "sanity-checks": {
        "none|fix|strict|pedantic 2.4-": "extended-info-checks",
        "none|warn|fix|fix-del|del": "lease-checks",
    },
    "dhcp-ddns": {
        "needs": "enable-updates",
        "string": "comment sender-ip server-ip",
        "boolean": "enable-updates",
        "string -2.4": "generated-prefix hostname-char-replacement hostname-char-set qualifying-suffix",
        "integer": "max-queue-size sender-port server-port",
        "~|json": "ncr-format",
        "~udp|tcp": "ncr-protocol",
        "boolean -2.4": "override-client-update override-no-update",
        "~when-present|never|always|when-not-present -2.4": "replace-client-name",
        "map": "user-context",
    },
    "dhcp-queue-control": {
        "needs": "enable-queue",
        "integer": "capacity",
        "string": "comment queue-type",
        "boolean": "enable-queue",
        "map": "user-context",
    },
    "control-socket": {
        "{authentication} 3.0-": "authentication",
        "string 3.0-": "cert-file key-file socket-address trust-anchor",
        "boolean 3.0-": "cert-required",
        "string": "comment socket-name",
        "[{http-headers}] 3.0-": "http-headers",
        "integer 3.0-": "socket-port",
        "string -2.6": "socket-type",
        "unix|http|https 3.0-": "socket-type",
        "map": "user-context",
    },
    "expired-leases-processing": {
        "integer": """
            flush-reclaimed-timer-wait-time hold-reclaimed-time max-reclaim-leases max-reclaim-time
            reclaim-timer-wait-time unwarned-reclaim-cycles""",
    },
    "hooks-libraries": {
        "needs": "library",
        "string": "library",
        "map": "parameters",
    },
    "option-def": {
        "needs": "name code type",
        "may be empty": "",
        "boolean": "array",
        "integer": "code",
        "string": "comment encapsulate name record-types space type",
        "map": "user-context",
    },
    "client-classes": {
        "needs": "name",
        "may be empty": "",
        "string": "boot-file-name comment name next-server server-hostname test",
        "integer": "max-valid-lifetime min-valid-lifetime valid-lifetime",
        "integer 2.4-": "offer-lifetime",
        "boolean": "only-if-required",
        "boolean 3.0-": "only-in-additional-list",
        "[{option-data}]": "option-data",
        "[{option-def}]": "option-def",
        "string 2.4-": "template-test",
        "map": "user-context",
    },
    "interfaces-config": {
        "string": "comment",
        "raw|udp": "dhcp-socket-type",
        "[string]": "interfaces",
        "same-as-inbound|use-routing": "outbound-interface",
        "boolean": "re-detect service-sockets-require-all",
        "integer": "service-sockets-max-retries service-sockets-retry-wait-time",
        "map": "user-context",
    },
    "shared-networks": {
        "float 3.2-": "adaptive-lease-time-threshold",
        "string 2.4-": "allocator",
        "boolean": """
            authoritative calculate-tee-times ddns-override-client-update ddns-override-no-update ddns-send-updates
            ddns-update-on-renew ddns-use-conflict-resolution match-client-id reservations-global
            reservations-in-subnet reservations-out-of-pool store-extended-info""",
        "string": """
            boot-file-name client-class comment ddns-generated-prefix ddns-qualifying-suffix hostname-char-replacement
            hostname-char-set interface name next-server server-hostname""",
        "integer": "cache-max-age max-valid-lifetime min-valid-lifetime rebind-timer renew-timer valid-lifetime",
        "float": "cache-threshold t1-percent t2-percent",
        "[string] 3.0-": "client-classes evaluate-additional-classes",
        f"~{_CONFLICTS} 2.6-": "ddns-conflict-resolution-mode",
        "~when-present|never|always|when-not-present": "ddns-replace-client-name",
        "integer 3.0-": "ddns-ttl ddns-ttl-max ddns-ttl-min",
        "float 2.4-": "ddns-ttl-percent",
        "integer 2.4-": "offer-lifetime",
        "[{option-data}]": "option-data",
        "{relay}": "relay",
        "[string]": "require-client-classes",
        "off|out-of-pool|global|all -2.4": "reservation-mode",
        "[{subnet4}]": "subnet4",
        "map": "user-context",
    },
    "relay": {
        "string -2.4": "ip-address",
        "[string]": "ip-addresses",
    },
    "subnet4": {
        "needs": "subnet",
        "string": """
            4o6-interface 4o6-interface-id 4o6-subnet boot-file-name client-class comment ddns-generated-prefix
            ddns-qualifying-suffix hostname-char-replacement hostname-char-set interface next-server server-hostname
            subnet""",
        "float 3.2-": "adaptive-lease-time-threshold",
        "string 2.4-": "allocator",
        "boolean": """
            authoritative calculate-tee-times ddns-override-client-update ddns-override-no-update ddns-send-updates
            ddns-update-on-renew ddns-use-conflict-resolution match-client-id reservations-global
            reservations-in-subnet reservations-out-of-pool store-extended-info""",
        "integer": "cache-max-age id max-valid-lifetime min-valid-lifetime rebind-timer renew-timer valid-lifetime",
        "float": "cache-threshold t1-percent t2-percent",
        "[string] 3.0-": "client-classes evaluate-additional-classes",
        f"~{_CONFLICTS} 2.6-": "ddns-conflict-resolution-mode",
        "~when-present|never|always|when-not-present": "ddns-replace-client-name",
        "integer 3.0-": "ddns-ttl ddns-ttl-max ddns-ttl-min",
        "float 2.4-": "ddns-ttl-percent",
        "integer 2.4-": "offer-lifetime",
        "[{option-data}]": "option-data",
        "[{pools}]": "pools",
        "{relay}": "relay",
        "[string]": "require-client-classes",
        "off|out-of-pool|global|all -2.4": "reservation-mode",
        "[{reservations}]": "reservations",
        "map": "user-context",
    },
    "pools": {
        "needs": "pool",
        "string": "client-class comment pool",
        "[string] 3.0-": "client-classes evaluate-additional-classes",
        f"~{_CONFLICTS} 3.0-": "ddns-conflict-resolution-mode",
        "string 3.0-": "ddns-generated-prefix ddns-qualifying-suffix hostname-char-replacement hostname-char-set",
        "boolean 3.0-": "ddns-override-client-update ddns-override-no-update ddns-send-updates ddns-update-on-renew",
        "~when-present|never|always|when-not-present 3.0-": "ddns-replace-client-name",
        "integer 3.0-": "ddns-ttl ddns-ttl-max ddns-ttl-min",
        "float 3.0-": "ddns-ttl-percent",
        "[{option-data}]": "option-data",
        "integer 2.4-": "pool-id",
        "[string]": "require-client-classes",
        "map": "user-context",
    },
    "http-headers": {
        "string": "comment name value",
        "map": "user-context",
    },
    "authentication": {
        "needs": "type",
        "[{clients}]": "clients",
        "string": "comment directory realm",
        "|basic": "type",
        "map": "user-context",
    },
    "clients": {
        "string": "comment password password-file user user-file",
        "map": "user-context",
    },
}
