"""The options that dhcpd knows, and the form of their values (common/tables.c and server/stables.c of 4.4).

A letter for each value: I address or name, 6 IPv6 address, t text, X string or hexadecimal bytes, D domain list,
d domain name, L and l number of 32 bits, S and s of 16, B and b of 8, T seconds or infinite, f boolean, U name,
k key, N one of a list, E an option space, Z nothing. A: the whole repeats, with commas between; a: the last value does;
o: it may be left out.
"""

from __future__ import annotations

import re
from functools import cache

from labbuilder.lint.dhcpd_expressions import data
from labbuilder.lint.dhcpd_words import CONVERTED, Words, close, converted

_TABLES = {
    "dhcp": {
        "I": "subnet-mask=1 swap-server=16 broadcast-address=28 router-solicitation-address=32 "
        "dhcp-requested-address=50 dhcp-server-identifier=54 subnet-selection=118",
        "l": "time-offset=2",
        "IA": "routers=3 time-servers=4 ien116-name-servers=5 domain-name-servers=6 log-servers=7 "
        "cookie-servers=8 lpr-servers=9 impress-servers=10 resource-location-servers=11 nis-servers=41 "
        "ntp-servers=42 netbios-name-servers=44 netbios-dd-server=45 font-servers=48 x-display-manager=49 "
        "nisplus-servers=65 mobile-ip-home-agent=68 smtp-server=69 pop-server=70 nntp-server=71 "
        "www-server=72 finger-server=73 irc-server=74 streettalk-server=75 "
        "streettalk-directory-assistance-server=76 nds-servers=85 ipv4-address-andsf=142",
        "t": "host-name=12 merit-dump=14 domain-name=15 root-path=17 extensions-path=18 nis-domain=40 "
        "netbios-scope=47 dhcp-message=56 nwip-domain=62 nisplus-domain=64 tftp-server-name=66 "
        "bootfile-name=67 user-class=77 nds-tree-name=86 nds-context=87 uap-servers=98 pcode=100 "
        "tcode=101 netinfo-server-tag=113 default-url=114 v4-captive-portal=160 loader-configfile=209 "
        "loader-pathprefix=210",
        "S": "boot-size=13 max-dgram-reassembly=22 interface-mtu=26 dhcp-max-message-size=57",
        "f": "ip-forwarding=19 non-local-source-routing=20 all-subnets-local=27 perform-mask-discovery=29 "
        "mask-supplier=30 router-discovery=31 trailer-encapsulation=34 ieee802-3-encapsulation=36 "
        "tcp-keepalive-garbage=39",
        "IIA": "policy-filter=21 static-routes=33",
        "B": "default-ip-ttl=23 default-tcp-ttl=37 netbios-node-type=46 dhcp-option-overload=52 "
        "dhcp-message-type=53 auto-config=116",
        "L": "path-mtu-aging-timeout=24 arp-cache-timeout=35 tcp-keepalive-interval=38 dhcp-lease-time=51 "
        "dhcp-renewal-time=58 dhcp-rebinding-time=59 client-last-transaction-time=91 "
        "v6-only-preferred=108 loader-reboottime=211",
        "SA": "path-mtu-plateau-table=25",
        "E.": "vendor-encapsulated-options=43",
        "BA": "dhcp-parameter-request-list=55",
        "X": "vendor-class-identifier=60 dhcp-client-identifier=61 geoconf-civic=99",
        "Enwip.": "nwip-suboptions=63",
        "fIa": "slp-directory-agent=78",
        "fto": "slp-service-scope=79",
        "Efqdn.": "fqdn=81",
        "Eagent.": "relay-agent-information=82",
        "D": "bcms-controller-names=88",
        "Ia": "bcms-controller-address=89 associated-ip=92 netinfo-server-address=112 pana-agent=136 "
        "capwap-ac-v4=138 tftp-server-address=150",
        "Sa": "pxe-system-type=93 name-service-search=117",
        "BBB": "pxe-interface-id=94",
        "BX": "pxe-client-id=97",
        "Dc": "domain-search=119 sip-ua-cs-domains=141",
        "Evendor-class.": "vivco=124",
        "Evendor.": "vivso=125",
        "d": "v4-lost=137 v4-access-domain=213",
        "BIID": "rdnss-selection=146",
        "BBS": "v4-portparams=159",
        "BB6Ia": "option-6rd=212",
    },
    "server": {
        "T": "default-lease-time max-lease-time min-lease-time dynamic-bootp-lease-cutoff ddns-ttl "
        "ping-timeout preferred-lifetime abandon-lease-time ping-cltt-secs ping-timeout-ms",
        "L": "dynamic-bootp-lease-length limit-addrs-per-ia limit-prefs-per-ia max-ack-delay ldap-port",
        "f": "boot-unknown-clients dynamic-bootp allow-bootp allow-booting one-lease-per-client "
        "get-lease-hostnames use-host-decl-names use-lease-addr-for-default-route authoritative "
        "always-reply-rfc1048 always-broadcast duplicates declines ddns-updates stash-agent-options "
        "client-updates update-optimization ping-check update-static-leases do-forward-updates "
        "infinite-is-reserved update-conflict-detection leasequery do-reverse-updates fqdn-reply "
        "dont-use-fsync ignore-client-uids echo-client-id server-id-check dhcpv6-set-tee-times "
        "check-secs-byte-order ddns-dual-stack-mixed-mode ddns-guard-id-must-match "
        "ddns-other-guard-is-dynamic release-on-roam bind-local-address6",
        "B": "min-secs adaptive-lease-time-threshold dhcp-cache-threshold log-threshold-low log-threshold-high",
        "t": "filename server-name ddns-domainname ddns-hostname ddns-rev-domainname lease-file-name "
        "pid-file-name dhcpv6-lease-file-name dhcpv6-pid-file-name ldap-server ldap-username "
        "ldap-password ldap-base-dn ldap-debug-file ldap-dhcp-server-cn",
        "I": "next-server limited-broadcast-address local-address ddns-local-address4",
        "U": "vendor-option-space",
        "X": "site-option-space",
        "S": "omapi-port local-port remote-port delayed-ack",
        "k": "omapi-key",
        "Nddns-styles.": "ddns-update-style",
        "Nsyslog-facilities.": "log-facility",
        "6": "ddns-local-address6 local-address6",
        "Nprefix_length_modes.": "prefix-length-mode",
    },
    "agent": {
        "X": "circuit-id remote-id",
        "I": "agent-id link-selection",
        "L": "DOCSIS-device-class",
        "Z": "relay-port",
    },
    "fqdn": {
        "f": "no-client-update server-update encoded",
        "B": "rcode1 rcode2",
        "t": "hostname domainname fqdn",
    },
    "nwip": {
        "f": "nsq-broadcast nwip-1-1",
        "IA": "preferred-dss nearest-nwip-server",
        "B": "autoretries autoretry-secs",
        "I": "primary-dss",
    },
    "vendor-class": {
        "X": "isc",
    },
    "vendor": {
        "Eisc.": "isc",
    },
    "isc": {
        "t": "media",
        "X": "update-assist",
    },
    "dhcp6": {
        "X": "client-id server-id ia-na ia-ta ia-addr relay-msg interface-id ia-pd ia-prefix geoconf-civic "
        "remote-id subscriber-id lq-query client-data relay-id bootfile-param client-linklayer-addr "
        "dhcpv4-msg",
        "SA": "oro ero client-arch-type",
        "B": "preference",
        "S": "elapsed-time relay-source-port",
        "6": "unicast link-address",
        "Nstatus-codes.to": "status-code",
        "Z": "rapid-commit reconf-accept",
        "Evsio.": "vendor-opts",
        "Ndhcpv6-messages.": "reconf-msg",
        "D": "sip-servers-names domain-search nis-domain-name nisp-domain-name bcms-server-d sip-ua-cs-list",
        "6A": "sip-servers-addresses name-servers nis-servers nisp-servers sntp-servers bcms-server-a "
        "pana-agent lq-client-link dhcp4-o-dhcp6-server ipv6-address-andsf",
        "T": "info-refresh-time",
        "Efqdn6-if-you-see-me-its-a-bug-bug-bug.": "fqdn",
        "t": "new-posix-timezone new-tzdb-timezone bootfile-url v6-captive-portal",
        "L": "clt-time solmax-rt inf-max-rt",
        "6X": "lq-relay-data",
        "d": "v6-lost v6-access-domain aftr-name erp-local-domain-name",
        "6a": "capwap-ac-v6",
        "BBB": "nii",
        "6BD": "rdnss-selection",
    },
    "vsio": {
        "Eisc6.": "isc",
    },
    "isc6": {
        "t": "media 4o6-interface",
        "X": "update-assist",
        "6": "4o6-source-address",
    },
}
_ENUMERATIONS = {
    "ddns-styles": ("none", "ad-hoc", "interim", "standard"),
    "syslog-facilities": (
        *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
        *(f"local{n}" for n in range(8)),
    ),
    "prefix_length_modes": ("ignore", "prefer", "exact", "minimum", "maximum"),
}
_BOOLEANS = {"true": "true", "on": "true", "false": "false", "off": "false", "ignore": "ignore"}
_BITS = {"L": 32, "l": 32, "S": 16, "s": 16, "B": 8, "b": 8, "T": 32}
_ELEMENT = re.compile(r"([NE])([^.]*)\.(o?)|([A-Za-z0-9])(a(?=.)|o?)")
_CODE = re.compile(r"unknown-([0-9]+)", re.IGNORECASE)
_PLAIN_BYTES = re.compile(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2})*")
_BYTES = re.compile(r"[0-9a-fA-F]+(:[0-9a-fA-F]+)*")
_NUMERIC = re.compile(r"[0-9. ]+")
_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")


