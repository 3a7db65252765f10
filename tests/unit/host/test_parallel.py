"""Nobody works on after the one who asked has gone on."""

from __future__ import annotations

import threading

import pytest

from labbuilder.host.parallel import for_each


def test_the_first_error_is_told_when_all_that_had_begun_has_ended() -> None:
    failed, ended = threading.Event(), []

    def do(item: int) -> None:
        if item == 0:
            failed.set()
            raise ValueError(item)
        failed.wait()
        threading.Event().wait(0.05)
        ended.append(item)

    with pytest.raises(ValueError, match="0"):
        for_each(range(3), do)
    assert sorted(ended) == [1, 2]
