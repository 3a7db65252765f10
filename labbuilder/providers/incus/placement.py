"""Which member of the cluster each machine goes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labbuilder.errors import SpecError


@dataclass(frozen=True)
class Member:
    """A member of the cluster.

    Attributes:
        url: Where the other members reach it.
        online: It answers the others.
        groups: The cluster groups that it is in.
    """

    name: str
    url: str
    online: bool = True
    groups: tuple[str, ...] = ()


def place(
    machines: Iterable[str],
    members: Sequence[Member],
    asked: Mapping[str, str],
    *,
    taken: Mapping[str, str],
    spread: bool,
    turn: int = 0,
) -> dict[str, str | None]:
    """The member of each machine; None where there is no cluster.

    Machines come in the order of their weight, the primary first: each that the user did not place goes where the
    fewest of the lab are, so the first two are on different members.

    Args:
        machines: Their names.
        members: All members.
        asked: The user's wishes: machine to member, or to "@group".
        taken: Where machines of the lab are already.
        spread: Use all members; otherwise those that were not placed share one.
        turn: Where to begin among equals, so that labs begin at different members.

    Raises:
        SpecError: A wish can't be met.
    """
    check_wishes(asked, members)
    if not members:
        return dict.fromkeys(machines)
    order = [members[(turn + n) % len(members)] for n in range(len(members))]
    counts = Counter(taken.values())
    placed: dict[str, str | None] = {}
    shared = next(iter(taken.values()), None)
    for machine in machines:
        wish = asked.get(machine)
        if wish is None and shared is not None and not spread:
            wish = shared
        chosen = min(_allowed(machine, wish, order), key=lambda member: counts[member.name]).name
        if machine not in asked:
            shared = shared or chosen
        placed[machine] = chosen
        counts[chosen] += 1
    return placed


def check_wishes(asked: Mapping[str, str], members: Sequence[Member]) -> None:
    """Raise for a wish that can't be met.

    Raises:
        SpecError: There is no cluster, no such member or group, or none of them is online.
    """
    if asked and not members:
        raise SpecError(
            brief="placement: this Incus is no cluster",
            resolution="leave placement out, or use the cluster's --remote",
        )
    for machine, wish in asked.items():
        _allowed(machine, wish, members)


def _allowed(machine: str, wish: str | None, members: Sequence[Member]) -> list[Member]:
    group = wish[1:] if wish and wish.startswith("@") else None
    named = [m for m in members if wish is None or m.name == wish or (group and group in m.groups)]
    found = [member for member in named if member.online]
    if not found:
        why = f"{wish} is offline" if named else f"no member is in a group {group}" if group else f"no member is {wish}"
        shown = ", ".join(
            f"{m.name}{'' if m.online else ' (offline)'} in {', '.join(f'@{g}' for g in m.groups) or 'no group'}"
            for m in members
        )
        raise SpecError(
            brief=f"{machine} can be placed nowhere: {why if wish else 'all members are offline'}",
            details=f"Members: {shown}",
            resolution="incus cluster list shows them; change placement: in the spec, or switch the member on",
        )
    return found
