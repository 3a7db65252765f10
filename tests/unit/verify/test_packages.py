"""What dpkg says of the files that a machine starts from."""

from __future__ import annotations

import pytest

from labbuilder.host.run import Result
from labbuilder.lab import Lab
from labbuilder.verify.packages import packages_check

MACHINE = Lab("t").add_server().plan().machines[0]
FINE = """\
missing     /usr/share/doc/ifupdown
missing     /usr/share/man/man5/interfaces.5.gz
missing     /usr/share/locale/de/LC_MESSAGES/procps-ng.mo
??5?????? c /etc/bind/named.conf.local
??5?????? c /etc/dhcp/dhcpd.conf
"""


@pytest.mark.parametrize(
    "more",
    [
        "",
        "??5?????? c /etc/default/named\n",
        "missing     /usr/sbin/named\n",
        "missing   c /etc/default/networking\n",
        "dpkg-query: package 'bind9' is not installed\n",
    ],
)
def test_what_is_neither_planned_nor_read_by_people_alone_must_be_as_it_was(more: str) -> None:
    made = packages_check(MACHINE, ["bind9", "ifupdown"]).judge(Result((), 1, FINE + more))
    assert (made.passed, made.observed) == (not more, more.strip() or "unchanged")
