"""The table of all rules."""

from labbuilder.lint.rules import kea, pools, relation, server

RULES = (*relation.rules.found, *pools.rules.found, *server.rules.found, *kea.rules.found)
