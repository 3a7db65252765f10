"""A shell whose answers a test says beforehand: it passes the contract of tests/contract/test_shell.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from labbuilder.errors import LabError, SlowMachineError, TransportError
from labbuilder.host.load import host_load
from labbuilder.host.run import Result
from labbuilder.ssh.frames import ENDED_AT_LIMIT

LATE = Result((), ENDED_AT_LIMIT, "")
"""The answer of a script that does not end."""

Answer = str | int | Result | LabError | Callable[[str], "str | int | Result"]
"""Its output, or its status, or both, or what is raised, or what gives that."""


class FakeShell:
    """Answers each script as it was told to; one that it was not told of is the test's mistake.

    Args:
        answers: By the whole script, or by a part of it; the first part that fits counts.
        machine: The machine's name.

    Attributes:
        asked: The scripts in the order in which they came.
        files: What was put there, by path.
        answers: Those of now; a test may change them.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None, machine: str = "server1") -> None:
        self.answers: dict[str, Answer] = dict(answers or {})
        self.machine = machine
        self.asked: list[str] = []
        self.files: dict[str, bytes] = {}
        self.is_open = True

    def run(
        self,
        script: str,
        *,
        timeout_s: float | None = 60.0,
        attached: bool = False,
        on_line: Callable[[str], None] | None = None,
        on_error_line: Callable[[str], None] | None = None,
    ) -> Result:
        del attached
        done = self._answer(script)
        for text, told in ((done.stdout, on_line), (done.stderr, on_error_line)):
            for line in text.split("\n")[:-1] if told else ():
                told(line)  # type: ignore[misc]
        if done.code == ENDED_AT_LIMIT:
            brief = f"{self.machine} did not carry out a command within {timeout_s or 0:g} s"
            details = "\n".join([*done.stdout.splitlines(), *done.stderr.splitlines(), host_load()])
            raise SlowMachineError(brief, details, begun=True, said=done.stdout)
        return done

    def run_many(self, scripts: Sequence[str], *, timeout_s: float = 60.0) -> tuple[Result, ...]:
        del timeout_s
        return tuple(self._answer(script) for script in scripts)

    def put(self, data: bytes, path: str) -> None:
        self._require_open()
        self.files[path] = data

    def close(self) -> None:
        self.is_open = False

    def _require_open(self) -> None:
        if not self.is_open:
            raise TransportError(f"{self.machine} did not carry out a command")

    def _answer(self, script: str) -> Result:
        self._require_open()
        self.asked.append(script)
        fitting = [script] if script in self.answers else [part for part in self.answers if part in script]
        if not fitting:
            raise AssertionError(f"the fake {self.machine} was not told what to answer to: {script}")
        return self._result(script, self.answers[fitting[0]])

    def _result(self, script: str, answer: Answer) -> Result:
        found = answer(script) if callable(answer) else answer
        if isinstance(found, LabError):
            raise found
        if isinstance(found, Result):
            return Result(("ssh", self.machine, script), found.code, found.stdout, found.stderr)
        code, said = (found, "") if isinstance(found, int) else (0, found)
        return Result(("ssh", self.machine, script), code, said)
