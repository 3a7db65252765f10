"""Exchanges into an outage: the same reckoning for every stopwatch. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import pairwise

from labbuilder.drill.model import Exchange, Outage


def outage(
    kind: str,
    found: Sequence[Exchange],
    *,
    broken_at_s: float = 0.0,
    until_s: float,
    holds_by: Collection[str] = (),
) -> Outage:
    """What clients of one kind felt.

    Who waited at the end no longer than any did before the fault is not counted: its answer was not late.

    Args:
        kind: What they wanted.
        found: All exchanges; the fault begins at 0.
        broken_at_s: When it has surely happened: an answer before that may have come in time.
        until_s: When it was mended, or the measurement ended.
        holds_by: Answers of these kinds too are the last ones before the fault: a holder rebinds only when its
            renewals are not answered.
    """
    kinds = {kind, *holds_by}
    answers = sorted((e.answered_at_s, e.kind) for e in found if e.answered_at_s is not None and e.kind in kinds)
    before = [at for at, _ in answers if at <= broken_at_s]
    after = [at for at, answered in answers if broken_at_s < at < until_s and answered == kind]
    usual_s = max((_waited_s(e) for e in found if e.kind == kind and _answered_by(e, 0.0)), default=0.0)
    asked = [
        e
        for e in found
        if e.kind == kind
        and 0 <= e.asked_at_s < until_s
        and (_answered_by(e, until_s) or until_s - e.asked_at_s > usual_s)
    ]
    served = [e for e in asked if _answered_by(e, until_s)]
    meanwhile = [end - start for start, end in pairwise(before) if end > 0]
    return Outage(
        kind=kind,
        asked=len(asked),
        answered=len(served),
        seconds=max([after[0] - before[-1], *meanwhile]) if before and after else None,
        longest_wait_s=max(map(_waited_s, served), default=None),
        resolution_s=max((end - start for start, end in pairwise(before) if end <= 0), default=0.0),
    )


def _answered_by(exchange: Exchange, at_s: float) -> bool:
    return exchange.answered_at_s is not None and exchange.answered_at_s < at_s


def _waited_s(exchange: Exchange) -> float:
    return math.inf if exchange.answered_at_s is None else exchange.answered_at_s - exchange.asked_at_s
