"""Rules on what kea-dhcp4, or its hook for high availability, refuses in one file: it does not start."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from labbuilder.lint.model import Hit, Pair
from labbuilder.lint.rules.base import KEA, Rules

rules = Rules(KEA)

_HOOK = "Kea's ha_config_parser.cc and ha_config.cc (HAConfig::validate)"


def told(rule: str) -> Callable[[Pair], Iterator[Hit]]:
    """Find what is a fault in each release that may run the pair."""

    def find(pair: Pair) -> Iterator[Hit]:
        for peer in pair.peers:
            for fault in peer.faults:
                if fault.rule == rule and fault.releases.issuperset(pair.releases):
                    yield Hit(fault.place, fault.what, fault.other)

    return find


rules.error(
    "kea-syntax",
    why="Kea's grammar knows each parameter, where it may stand, once, and its type: with any other it does not start",
    mend="write the parameter as the manual has it, in the release that you run (--engine-version)",
    source="Kea's dhcp4_parser.yy; kea-dhcp4 -t tells it too",
)(told("kea-syntax"))

rules.error(
    "kea-network",
    why="Kea does not start with subnets, pools, shared networks, relays or ids that can't be",
    mend="each subnet once, with an id of its own; each pool inside its subnet and apart from the others",
    source="Kea's dhcp_parsers.cc, cfg_subnets4.cc (add) and subnet.cc (Subnet::addPool); kea-dhcp4 -t tells it",
)(told("kea-network"))

rules.error(
    "kea-reservation",
    why="Kea does not start with a reservation that is for no client, or two, or that another has already",
    mend="one identifier and one address inside the subnet for each client, each address once",
    source="Kea's host_reservation_parser.cc and cfg_hosts.cc (CfgHosts::add4); kea-dhcp4 -t tells it",
)(told("kea-reservation"))

rules.error(
    "kea-lifetimes",
    why="Kea does not start unless the shortest, usual and longest lifetime are in order, and the two timers",
    mend="min-valid-lifetime <= valid-lifetime <= max-valid-lifetime; renew-timer <= rebind-timer",
    source="Kea's simple_parser.cc (parseIntTriplet) and base_network_parser.cc; kea-dhcp4 -t tells it",
)(told("kea-lifetimes"))

rules.error(
    "kea-bounds",
    why="Kea does not start with a number that is too small or too large",
    mend="write one within its bounds",
    source="Kea's multi_threading_config_parser.cc, cfg_expiration.cc, json_config_parser.cc; kea-dhcp4 -t tells it",
)(told("kea-bounds"))

rules.error(
    "kea-option",
    why="Kea does not start with an option that it does not know, or whose value is of another type",
    mend="use the name of a standard option, or define yours in option-def",
    source="Kea's option_data_parser.cc, std_option_defs.h and cfg_option_def.cc; kea-dhcp4 -t tells it",
)(told("kea-option"))

rules.error(
    "kea-class",
    why="Kea does not start with a class that is there twice, or that another asks for before it is defined",
    mend="define each class once, above those that ask for it",
    source="Kea's client_class_def.cc (ClientClassDictionary::addClass, isClientClassDefined); kea-dhcp4 -t tells it",
)(told("kea-class"))

rules.error(
    "ha-parameters",
    why="libdhcp_ha.so refuses it, and Kea does not start; kea-dhcp4 -t does not tell",
    mend="write the parameter with a value of its type and within its bounds",
    source=_HOOK,
)(told("ha-parameters"))

rules.error(
    "ha-peer-names",
    why="a peer is known by its name: Kea does not start unless each has one of its own; kea-dhcp4 -t does not tell",
    mend="give each peer a name of its own",
    source="Kea's ha_config.cc (HAConfig::selectNextPeerConfig, PeerConfig::setName)",
)(told("ha-peer-names"))

rules.error(
    "ha-tls",
    why="Kea does not start with TLS of which a part is missing, or with https without TLS; kea-dhcp4 -t does not tell",
    mend="trust-anchor, cert-file and key-file, all three, and https; or none of them, and http",
    source=_HOOK,
)(told("ha-tls"))

rules.error(
    "ha-roles",
    why="a wrong role for the mode does not start (kea-dhcp4 -t does not tell)",
    mend="hot-standby: primary and standby; load-balancing: primary and secondary; passive-backup: one primary",
    source=f"{_HOOK}; measured with Kea 2.2.0",
)(told("ha-roles"))

rules.error(
    "ha-unfit",
    why="Kea does not start with a setting that the mode does not permit; kea-dhcp4 -t does not tell",
    mend="wait-backup-ack true is for passive-backup alone, delayed-updates-limit above 0 for load-balancing alone",
    source=_HOOK,
)(told("ha-unfit"))

rules.warning(
    "ha-misspelt",
    why="libdhcp_ha.so passes over what it does not know, and nothing is said: the default holds",
    mend="write the parameter as the manual has it",
    source="Kea's ha_config_parser.cc (HAConfigParser::parseOne asks for what it knows)",
)(told("ha-misspelt"))