def _spaces() -> dict[str, dict[str, str]]:
    return {
        space: {entry.partition("=")[0].lower(): form for form, names in forms.items() for entry in names.split()}
        for space, forms in _TABLES.items()
    }


_BUILT_IN = _spaces()
_CODES = {
    code: name for names in _TABLES["dhcp"].values() for name, _, code in (e.partition("=") for e in names.split())
}
SERVER = _BUILT_IN["server"]
"""dhcpd's own parameters, which are options of a space of their own: name and form."""


class Options:
    """The options of one configuration: those that dhcpd knows, and those that it defines, from there on."""

    def __init__(self) -> None:
        self._spaces = {space: dict(forms) for space, forms in _BUILT_IN.items()}

    def add_space(self, name: str) -> None:
        """A new option space."""
        self._spaces[name.lower()] = {}

    def knows_space(self, name: str) -> bool:
        """Whether there is such an option space."""
        return name.lower() in self._spaces

    def define(self, space: str, name: str, form: str) -> None:
        """A new option."""
        self._spaces[space][name] = form

    def split(self, words: Words) -> tuple[str, str]:
        """Take an option's name: its space and its name there."""
        word = words.peek()
        space, dot, name = word.partition(".")
        if not dot:
            return "dhcp", words.name("an option's name").lower()
        if not name or not all(Words((part,)).name() for part in (space, name)):
            raise words.wrong("an option's name")
        if space not in self._spaces:
            raise words.wrong("", f"there is no option space {space}{_hint(close(space, tuple(self._spaces)))}")
        words.at += 1
        return space, name

    def form(self, words: Words) -> str:
        """Take the name of an option that is known; return its form."""
        space, name = self.split(words)
        form = self.form_of(space, name)
        if form is None:
            words.at -= 1
            prefix = "" if space == "dhcp" else f"{space}."
            meant = close(name, tuple(self._spaces[space]))
            raise words.wrong("", f"there is no option {prefix}{name}{_hint(prefix + meant if meant else '')}")
        return form

    def form_of(self, space: str, name: str) -> str | None:
        """An option's form; None if there is no such option."""
        form = self._spaces[space].get(name)
        if form is None and (code := _CODE.fullmatch(name)) and int(code[1]) not in {0, 255 if space == "dhcp" else 0}:
            return self._spaces[space].get(_CODES.get(code[1], "")) or "X" if space == "dhcp" else "X"
        return form


