"""DHCP options in Kea: the standard ones, a file's own definitions, and their values in one way of writing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from ipaddress import IPv4Address
from socket import AF_INET, inet_pton
from typing import NamedTuple

from labbuilder.lint.kea import Value
from labbuilder.lint.model import Fault
from labbuilder.lint.source import printable
from labbuilder.lint.versions import RELEASES, Release

RULE = "kea-option"
DHCP4 = "dhcp4"
_STANDARD: Mapping[str, str] = {  # std_option_defs.h and dhcp4.h: type, since which release, name and code
    "binary": "dhcp-client-identifier=61 nwip-suboptions=63 user-class=77 authenticate=90 geoconf-civic=99",
    "boolean": """
        ip-forwarding=19 non-local-source-routing=20 all-subnets-local=27 perform-mask-discovery=29
        mask-supplier=30 router-discovery=31 trailer-encapsulation=34 ieee802-3-encapsulation=36
        tcp-keepalive-garbage=39""",
    "empty": "vendor-encapsulated-options=43 dhcp-agent-options=82",
    "fqdn": "v4-lost=137 v4-access-domain=213",
    "fqdn[]": "bcms-controller-names=88 domain-search=119 sip-ua-cs-domains=141",
    "int32": "time-offset=2",
    "ipv4-address": """
        subnet-mask=1 swap-server=16 broadcast-address=28 router-solicitation-address=32 dhcp-requested-address=50
        dhcp-server-identifier=54 subnet-selection=118""",
    "ipv4-address[]": """
        routers=3 time-servers=4 name-servers=5 domain-name-servers=6 log-servers=7 cookie-servers=8 lpr-servers=9
        impress-servers=10 resource-location-servers=11 policy-filter=21 static-routes=33 nis-servers=41
        ntp-servers=42 netbios-name-servers=44 netbios-dd-server=45 font-servers=48 x-display-manager=49
        nisplus-servers=65 mobile-ip-home-agent=68 smtp-server=69 pop-server=70 nntp-server=71 www-server=72
        finger-server=73 irc-server=74 streettalk-server=75 streettalk-directory-assistance-server=76
        nds-servers=85 bcms-controller-address=89 associated-ip=92 netinfo-server-address=112 pana-agent=136
        capwap-ac-v4=138""",
    "record": "slp-service-scope=79 fqdn=81 client-ndi=94 uuid-guid=97 vivco-suboptions=124 v4-portparams=159",
    "record 2.4-": "v4-sztp-redirect=143 status-code=151 v4-dnr=162",
    "record 2.6-": "classless-static-route=121",
    "record[]": "slp-directory-agent=78 rdnss-selection=146 option-6rd=212",
    "string": """
        host-name=12 merit-dump=14 domain-name=15 root-path=17 extensions-path=18 nis-domain=40 netbios-scope=47
        dhcp-message=56 vendor-class-identifier=60 nwip-domain-name=62 nisplus-domain-name=64 tftp-server-name=66
        boot-file-name=67 nds-tree-name=86 nds-context=87 uap-servers=98 pcode=100 tcode=101
        netinfo-server-tag=113 v4-captive-portal=114""",
    "uint16": "boot-size=13 max-dgram-reassembly=22 interface-mtu=26 dhcp-max-message-size=57",
    "uint16[]": "path-mtu-plateau-table=25 client-system=93 name-service-search=117",
    "uint32": """
        path-mtu-aging-timeout=24 arp-cache-timeout=35 tcp-keepalive-interval=38 dhcp-lease-time=51
        dhcp-renewal-time=58 dhcp-rebinding-time=59 client-last-transaction-time=91 v6-only-preferred=108
        vivso-suboptions=125""",
    "uint32 2.4-": "base-time=152 start-time-of-state=153 query-start-time=154 query-end-time=155",
    "uint8": """
        default-ip-ttl=23 default-tcp-ttl=37 netbios-node-type=46 dhcp-option-overload=52 dhcp-message-type=53
        auto-config=116""",
    "uint8 2.4-": "dhcp-state=156 data-source=157",
    "uint8[]": "dhcp-parameter-request-list=55",
}
_OF_VENDORS = {"vendor-4491", "vendor-3561", "vendor-25506"}  # Kea defines options of theirs, docsis3_option_defs.h
_PAD, _END = 0, 255
_TYPES = (
    "empty",
    "binary",
    "boolean",
    "int8",
    "int16",
    "int32",
    "uint8",
    "uint16",
    "uint32",
    "ipv4-address",
    "ipv6-address",
    "ipv6-prefix",
    "psid",
    "string",
    "tuple",
    "fqdn",
    "internal",
    "record",
)
_INTEGERS = {
    f"{sign}int{bits}": (0 if sign else -(1 << bits - 1), (1 << bits - (not sign)) - 1)
    for sign in ("u", "")
    for bits in (8, 16, 32)
}
_OF_VALUES = {*_INTEGERS, "ipv4-address", "boolean", "string", "fqdn"}
_BOOLEANS = {"true": "true", "1": "true", "false": "false", "0": "false"}
_NAME = re.compile(r"[A-Za-z0-9](?:[-_A-Za-z0-9]*[A-Za-z0-9])?")
_HEX = re.compile(r"(?:0x)?[0-9A-Fa-f]*|[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2})*|[0-9A-Fa-f]{1,2}(?: [0-9A-Fa-f]{1,2})*")


class Definition(NamedTuple):
    """Of one option."""

    space: str
    code: int
    name: str
    type: str
    array: bool
    since: Release = RELEASES[0]


class Options:
    """The standard options and a configuration's own."""

    def __init__(self, own: tuple[Value, ...] = ()) -> None:
        self._known: dict[tuple[str, int | str], Definition] = dict(_standard())
        for entry in own:
            code, name = integer(entry, "code"), entry.text("name")
            if code is not None and name is not None:
                space = entry.text("space") or DHCP4
                defined = Definition(space, code, name, entry.text("type") or "", entry.text("array") == "true")
                self._known.setdefault((space, code), defined)
                self._known.setdefault((space, name), defined)

    def of(self, option: Value) -> Definition | None:
        """The definition of an entry of option-data, if there is one."""
        space, code = option.text("space") or DHCP4, integer(option, "code")
        return self._known.get((space, code if code is not None else option.text("name") or ""))

    def label(self, option: Value) -> str:
        """What an entry of option-data is called, however it is written."""
        defined, space = self.of(option), option.text("space") or DHCP4
        name = defined.name if defined else option.text("name") or option.text("code") or "?"
        return name if space == DHCP4 else f"{space}.{name}"

    def value(self, option: Value) -> str:
        """Its value in one way of writing."""
        data, defined = option.text("data") or "", self.of(option)
        if defined is None or option.text("csv-format") == "false":
            return _hexadecimal(data)
        if defined.type in {"string", "record", "binary"}:
            return data.strip() if defined.type != "binary" else _hexadecimal(data)
        return ", ".join(_written(word.strip(), defined.type) for word in data.split(","))

    def faults(self, option: Value) -> Iterator[Fault]:
        """What OptionDataParser::createOption refuses."""
        space, code, name = option.text("space") or DHCP4, integer(option, "code"), option.text("name")
        if not _NAME.fullmatch(space) or space == "dhcp6":
            yield Fault(RULE, option.place, f"the option space {printable(space)!r} is not allowed")
        elif code is None and name is None:
            yield Fault(RULE, option.place, "an option without name and code")
        elif code is not None and not _PAD <= code <= _END:
            yield Fault(RULE, option.place, f"an option's code is {code}")
        elif space == DHCP4 and code in {_PAD, _END}:
            yield Fault(RULE, option.place, f"the code {code} is reserved")
        elif name is not None and " " in name:
            yield Fault(RULE, option.place, f"a blank in the option's name {printable(name)!r}")
        else:
            yield from self._against(option, self.of(option), space)

    def _against(self, option: Value, defined: Definition | None, space: str) -> Iterator[Fault]:
        csv, name, data = option.text("csv-format"), option.text("name"), option.text("data") or ""
        if defined is None:
            yield from _undefined(option, space, data)
        elif defined.since > RELEASES[0] and option.get("code") is None:
            before = frozenset(release for release in RELEASES if release < defined.since)
            yield Fault(RULE, option.place, f"the option {defined.name} is not known", before)
        elif name is not None and name != defined.name:
            what = f"the option {defined.code} is called {defined.name}, not {printable(name)}"
            yield Fault(RULE, option.place, what)
        elif csv == "false":
            if not _is_binary(data):
                yield Fault(RULE, option.place, f"{printable(data)!r} is not hexadecimal, and csv-format is false")
        elif not data.strip() and defined.type in _OF_VALUES and not defined.array:
            yield Fault(RULE, option.place, f"the option {defined.name} has no data")
        else:
            words = data.split(",")[: None if defined.array else 1] if data.strip() else []
            for wrong in [word for word in words if not _fits(word.strip(), defined.type)]:
                what = f"{printable(wrong.strip())!r} is no {defined.type}, which {defined.name} takes"
                yield Fault(RULE, option.place, what)


