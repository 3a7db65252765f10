"""The table of all rules."""

from labbuilder.lint.rules import clients, kea, kea_differ, kea_refused, pools, relation, server, settings

RULES = (
    *relation.rules.found,
    *pools.rules.found,
    *settings.rules.found,
    *clients.rules.found,
    *server.rules.found,
    *kea_refused.rules.found,
    *kea.rules.found,
    *kea_differ.rules.found,
)
