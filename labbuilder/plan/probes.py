"""Shell text that asks a machine what is true now; provisioning and verify ask the same."""

from __future__ import annotations

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

KEA = "nc -N -w 5 -U /run/kea/kea4-ctrl-socket"
_KEA_STATES = (
    f'echo \'{{"command": "status-get"}}\' | {KEA} | '
    'sed -n \'s/.*"local": {[^}]*"state": "\\([^"]*\\)".*"last-state": "\\([^"]*\\)".*/\\1\\/\\2/p\''
)

FAILOVER_STATES = {"isc": _ISC_STATES, "kea": _KEA_STATES}

NAT_RULES = "iptables -t nat -S POSTROUTING | grep ^-A"


def nat_rule(bridged_nic: str) -> str:
    """The one rule, as iptables writes it."""
    return f"-A POSTROUTING -o {bridged_nic} -j MASQUERADE"
