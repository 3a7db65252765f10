"""The table of all rules."""

from labbuilder.lint.rules import kea, pools, relation, server

RULES = (*relation.RULES, *pools.RULES, *server.RULES, *kea.RULES)
