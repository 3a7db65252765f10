"""What netfilter does in a machine: nothing but what its rules at boot say."""

from __future__ import annotations

_HOOKS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
_CHAINS = {table: "".join(f":{hook} ACCEPT\\n" for hook in hooks) for table, hooks in _HOOKS.items()}

# Tables that nobody has touched are not asked for: the kernel would make them.
RULES = "iptables-save | sed -nE '/^-A/p; /^:[^ ]+ DROP/p'"
"""Shell that prints all rules, and every chain that drops what no rule speaks of."""

OPEN = (
    "for table in $(iptables-save | sed -n 's/^[*]//p'); do case $table in "
    + "".join(f"{table}) chains='{chains}';; " for table, chains in _CHAINS.items())
    + '*) chains=;; esac; printf "*$table\\n${chains}COMMIT\\n" | iptables-restore; done'
)
"""Shell that takes all rules away."""
