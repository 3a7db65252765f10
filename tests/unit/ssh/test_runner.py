"""Fabric's runner as labbuilder uses it."""

from __future__ import annotations

from invoke.context import Context

from labbuilder.ssh.runner import WholeOutput


def test_a_limit_that_passed_is_known_before_its_timer_has_ended() -> None:
    runner, seen = WholeOutput(Context()), []

    class Channel:
        def close(self) -> None:
            seen.append(runner.timed_out)

    runner.channel = Channel()
    runner.kill()
    assert seen == [True]
