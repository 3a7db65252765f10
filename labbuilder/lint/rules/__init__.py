"""The table of all rules."""

from labbuilder.lint.rules import kea, kea_differ, kea_refused, pools, relation, server

RULES = (
    *relation.rules.found,
    *pools.rules.found,
    *server.rules.found,
    *kea_refused.rules.found,
    *kea.rules.found,
    *kea_differ.rules.found,
)