def canonical_name(name: str) -> str:
    """An option's name, by which it may be written otherwise too."""
    name = name.lower()
    code = _CODE.fullmatch(name)
    return _CODES.get(code[1], name) if code else name


def _hint(meant: str) -> str:
    return f": {meant} is meant?" if meant else ""


@cache
def _elements(form: str) -> tuple[tuple[tuple[str, str, str], ...], bool]:
    """A form's values: letter, list or space, and how often; and whether the whole repeats."""
    whole = form.endswith(("A", "a")) and len(form) > 1
    last_alone = whole and form.endswith("a") and len(form) > 2  # noqa: PLR2004
    inner = form[:-1] if whole else form.replace("Dc", "D")
    found = [(m[1] or m[4], m[2] or "", m[3] or m[5] or "") for m in _ELEMENT.finditer(inner)]
    if last_alone:
        found[-1] = (found[-1][0], found[-1][1], "a")
    return tuple(found), whole and not last_alone


def value(words: Words, form: str, options: Options) -> None:
    """Take the value of an option or parameter."""
    if words.sign("="):
        data(words, options)
        return
    elements, whole = _elements(form)
    while True:
        for letter, kind, often in elements:
            if often == "o" and words.at == len(words.words):
                continue
            _one(words, letter, kind)
            while often == "a" and words.comma():
                _one(words, letter, kind)
        if not (whole and words.comma()):
            return


