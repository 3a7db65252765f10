"""Doing what does not depend on each other at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def for_each(items: Iterable[Item], do: Callable[[Item], Answer], *, at_once: int | None = None) -> list[Answer]:
    """Call ``do`` on every item, each in a thread of its own; return the answers in the items' order.

    Args:
        items: What is done something to.
        do: What.
        at_once: So many threads at most; None: as many as items.

    Raises:
        Exception: The first error, when all that had begun has ended: nobody works on after who asked has gone on.
        KeyboardInterrupt: At once.
    """
    everything = list(items)
    if not everything:
        return []
    pool = ThreadPoolExecutor(max_workers=at_once or len(everything))
    try:
        futures: list[Future[Answer]] = [pool.submit(do, item) for item in everything]
        wait(futures, return_when=FIRST_EXCEPTION)
        failed = next((f for f in futures if f.done() and f.exception()), None)
        if failed is not None:
            pool.shutdown(cancel_futures=True)
            failed.result()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # so that Ctrl-C is heard at once


def one_by_one(items: Iterable[Item], do: Callable[[Item], Answer]) -> list[Answer]:
    """As `for_each`, but one after the other."""
    return [do(item) for item in items]
