"""What two Kea configurations have to do with each other: a hub has other partners and other subnets too."""

from __future__ import annotations

from dataclasses import replace

from labbuilder.lint.model import Host, Peer, Pool, Relation, Subnet


def shared(a: Peer, b: Peer) -> tuple[Peer, Peer]:
    """Both, with the relationships that they have with each other and the subnets of these alone.

    With one relationship each, whatever its servers are called, everything is shared.
    """
    if min(len(a.relations), len(b.relations)) == 0 or len(a.relations) == len(b.relations) == 1:
        return a, b
    couples = [(mine, theirs) for mine in a.relations if (theirs := _other_end(mine, b.relations)) is not None]
    ends = tuple(mine for mine, _ in couples), tuple(replace(theirs, name=mine.name) for mine, theirs in couples)
    return _with(a, ends[0]), _with(b, ends[1])


def _other_end(mine: Relation, theirs: tuple[Relation, ...]) -> Relation | None:
    """The relationship with the same servers, or most of them."""

    def common(other: Relation) -> int:
        return len({member.name for member in mine.members} & {member.name for member in other.members})

    best = max(theirs, key=common)
    return best if common(best) else None


def _with(peer: Peer, relations: tuple[Relation, ...]) -> Peer:
    if len(peer.relations) == 1:
        return replace(peer, relations=relations) if relations else _empty(peer)
    names = {member.name for relation in relations for member in relation.members}

    def of_them(entry: Subnet | Pool | Host) -> bool:
        return entry.server in names

    return replace(
        peer,
        relations=relations,
        subnets=tuple(filter(of_them, peer.subnets)),
        pools=tuple(filter(of_them, peer.pools)),
        hosts=tuple(host for host in peer.hosts if of_them(host) or not host.where),
    )


def _empty(peer: Peer) -> Peer:
    return replace(peer, relations=(), subnets=(), pools=(), hosts=())