def _one(words: Words, letter: str, kind: str) -> None:  # noqa: C901, PLR0912  a line for each letter
    match letter:
        case "I":
            words.host()
        case "L" | "l" | "S" | "s" | "B" | "b":
            words.integer(_BITS[letter])
        case "T":
            if not words.skip("infinite"):
                words.integer(32)
        case "f":
            words.keyword(*_BOOLEANS)
        case "t":
            words.string_or_name()
        case "X" | "E":
            if words.peek()[:1] == '"':
                words.string()
            else:
                words.hexadecimal()
        case "U":
            words.name()
        case "k":
            if words.peek()[:1] == '"':
                words.string()
            else:
                words.domain()
        case "D":
            words.string()
            while words.comma():
                words.string()
        case "d":
            words.domain()
        case "6":
            words.ipv6()
        case "N":
            words.keyword(*_ENUMERATIONS[kind]) if kind in _ENUMERATIONS else words.name()
        case _:
            pass  # Z: no value


@cache
def _kind(form: str) -> str:
    """What the values of a form have in common, for their comparison."""
    letters = {letter for letter, _, _ in _elements(form)[0]}
    kinds = (
        ("numbers", set(_BITS)),
        ("flag", {"f"}),
        ("hosts", set("IDd")),
        ("names", set("Nk")),
        ("bytes", set("XE")),
    )
    return next((kind for kind, of in kinds if letters <= of), "text")


def meaning(text: str, form: str) -> str:
    """A value as it is compared: numbers as numbers, names without regard to case or a dot at their end."""
    kind = _kind(form)
    if kind == "names" or (kind == "bytes" and _PLAIN_BYTES.fullmatch(text)):
        return text.lower()
    if kind == "bytes":
        return ":".join(part.zfill(2) for part in text.lower().split(":")) if _BYTES.fullmatch(text) else text
    parts = text.split(", ") if ", " in text else (text,)
    match kind:
        case "numbers":
            return ", ".join(str(converted(part)) if CONVERTED.fullmatch(part) else part for part in parts)
        case "flag":
            return _BOOLEANS.get(text.lower(), text)
        case "hosts":
            return ", ".join(plain_host(part) for part in parts)
    return text


def plain_host(word: str) -> str:
    """An address or host name as it is compared: 192.168.001.010 is decimal for dhcpd, a name has no case."""
    if _NUMERIC.fullmatch(word):
        return _ZEROS.sub("", word)
    return word.strip('"').lower().removesuffix(".")
