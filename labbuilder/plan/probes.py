"""Shell text that asks a machine what is true now; provisioning and verify ask the same."""

from __future__ import annotations

# The lease file may still say "normal" from before a reboot, so this start's own journal is read: what systemd
# calls the unit's invocation. The last word on each peer counts. A partner that was remembered as normal, and is, moves
# nowhere: of that only "Both servers normal" tells.
FAILOVER_STATES = (
    "i=$(systemctl show -P InvocationID isc-dhcp-server); "
    'journalctl -q -o cat --no-pager "_SYSTEMD_INVOCATION_ID=$i" | '
    "awk '/failover peer lab: I move from/ {me=$NF} /failover peer lab: peer moves from/ {peer=$NF} "
    '/failover peer lab: Both servers normal/ {me = peer = "normal"} '
    'END {print me "/" peer}\''
)

NAT_RULES = "iptables -t nat -S POSTROUTING | grep ^-A"


def nat_rule(bridged_nic: str) -> str:
    """The one rule, as iptables writes it."""
    return f"-A POSTROUTING -o {bridged_nic} -j MASQUERADE"