def _undefined(option: Value, space: str, data: str) -> Iterator[Fault]:
    code, csv = option.text("code"), option.text("csv-format") == "true"
    if csv or (code is None and space not in _OF_VENDORS):
        called = f"code {code}" if code is not None else option.text("name") or ""
        yield Fault(RULE, option.place, f"the option {printable(called)} of the space {space} has no definition")
    elif code is not None and not _is_binary(data):
        yield Fault(RULE, option.place, f"{printable(data)!r} is not hexadecimal, and the option has no definition")


def definition_faults(own: tuple[Value, ...]) -> Iterator[Fault]:
    """What OptionDefParser and CfgOptionDef::add refuse."""
    seen: dict[tuple[str, int | str], Value] = {}
    standard = _standard()
    for entry in own:
        code, name, space = integer(entry, "code"), entry.text("name") or "", entry.text("space") or DHCP4
        kind, array = entry.text("type") or "", entry.text("array") == "true"
        if code is None:
            continue
        wrong = _malformed(code, name, space, kind)
        encapsulated = entry.text("encapsulate") or ""
        if not wrong and encapsulated and (array or encapsulated == space):
            wrong = f"the option {printable(name)} may not encapsulate {printable(encapsulated)}"
        if not wrong and array and kind in {"string", "binary", "empty"}:
            wrong = f"there is no array of {kind}"
        if wrong:
            yield Fault(RULE, entry.place, wrong)
        for key in ((space, code), (space, name)):
            if key in seen:
                yield Fault(
                    RULE, entry.place, f"the option {printable(str(key[1]))} is defined twice", other=seen[key].place
                )
            elif key in standard:
                since = standard[key].since
                having = frozenset(release for release in RELEASES if release >= since)
                what = f"the standard option {standard[key].name} can't be defined anew"
                yield Fault(RULE, entry.place, what, having)
                break
            seen.setdefault(key, entry)


