"""Shell text that asks a machine what is true now; provisioning and verify ask the same."""

from __future__ import annotations

from ipaddress import IPv4Address

# The lease file may still say "normal" from before a reboot, so this start's own journal is read: what systemd
# calls the unit's invocation. The last word on each peer counts. A partner that was remembered as normal, and is, moves
# nowhere: of that only "Both servers normal" tells.
_ISC_STATES = (
    "i=$(systemctl show -P InvocationID isc-dhcp-server); "
    'journalctl -q -o cat --no-pager "_SYSTEMD_INVOCATION_ID=$i" | '
    "awk '/failover peer lab: I move from/ {me=$NF} /failover peer lab: peer moves from/ {peer=$NF} "
    '/failover peer lab: Both servers normal/ {me = peer = "normal"} '
    'END {print me "/" peer}\''
)

OMAPI_CONF = "/etc/dhcp/omapi.conf"
OMAPI_PORT = 7911

KEA = "nc -N -w 5 -U /run/kea/kea4-ctrl-socket"
_KEA_STATES = (
    f'echo \'{{"command": "status-get"}}\' | {KEA} | '
    'sed -n \'s/.*"local": {[^}]*"state": "\\([^"]*\\)".*"last-state": "\\([^"]*\\)".*/\\1\\/\\2/p\''
)


def kea_partner_states(address: IPv4Address, port: int) -> str:
    """Shell that prints what the partner says of itself and of this Kea, if it met this one since it started.

    A Kea that is restarted within a heartbeat is not missed: its partner trips over the dead connection a second later.
    """
    asked = '{"command": "status-get"}'
    head = f"POST / HTTP/1.0\\r\\nContent-Type: application/json\\r\\nContent-Length: {len(asked)}\\r\\n\\r\\n"
    seen = '"local": {[^}]*"state": "\\([^"]*\\)".*"age": \\([0-9]*\\).*"last-state": "\\([^"]*\\)"'
    return (
        f"up=$(echo '{asked}' | {KEA} | sed -n 's/.*\"uptime\": \\([0-9]*\\).*/\\1/p'); "
        f"set -- $(printf '{head}{asked}' | nc -N -w 2 {address} {port} | sed -n 's/.*{seen}.*/\\1 \\2 \\3/p'); "
        '[ "$2" -lt "$up" ] && echo "$1/$3"'
    )


def omapi(*told: str) -> str:
    """Shell that opens dhcpd's failover-state object, prints it, and tells it more; its exit status says nothing."""
    more = "".join(f"{line}\\n" for line in told)
    return (
        f'k=$(sed -n \'s/.*secret "\\([^"]*\\)".*/\\1/p\' {OMAPI_CONF}); '
        f"printf 'server 127.0.0.1\\nport {OMAPI_PORT}\\nkey-algorithm hmac-sha256\\nkey omapi %s\\nconnect\\n"
        f'new failover-state\\nset name = "lab"\\nopen\\n{more}\' "$k" | omshell'
    )


OMAPI_STATE = omapi()

FAILOVER_STATES = {"isc": _ISC_STATES, "kea": _KEA_STATES}

NAT_RULES = "iptables -t nat -S POSTROUTING | grep ^-A"


def nat_rule(bridged_nic: str) -> str:
    """The one rule, as iptables writes it."""
    return f"-A POSTROUTING -o {bridged_nic} -j MASQUERADE"
