"""Cross-peer lint: what is wrong between two configurations of a failover pair, also ones written by hand.

    findings = lint_pair(Path("a/dhcpd.conf"), Path("b/dhcpd.conf"), clients=100)

or on text that is in no file: ``lint_pair(Config("server1", text_a), Config("server2", text_b))``; one server by
itself: ``lint_server(Path("dhcpd.conf"))``.
"""

from labbuilder.lint.model import Engine, Finding, Pair, Severity
from labbuilder.lint.pair import lint_pair, lint_server
from labbuilder.lint.source import Config, Place

__all__ = ["Config", "Engine", "Finding", "Pair", "Place", "Severity", "lint_pair", "lint_server"]