def _malformed(code: int, name: str, space: str, kind: str) -> str | None:
    if not _PAD <= code <= _END:
        return f"an option's code is {code}"
    if space == DHCP4 and code in {_PAD, _END}:
        return f"the code {code} is reserved"
    if not _NAME.fullmatch(space) or not _NAME.fullmatch(name):
        return f"the option's name {printable(f'{space}.{name}')!r} is not allowed"
    if kind not in _TYPES:
        return f"the option's type {printable(kind)!r} is not known"
    return None


def integer(value: Value, name: str) -> int | None:
    """A member that is an integer."""
    found = value.get(name)
    return int(str(found.data)) if found is not None and found.kind == "integer" else None


def address(text: str) -> IPv4Address | None:
    """An IPv4 address as Kea reads it, if it is one."""
    try:
        return IPv4Address(inet_pton(AF_INET, text))  # several times as fast as from the text
    except (OSError, ValueError):
        return None


def _fits(word: str, kind: str) -> bool:
    if kind == "ipv4-address":
        return address(word) is not None
    if kind in _INTEGERS:
        low, high = _INTEGERS[kind]
        number = _number(word)
        return number is not None and low <= number <= high
    return kind != "boolean" or word in _BOOLEANS


def _is_binary(data: str) -> bool:
    text = data.strip()
    return (text.startswith("'") and text.endswith("'")) or bool(_HEX.fullmatch(data))


def _written(word: str, kind: str) -> str:
    if kind == "fqdn":
        return word.lower().rstrip(".")
    if kind == "boolean":
        return _BOOLEANS.get(word, word)
    return str(number) if kind in _INTEGERS and (number := _number(word)) is not None else word


def _number(word: str) -> int | None:
    """An integer as OptionDefinition::lexicalCastWithRangeCheck reads it: what is not decimal may be hexadecimal."""
    if re.fullmatch(r"[+-]?[0-9]{1,18}", word):
        return int(word)
    return int(word, 16) if re.fullmatch(r"[+-]?(0[xX])?[0-9A-Fa-f]{1,15}", word) else None


def _hexadecimal(data: str) -> str:
    if not _HEX.fullmatch(data):
        return data.strip()
    if ":" in data or " " in data:
        return "".join(octet.zfill(2) for octet in re.split("[: ]", data)).lower()
    digits = data.removeprefix("0x").lower()
    return digits if len(digits) % 2 == 0 else f"0{digits}"


@cache
def _standard() -> Mapping[tuple[str, int | str], Definition]:
    found: dict[tuple[str, int | str], Definition] = {}
    for spelled, options in _STANDARD.items():
        kind, _, since = spelled.partition(" ")
        major, _, minor = since.rstrip("-").partition(".")
        release = (int(major), int(minor)) if since else RELEASES[0]
        for option in options.split():
            name, _, code = option.partition("=")
            defined = Definition(DHCP4, int(code), name, kind.removesuffix("[]"), kind.endswith("[]"), release)
            found[DHCP4, defined.code] = found[DHCP4, name] = defined
    return found
