"""What dhcpd says of itself: its failover-state object, asked by OMAPI (dhcpd(8), omshell(1))."""

from __future__ import annotations

import re
from dataclasses import dataclass

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


def failover_state(*commands: str, within_s: int = _ASKED_WITHIN_S) -> str:
    """Return shell that opens the failover-state object, prints it, and says more to it; its exit status is no sign.

    Args:
        commands: What else is said to the object, in omshell's words.
        within_s: After so many seconds without an end it is ended; then nothing may have been printed.
    """
    more = "".join(f"{line}\\n" for line in commands)
    return (
        f'k=$(sed -n \'s/.*secret "\\([^"]*\\)".*/\\1/p\' {CONF}); '
        f"printf 'server 127.0.0.1\\nport {PORT}\\nkey-algorithm hmac-sha256\\nkey omapi %s\\nconnect\\n"
        f'new failover-state\\nset name = "lab"\\nopen\\n{more}\' "$k" | timeout {within_s} omshell'
    )


BOTH_NORMAL = f"[ \"$({failover_state()} | grep -cE '^(local|partner)-state = {_NORMAL}$')\" = 2 ]"


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
    """Read what omshell printed; of an attribute that was said twice the last one counts."""
    attributes = dict(re.findall(r"^([a-z-]+) = (.*)$", printed, re.MULTILINE))
    local, partner = (_state(attributes.get(f"{side}-state", "")) for side in ("local", "partner"))
    return FailoverState(local, partner, attributes)


def _state(value: str) -> str:
    """Return the name of a state: omshell prints the number as four bytes."""
    if not re.fullmatch(r"[0-9a-f]{1,2}(:[0-9a-f]{1,2}){3}", value):
        return ""
    number = int("".join(f"{int(byte, 16):02x}" for byte in value.split(":")), 16)
    return STATES.get(number, f"state {number}")
