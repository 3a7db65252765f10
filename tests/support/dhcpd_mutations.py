"""A dhcpd.conf with something of everything, and seeded changes: dropped, doubled, misspelt, moved, other values."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import NamedTuple

BASE = """\
authoritative;
ddns-update-style none;
default-lease-time 600;
max-lease-time 0x1c20;
min-secs 3;
log-facility local7;
one-lease-per-client on;
deny duplicates;
ignore client-updates;
omapi-port 7911;
key omapi_key { algorithm hmac-sha256; secret "c2VjcmV0IG9mIHRoZSB0ZXN0cyBhbG9uZQ=="; };
omapi-key omapi_key;
option domain-name "lab.test";
option domain-search "lab.test", "example.org";
option domain-name-servers 192.168.1.2, ns.lab.test;
option ntp-servers 192.168.1.9;
option interface-mtu 1500;
option ip-forwarding false;
option rack code 200 = { integer 8, text };
option ports code 201 = array of unsigned integer 16;
option space box;
option box.server code 1 = ip-address;
option rack 7 "left";
option ports 80, 443;
option fqdn.rcode2 255;
option static-routes 10.0.0.0 192.168.1.1;
zone lab.test. { primary 127.0.0.1; key omapi_key; }
failover peer "lab" {
  primary;
  address 192.168.1.2;
  port 647;
  peer address 192.168.1.3;
  peer port 647;
  max-response-delay 30;
  max-unacked-updates 10;
  load balance max seconds 3;
  mclt 600;
  split 128;
  auto-partner-down 0;
}
class "phones" {
  match if substring(option vendor-class-identifier, 0, 4) = "Ciso" or option host-name = "phone";
  vendor-option-space box;
  option box.server 192.168.1.9;
  lease limit 4;
}
class "known" { match hardware; }
subclass "known" 1:02:00:00:00:00:01;
subclass "known" 1:02:00:00:00:00:02 { option root-path "/x"; }
subnet 192.168.1.0 netmask 255.255.255.0 {
  option routers 192.168.1.1;
  option broadcast-address 192.168.1.255;
  next-server 192.168.1.2;
  filename "pxelinux.0";
  pool {
    failover peer "lab";
    deny dynamic bootp clients;
    allow members of "phones";
    range 192.168.1.100 192.168.1.149;
    range 192.168.1.151 192.168.1.199;
  }
  pool {
    allow known-clients;
    range 192.168.1.210;
    max-lease-time 60;
  }
  host inside { hardware ethernet 02:00:00:00:00:09; fixed-address 192.168.1.9; }
}
shared-network floor {
  not authoritative;
  subnet 10.1.0.0 netmask 255.255.255.0 { option routers 10.1.0.1; }
  subnet 10.2.0.0 netmask 255.255.0.255 { }
  pool { failover peer "lab"; range 10.1.0.10 10.1.0.99; deny members of "known"; }
}
group staff {
  use-host-decl-names true;
  host one { hardware ethernet 2:0:0:0:0:1; fixed-address 192.168.1.10, one.lab.test; option host-name "one"; }
  host two { uid 01:02:03; ddns-hostname "two"; }
}
host three { group staff; option dhcp-client-identifier 1:2:3; }
if option user-class = "gPXE" and not known {
  filename "http://192.168.1.2/boot";
} elsif exists agent.circuit-id {
  filename "lpxelinux.0";
} else {
  option root-path "/srv";
}
on commit or expiry {
  set leased = binary-to-ascii(10, 8, ".", leased-address);
  execute("/usr/local/bin/note", "commit", leased, concat(hardware, "x"));
  log(info, pick-first-value(host-decl-name, "none"));
}
switch (lcase(option host-name)) {
  case "a": log("a"); break;
  default: unset leased;
}
"""
_STATEMENT = re.compile(r"[^;{}]*(?:;|\{[^{}]*\})", re.DOTALL)
_WORD = re.compile(r'"[^"\n]*"|[A-Za-z0-9][\w.:-]*')
_VALUES = (
    *("0", "1", "-1", "300", "70000", "1h", "0x10", "08", "99999999999", "192.168.1.5", "192.168.1.300", "192.168.1"),
    *("10.1.0.20", "10.9.9.9", "ns.lab.test", '"text"', '"x.y"', "true", "off", "infinite", "0:1:2", "zz", "known"),
    *("ethernet", "lab", '"lab"', '"phones"', '"nobody"', "omapi_key", "standard", "local3", "routers", "range"),
)
_SIGNS = ';{}",()=:.#'


class Mutant(NamedTuple):
    """A changed configuration, and what was changed."""

    what: str
    text: str


def mutants(count: int, seed: int) -> Iterator[Mutant]:
    """So many changed configurations; the same for the same seed."""
    dice = random.Random(seed)
    kinds = (_dropped, _doubled, _misspelt, _moved, _valued, _valued, _signed)
    for _ in range(count):
        kind = dice.choice(kinds)
        what, text = kind(dice, BASE)
        yield Mutant(f"{kind.__name__[1:]} {what}", text)


def _statement(dice: random.Random, text: str) -> tuple[int, int]:
    """One statement without blocks in it, or a whole innermost block."""
    match = dice.choice(list(_STATEMENT.finditer(text)))
    return match.span()


def _dropped(dice: random.Random, text: str) -> tuple[str, str]:
    begin, end = _statement(dice, text)
    return text[begin:end].strip(), text[:begin] + text[end:]


def _doubled(dice: random.Random, text: str) -> tuple[str, str]:
    begin, end = _statement(dice, text)
    return text[begin:end].strip(), text[:end] + text[begin:end] + text[end:]


def _moved(dice: random.Random, text: str) -> tuple[str, str]:
    begin, end = _statement(dice, text)
    piece, rest = text[begin:end], text[:begin] + text[end:]
    at = dice.choice([match.end() for match in re.finditer(r"[;{}]", rest)])
    return f"{piece.strip()} to {rest.count(chr(10), 0, at) + 1}", rest[:at] + piece + rest[at:]


def _misspelt(dice: random.Random, text: str) -> tuple[str, str]:
    match = dice.choice(list(_WORD.finditer(text)))
    word = match[0]
    at = dice.randrange(len(word))
    letter = dice.choice("aeiorst-.0")
    new = dice.choice((word[:at] + word[at + 1 :], word[:at] + letter + word[at:], word[:at] + letter + word[at + 1 :]))
    return f"{word} to {new}", text[: match.start()] + new + text[match.end() :]


def _valued(dice: random.Random, text: str) -> tuple[str, str]:
    match = dice.choice(list(_WORD.finditer(text)))
    new = dice.choice(_VALUES)
    return f"{match[0]} to {new}", text[: match.start()] + new + text[match.end() :]


def _signed(dice: random.Random, text: str) -> tuple[str, str]:
    """A sign is lost, or is one too many."""
    places = [match.start() for match in re.finditer(f"[{re.escape(_SIGNS)}]", text)]
    at = dice.choice(places)
    line = text.count("\n", 0, at) + 1
    if dice.random() < 0.7:
        return f"no {text[at]} in line {line}", text[:at] + text[at + 1 :]
    sign = dice.choice(_SIGNS)
    return f"{sign} in line {line}", text[:at] + sign + text[at:]
