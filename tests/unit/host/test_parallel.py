"""Nobody works on after the one who asked has gone on."""

from __future__ import annotations

import threading

import pytest

from labbuilder.host.parallel import for_each


def test_the_first_error_is_told_when_all_that_had_begun_has_ended() -> None:
    begun, go_on, ended = threading.Semaphore(0), threading.Event(), []

    def do(item: int) -> None:
        if item == 0:
            for _ in (1, 2):  # what has not begun would never be: the others are cancelled
                begun.acquire()
            threading.Timer(0.05, go_on.set).start()  # who does not wait has raised by then
            raise ValueError(item)
        begun.release()
        go_on.wait()
        ended.append(item)

    with pytest.raises(ValueError, match="0"):
        for_each(range(3), do)
    assert sorted(ended) == [1, 2]
