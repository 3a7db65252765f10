"""What dhcpd says of itself: its failover-state object, asked by OMAPI (dhcpd(8), omshell(1))."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNIT = "isc-dhcp-server"
CONF = "/etc/dhcp/omapi.conf"
PORT = 7911
PARTNER_DOWN = 4
_ASKED_WITHIN_S = 5  # omshell itself waits for ever
PATIENT_S = 20  # of a proof: beyond the first limit of its probes, so that a slow machine is asked again

# dhcpd(8), "The failover-state object"; 254 is said of the pause that the partner's leases need.
STATES = {
    1: "startup",
    2: "normal",
    3: "communications-interrupted",
    PARTNER_DOWN: "partner-down",
    5: "potential-conflict",
    6: "recover",
    7: "paused",
    8: "shutdown",
    9: "recover-done",
    10: "resolution-interrupted",
    11: "conflict-done",
    254: "recover-wait",
}
_NORMAL = "00:00:00:02"

# The key never leaves the machine: omshell runs beside dhcpd.
HAS_KEY = f"grep -qs '^[^#]*omapi-port {PORT};' {CONF}"
MAKE_KEY = (
    f"{HAS_KEY} || ( umask 077; k=$(head -c 32 /dev/urandom | base64 -w0); "
    'echo "key omapi { algorithm hmac-sha256; secret \\"$k\\"; }; omapi-key omapi; '
    f'omapi-port {PORT};" >{CONF} ); chown root:root {CONF}; chmod 600 {CONF}'
)


# What omshell must be told to open the failover-state object, by whatever names, key and port dhcpd was given.
_OPENS = r"""s/#.*//g; $c .= $_; END {
($p) = $c =~ /\bomapi-port\s+(\d+)/ and ($n) = $c =~ /\bfailover\s+peer\s+"?([^"\s{;]+)"?\s*\{/ or exit 1;
print "server 127.0.0.1\nport $p\n";
if (($k) = $c =~ /\bomapi-key\s+"?([^"\s;]+)/) {
($b) = $c =~ /\bkey\s+"?\Q$k\E"?\s*\{([^}]*)\}/;
print "key-algorithm $1\n" if $b =~ /algorithm\s+"?([^"\s;]+)/;
print "key $k $1\n" if $b =~ /secret\s+"?([^"\s;]+)/;
}
print "connect\nnew failover-state\nset name = \"$n\"\nopen\n";
}"""
# Without OMAPI: what the dhcpd that runs has written in the journal.
_JOURNAL = (
    f"systemctl -q is-active {UNIT} && journalctl -q -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID "
    f"{UNIT}) | grep -E '^failover peer .*: (I move|peer moves) from '"
)


def failover_state(*commands: str, within_s: int = _ASKED_WITHIN_S) -> str:
    """Return shell that opens the failover-state object, prints it, and says more to it; its exit status is no sign.

    A dhcpd that was given no OMAPI says nothing more; then its journal is printed.

    Args:
        commands: What else is said to the object, in omshell's words.
        within_s: After so many seconds without an end it is ended; then nothing may have been printed.
    """
    more = "".join(f"{line}\\n" for line in commands)
    return (
        f"if opens=$(perl -0777 -ne '{_OPENS}' /etc/dhcp/*.conf); "
        f"then printf '%s\\n{more}' \"$opens\" | timeout {within_s} omshell; else {_JOURNAL}; fi"
    )


# Of our own files, so that who waits for it looks often.
_ASKED = (
    f'k=$(sed -n \'s/.*secret "\\([^"]*\\)".*/\\1/p\' {CONF}); '
    f"printf 'server 127.0.0.1\\nport {PORT}\\nkey-algorithm hmac-sha256\\nkey omapi %s\\nconnect\\n"
    f'new failover-state\\nset name = "lab"\\nopen\\n\' "$k" | timeout {_ASKED_WITHIN_S} omshell'
)
BOTH_NORMAL = f"[ \"$({_ASKED} | grep -cE '^(local|partner)-state = {_NORMAL}$')\" = 2 ]"


@dataclass(frozen=True)
class FailoverState:
    """dhcpd's failover-state object.

    Attributes:
        local: Its own state, as dhcpd's log calls it; empty when it did not say.
        partner: The partner's last state that it knows of.
        attributes: All that it says, by OMAPI's names, as omshell prints it.
    """

    local: str
    partner: str
    attributes: dict[str, str]


def parse(printed: str) -> FailoverState:
    """Read what omshell printed, or dhcpd wrote; of what was said twice the last one counts."""
    attributes = dict(re.findall(r"^([a-z-]+) = (.*)$", printed, re.MULTILINE))
    moved = dict(re.findall(r"^failover peer .*: (I move|peer moves) from \S+ to (\S+)$", printed, re.MULTILINE))
    local = _state(attributes.get("local-state", "")) or moved.get("I move", "")
    partner = _state(attributes.get("partner-state", "")) or moved.get("peer moves", "")
    return FailoverState(local, partner, attributes)


def _state(value: str) -> str:
    """Return the name of a state: omshell prints the number as four bytes."""
    if not re.fullmatch(r"[0-9a-f]{1,2}(:[0-9a-f]{1,2}){3}", value):
        return ""
    number = int("".join(f"{int(byte, 16):02x}" for byte in value.split(":")), 16)
    return STATES.get(number, f"state {number}")
