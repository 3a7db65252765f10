"""One machine's questions: what is not answered in time is asked again, in smaller rounds: slow is not broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from labbuilder.errors import LabError, SlowMachineError
from labbuilder.host.load import host_load
from labbuilder.host.run import Result
from labbuilder.host.wait import Deadline
from labbuilder.ssh.frames import ENDED_AT_LIMIT
from labbuilder.ssh.shell import Shell

PROBE_S = 10.0  # of each probe in the first round; in each that follows, twice as long
_SMALLER = 4

Answers = dict[str, Result | LabError]


def answers_of(
    machine: str, commands: Sequence[str], shell: Callable[[], Shell], deadline: Deadline
) -> Mapping[str, Result | LabError]:
    """Ask a machine all that there is to ask; each command has its result, or the error why it has none.

    Args:
        machine: Its name, for the errors.
        commands: What to run, at the same time at first.
        shell: Connects to it, again if it must be.
        deadline: No command is begun after it.
    """
    found: Answers = {}
    late, size, round_s, given_s = tuple(commands), len(commands), PROBE_S, 0.0
    while late and not deadline.expired:
        for part in _parts(late, size):
            given_s = min(round_s, deadline.remaining_s)
            found |= _asked(part, shell, given_s) if given_s else {}
        late = tuple(command for command in late if command not in found)
        if size == 1 and round_s > PROBE_S:
            break  # each of them was alone
        size, round_s = max(1, len(late) // _SMALLER), round_s * 2
    return found | dict.fromkeys(late, _too_late(machine, len(late), len(commands), round_s, deadline))


def _parts(commands: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(commands), size):
        yield commands[start : start + size]


def _asked(commands: Sequence[str], shell: Callable[[], Shell], limit_s: float) -> Answers:
    """What came in time; all errors, where the machine can't be asked."""
    try:
        results = _insisting(commands, shell, limit_s)
    except LabError as error:
        return dict.fromkeys(commands, error)
    pairs = zip(commands, results, strict=True)
    return {command: result for command, result in pairs if result.code != ENDED_AT_LIMIT}


def _insisting(commands: Sequence[str], shell: Callable[[], Shell], limit_s: float) -> Sequence[Result]:
    """Ask a second time who did not even begin: it may have a moment of its own, or be off or paused by now."""
    try:
        return shell().run_many(commands, timeout_s=limit_s)
    except SlowMachineError:
        return shell().run_many(commands, timeout_s=limit_s)


def _too_late(machine: str, late: int, asked: int, round_s: float, deadline: Deadline) -> SlowMachineError:
    if not deadline.expired and late * 2 <= asked:
        said = f"{machine} answered its {asked - late} other questions"
        return SlowMachineError(f"no answer within {round_s:g} s though asked alone: it hangs, {said}", begun=True)
    brief = f"{machine} is too slow: {late} of {asked} questions are not answered yet"
    return SlowMachineError(brief, host_load(), "verify again when this host has less to do", begun=True)
