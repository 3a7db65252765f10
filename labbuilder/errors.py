"""Errors as people meet them: what happened, what was seen, what to do.

    LabError                    1   the root of the tree; also "a check failed"
    ├── VerificationError       1   the lab runs but is not proven
    ├── SpecError               2   every wrong value of a spec, each with its place
    ├── LintError               2   a configuration that was given to the lint can't be read
    ├── HostError               3   this host can't (``labbuilder doctor`` would say so)
    │   └── ProviderUnavailableError
    ├── CommandError            4   a command on the host failed
    ├── TransportError          4   a machine could not be reached
    │   └── SlowMachineError    4   it was, but did not answer in time
    ├── MachineError            4   a machine did not do what it was told
    │   └── RejectedConfigError 4   a daemon refused the file that was written for it
    ├── WaitError               5   waited in vain
    └── ResidueError            6   something is left behind

The number is the exit status of the command line.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class LabError(Exception):
    """What happened (``brief``), what was seen (``details``), what to do (``resolution``)."""

    brief: str
    details: str | None = None
    resolution: str | None = None
    machine: str | None = field(default=None, init=False, compare=False)  # of which it is said, where one is to blame

    exit_code = 1

    def __str__(self) -> str:
        parts = [self.brief]
        if self.details:
            parts.append(self.details)
        if self.resolution:
            parts.append(f"What to do: {self.resolution}")
        return "\n".join(parts)

    def as_dict(self) -> dict[str, object]:
        """The fields that ``--json`` prints."""
        return {
            "error": type(self).__name__,
            "brief": self.brief,
            "details": self.details,
            "resolution": self.resolution,
            "exit_code": self.exit_code,
        }


class VerificationError(LabError):
    """The lab runs, but not every check of it passed."""


class SpecError(LabError):
    """The spec (file, flags or calls) asks for something that can't be."""

    exit_code = 2


@dataclass
class LintError(LabError):
    """A configuration that was given to the lint can't be read, or breaks its language's grammar.

    ``file``, ``line`` and ``column`` say where, as ``brief`` does: programs ask for them.
    """

    file: str | None = None
    line: int = 1
    column: int = 1

    exit_code = 2


class HostError(LabError):
    """The host lacks something: a package, a permission, room."""

    exit_code = 3


class ProviderUnavailableError(HostError):
    """The provider that was asked for can't work on this host."""


class CommandError(LabError):
    """A command on the host ended with a status that was not expected."""

    exit_code = 4

    @classmethod
    def from_output(cls, argv: Sequence[str], code: int, output: str, *, brief: str | None = None) -> CommandError:
        """Build the one shape in which a failed command is shown: command, status, last lines."""
        last = "\n".join(output.strip().splitlines()[-12:])
        return cls(
            brief=brief or f"{argv[0]} failed",
            details=f"Command: {shlex.join(argv)}\nExit status: {code}\n{last}".rstrip(),
        )


class TransportError(LabError):
    """A machine could not be reached over its management path."""

    exit_code = 4


@dataclass
class SlowMachineError(TransportError):
    """A machine was reached, but a limit passed before it answered: nothing says that it is broken.

    ``begun`` says whether it had begun with what it was asked for, ``said`` is what it had said of it.
    """

    begun: bool = False
    said: str = ""


class MachineError(LabError):
    """A machine is absent, in the wrong state, or failed at what it was told."""

    exit_code = 4


class RejectedConfigError(MachineError):
    """A daemon refused its file; the file was not put in place."""


class WaitError(LabError):
    """The limit passed before the awaited state was seen."""

    exit_code = 5


class ResidueError(LabError):
    """Something that labbuilder made is still there."""

    exit_code = 6
