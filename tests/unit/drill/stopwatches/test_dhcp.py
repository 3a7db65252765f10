"""What a capture says: each figure by a small conversation, and by its contrary."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from labbuilder.drill.model import Kind, Message, Outage
from labbuilder.drill.stopwatches.dhcp import duplicates, exchanges, lost_leases
from labbuilder.drill.stopwatches.outage import outage

A, B = "06:00:00:00:00:01", "06:00:00:00:00:02"


def say(at_s: float, kind: str, client: str = A, **more: object) -> Message:
    fields = {"xid": 1, "secs": 0, "server": None, "address": None, **more}
    return Message(at_s=at_s, type=kind, client=client, **fields)  # type: ignore[arg-type]


def dora(at_s: float, client: str = A, *, server: str = "s1", address: str = "192.168.1.100") -> list[Message]:
    given = {"server": server, "address": address, "lease_s": 60}
    return [
        say(at_s, "DISCOVER", client),
        say(at_s + 0.01, "OFFER", client, **given),
        say(at_s + 0.02, "REQUEST", client, server=server, address=address),
        say(at_s + 0.03, "ACK", client, **given),
    ]


def renewal(at_s: float, client: str = A, *, broadcast: bool = False) -> Message:
    return say(at_s, "REQUEST", client, address="192.168.1.100", renewing=True, broadcast=broadcast)


def felt(messages: Sequence[Message], kind: Kind = Kind.NEW, *, until_s: float = 10.0) -> Outage:
    holds_by = (Kind.RENEW,) if kind is Kind.REBIND else ()
    return outage(kind, exchanges(messages), until_s=until_s, holds_by=holds_by)


def test_a_repeated_discover_is_one_wish_that_waits_from_its_first() -> None:
    (wish,) = exchanges([say(1.0, "DISCOVER"), say(2.0, "DISCOVER"), *dora(3.0)])
    assert (wish.kind, wish.asked_at_s, wish.answered_at_s, wish.server) == (Kind.NEW, 1.0, 3.03, "s1")


def test_a_wish_without_ack_stays_unanswered() -> None:
    (wish,) = exchanges([say(1.0, "DISCOVER"), say(1.1, "OFFER", server="s1")])
    assert wish.answered_at_s is None


def test_a_rebind_waits_from_the_renewal_that_was_not_heard() -> None:
    ack = say(4.0, "ACK", server="s2", address="192.168.1.100")
    renew, rebind = exchanges([renewal(1.0), renewal(2.0), renewal(3.0, broadcast=True), ack])
    assert (renew.kind, renew.answered_at_s) == (Kind.RENEW, None)
    assert (rebind.kind, rebind.asked_at_s, rebind.answered_at_s) == (Kind.REBIND, 1.0, 4.0)


def test_the_outage_lasts_from_the_last_ack_before_the_fault_to_the_first_after_it() -> None:
    messages = [*dora(-1.0), *dora(-0.5), *dora(2.0), *dora(3.0)]
    seen = felt(messages)
    assert seen.seconds == pytest.approx(2.5)
    assert seen.resolution_s == pytest.approx(0.5)
    assert (seen.asked, seen.answered) == (2, 2)


def test_an_answer_while_the_fault_was_being_carried_out_does_not_end_the_outage() -> None:
    messages = [*dora(-1.0), *dora(0.02), *dora(4.0), *dora(4.1)]
    (late, early) = (outage(Kind.NEW, exchanges(messages), broken_at_s=when, until_s=9.0) for when in (0.1, 0.0))
    assert late.seconds == pytest.approx(3.98)
    assert early.seconds == pytest.approx(1.02)


def test_who_is_never_served_again_has_no_figure_even_when_the_fault_took_its_time() -> None:
    found = exchanges([*dora(-1.0), *dora(0.02)])
    assert outage(Kind.NEW, found, broken_at_s=0.1, until_s=9.0).seconds is None


def test_two_servers_acknowledge_and_the_one_that_was_asked_counts() -> None:
    asked, other = dora(0.0, server="s2"), say(0.025, "ACK", server="s1", address="192.168.1.100")
    (wish,) = exchanges([*asked[:3], other, asked[3]])
    assert wish.server == "s2"


def test_an_answer_after_the_repair_ends_no_outage() -> None:
    assert felt([*dora(-1.0), say(1.0, "DISCOVER"), *dora(5.0, B)], until_s=4.0).seconds is None


def test_who_waited_at_the_repair_no_longer_than_before_the_fault_is_not_counted() -> None:
    seen = felt([*dora(-1.0), *dora(2.0), *dora(3.98, B)], until_s=4.0)
    assert (seen.asked, seen.answered) == (1, 1)


def test_who_waited_at_the_repair_longer_than_before_the_fault_was_not_served() -> None:
    seen = felt([*dora(-1.0), *dora(2.0), *dora(3.9, B)[:1], *dora(4.1, B)[1:]], until_s=4.0)
    assert (seen.asked, seen.answered, seen.unserved) == (2, 1, 1)


def test_the_longest_wait_is_that_of_a_client_that_asked_during_the_fault_and_was_served() -> None:
    messages = [*dora(-0.2), say(1.0, "DISCOVER", B), *dora(2.0), *dora(5.0, B)[1:]]
    assert felt(messages).longest_wait_s == pytest.approx(4.03)


def test_a_rebind_is_measured_from_the_last_answer_that_a_holder_had() -> None:
    before = [renewal(-1.0), say(-0.9, "ACK", server="s1", address="192.168.1.100")]
    after = [renewal(1.0), renewal(4.0, broadcast=True), say(4.1, "ACK", server="s2", address="192.168.1.100")]
    assert felt([*before, *after], Kind.REBIND).seconds == pytest.approx(5.0)
    assert felt([*before, *after], Kind.RENEW).seconds is None


def test_an_address_of_two_clients_is_found() -> None:
    assert duplicates([*dora(0.0, A), *dora(1.0, B)], {}) == (f"192.168.1.100: {A} and {B}",)


def test_an_address_that_the_labs_own_client_holds_is_found() -> None:
    assert duplicates(dora(0.0, B), {"192.168.1.100": A})


@pytest.mark.parametrize(
    "between",
    [[say(0.5, "RELEASE", A, address="192.168.1.100")], [say(61.0, "DISCOVER", B)]],
    ids=["given back", "run out"],
)
def test_an_address_may_go_on_to_another_client(between: list[Message]) -> None:
    start = max(message.at_s for message in between)
    assert duplicates([*dora(0.0, A), *between, *dora(start + 1, B)], {}) == ()


def test_a_lease_that_is_refused_while_it_runs_is_lost() -> None:
    assert lost_leases([*dora(0.0), renewal(5.0), say(5.1, "NAK", server="s2")]) == (
        f"{A}: 192.168.1.100 was refused by s2",
    )


def test_a_lease_that_becomes_another_address_is_lost() -> None:
    other = say(5.1, "ACK", server="s2", address="192.168.1.101", lease_s=60)
    assert lost_leases([*dora(0.0), renewal(5.0), other]) == (f"{A}: 192.168.1.100 became 192.168.1.101, by s2",)


def test_who_asks_for_a_new_address_has_given_up_the_old_one() -> None:
    assert lost_leases([*dora(0.0), *dora(5.0, server="s2", address="192.168.1.101")]) == ()


def test_a_lease_that_was_given_back_or_has_run_out_is_not_lost() -> None:
    back = [*dora(0.0), say(1.0, "RELEASE", address="192.168.1.100"), *dora(2.0, address="192.168.1.101")]
    assert lost_leases(back) == ()
    assert lost_leases([*dora(0.0), *dora(61.0, address="192.168.1.101")]) == ()
