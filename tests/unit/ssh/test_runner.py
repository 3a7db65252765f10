"""Fabric's runner as labbuilder uses it."""

from __future__ import annotations

import subprocess
import sys

import pytest
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


@pytest.mark.parametrize("gone", [EOFError(), ConnectionResetError()])
def test_a_limit_that_passes_as_the_connection_goes_away_raises_in_no_thread(gone: Exception) -> None:
    runner = WholeOutput(Context())

    class Channel:
        def close(self) -> None:
            raise gone

    runner.channel = Channel()
    runner.kill()
    assert runner.timed_out


def test_fabric_comes_without_what_only_tests_need_and_a_mock_is_still_a_mock() -> None:
    script = """
import sys
from labbuilder.ssh.connection import warm_up
warm_up()
found = {"unittest.mock", "asyncio"} & set(sys.modules)
import invoke
context = invoke.MockContext(run=invoke.Result("x"))
assert context.run("x").stdout == "x"
context.run.assert_called_once_with("x")
print(*found)
"""
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "\n"
