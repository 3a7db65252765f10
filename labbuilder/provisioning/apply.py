"""Changing machines: one upload of what differs, one script a batch, each service awaited by its own proof."""

from __future__ import annotations

import io
import re
import shlex
import tarfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from labbuilder.errors import LabError, MachineError, RejectedConfigError, WaitError
from labbuilder.host import progress
from labbuilder.host.parallel import for_each
from labbuilder.host.run import Result
from labbuilder.model.lab import MachinePlan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.provisioning.observe import Observation, observe
from labbuilder.provisioning.script import KEPT, MARK, NEW, STAMPS, folders_of, service_script
from labbuilder.provisioning.secrets import LabSecrets
from labbuilder.ssh.shell import Shell

_BUNDLE = "/run/labbuilder.tar"


@dataclass(frozen=True)
class Change:
    """One service of one machine that was applied.

    Attributes:
        files: Those that were written.
        kept: Those of them that somebody had changed by hand: what he wrote is kept beside.
    """

    machine: str
    service: str
    reason: str
    files: tuple[str, ...]
    kept: tuple[str, ...] = ()


class _AbandonedError(MachineError):
    """A machine waited for one that failed: a consequence, never the cause that is told."""


@dataclass
class _Board:
    """What is in effect on which machine: who waits for another machine's service is told at once."""

    known: set[str]
    done: set[str] = field(default_factory=set)
    failed: str | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)

    def announce(self, what: str) -> None:
        with self.changed:
            self.done.add(what)
            self.changed.notify_all()

    def fail(self, who: str) -> None:
        with self.changed:
            self.failed = self.failed or who
            self.changed.notify_all()

    def wait_for_some(self, machine: str, services: Sequence[Step]) -> list[Step]:
        """What to apply next: all up to the first that must wait, else one of those behind it.

        Raises:
            _AbandonedError: Another machine failed, so none of them will ever be ready.
        """
        with self.changed:
            while True:
                batch: list[Step] = []
                for service in services:
                    before = self.done | {f"{machine}:{s.name}" for s in batch}
                    if before.issuperset(service.after):
                        batch.append(service)
                    elif batch:
                        break
                if batch:
                    return batch if batch[0] is services[0] else batch[:1]
                if self.failed:
                    missing = sorted({d for s in services for d in s.after} - self.done)
                    raise _AbandonedError(
                        brief=f"not configured, since {self.failed} failed", details=", ".join(missing)
                    )
                self.changed.wait()


def configure(
    machines: Sequence[MachinePlan],
    shell_for: Callable[[str], Shell],
    secrets: LabSecrets,
    anew: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> tuple[Change, ...]:
    """Bring all machines to what their plans say, at the same time.

    Args:
        machines: All machines of the lab: a service may wait for one of another machine.
        shell_for: Connects to a machine; called once for each, in that machine's own thread.
        secrets: Those of the lab.
        anew: Steps that are applied again whatever they say of themselves, with the reason, by machine.

    Returns:
        What was applied; nothing when nothing differed.

    Raises:
        RejectedConfigError: A daemon refused its new file; the old one stands.
        WaitError: A service did not come into effect.
    """
    board = _Board({f"{m.name}:{s.name}" for m in machines for s in m.steps})
    unknown = {d for m in machines for s in m.steps for d in s.after} - board.known
    if unknown:
        raise ValueError(f"services wait for what does not exist: {sorted(unknown)}")

    def bring(machine: MachinePlan) -> tuple[Change, ...] | LabError:
        try:
            return _bring(secrets.filled_in(machine), shell_for(machine.name), board, anew.get(machine.name, {}))
        except LabError as error:
            board.fail(machine.name)
            error.machine = machine.name
            error.details = error.details and secrets.hidden(error.details, machine)
            return error
        except BaseException:
            board.fail(machine.name)
            raise

    answers = for_each(machines, bring)
    errors = [a for a in answers if isinstance(a, LabError)]
    if errors:
        raise next((e for e in errors if not isinstance(e, _AbandonedError)), errors[0])
    return tuple(change for answer in answers if not isinstance(answer, LabError) for change in answer)


def _bring(machine: MachinePlan, shell: Shell, board: _Board, anew: Mapping[str, str]) -> tuple[Change, ...]:
    with progress.step("configure", machine.name) as step:
        seen = observe(machine, shell, anew)
        left = [s for s in machine.steps if s.name in seen.services]
        if seen.again:  # what is awaited may lack what another step mends
            left.sort(key=lambda service: service.awaits)
        for service in machine.steps:
            if service not in left:
                board.announce(f"{machine.name}:{service.name}")
        if seen.files:
            _unpack(machine, seen, shell)
        changes = []
        while left:
            batch = board.wait_for_some(machine.name, left)
            kept = _apply(machine, batch, seen, shell, board)
            left = [s for s in left if s not in batch]
            changes += [
                Change(
                    machine.name,
                    s.name,
                    seen.services[s.name],
                    tuple(f.path for f in _differing(s, seen)),
                    tuple(kept.get(s.name, ())),
                )
                for s in batch
            ]
        step.detail = ", ".join(change.service for change in changes) or "unchanged"
        if beside := [f"{path}{KEPT}" for change in changes for path in change.kept]:
            step.detail += f"; what was changed by hand is kept as {', '.join(beside)}"
        return tuple(changes)


def _unpack(machine: MachinePlan, seen: Observation, shell: Shell) -> None:
    """Put all new files beside their places; nothing is left when one can't be written whole."""
    if not all(file.mode & 0o077 for file in machine.files):
        shell.run(f"umask 077; : >{_BUNDLE}")  # while it lies there nobody else reads it
    shell.put(_bundle(machine, seen), _BUNDLE)
    new = shlex.join([_BUNDLE, *(path + NEW for path in sorted(seen.files))])
    folders = folders_of(seen.files)
    done = shell.run(f"{folders}; tar -xf {_BUNDLE} -C / && rm {_BUNDLE} || {{ rm -f {new}; false; }}")
    if not done.ok:
        raise MachineError(
            brief=f"{machine.name} could not take its new files",
            details=_last_lines(done.stderr),
            resolution="make room in the machine (df shows where), then labbuilder up again; the old files still stand",
        )


def _bundle(machine: MachinePlan, seen: Observation) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for file in (*machine.files, *machine.seeds):
            if file.path in seen.files:
                entry = tarfile.TarInfo(file.path.lstrip("/") + NEW)
                text = file.text.encode()
                entry.size, entry.mode = len(text), file.mode
                tar.addfile(entry, io.BytesIO(text))
    return data.getvalue()


def _apply(
    machine: MachinePlan, batch: Sequence[Step], seen: Observation, shell: Shell, board: _Board
) -> dict[str, list[str]]:
    """Run one script for the batch, whose marks say what came into effect; return what was kept, by service."""
    told: list[tuple[str, str]] = []
    kept: dict[str, list[str]] = {}

    def note(line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == MARK:
            kind, _, service = rest.partition(" ")
            if kind == "kept":
                kept.setdefault(told[-1][1], []).append(service)
                return
            told.append((kind, service))
            if kind == "done":
                board.announce(f"{machine.name}:{service}")

    scripts = [service_script(service, _differing(service, seen), again=seen.again) for service in batch]
    script = "\n".join(["set -eu", folders_of([f"{STAMPS}/it"]), *scripts])
    limit = 60.0 + sum(service.settle_s for service in batch)
    result = shell.run(script, timeout_s=limit, on_line=note)
    if not result.ok:
        kind, name = told[-1] if told else ("begin", batch[0].name)
        service = next(s for s in batch if s.name == name)
        raise _failure(machine, service, kind, result)
    return kept


def _differing(service: Step, seen: Observation) -> list[RenderedFile]:
    return [file for file in (*service.files, *service.seeds) if file.path in seen.files]


def _failure(machine: MachinePlan, service: Step, kind: str, result: Result) -> LabError:
    said = _last_lines(result.stderr)
    look = f"labbuilder logs {machine.name} shows more; labbuilder up goes on from here"
    if kind == "refused":
        return RejectedConfigError(
            brief=f"{machine.name} refuses the new configuration of {service.title}",
            details=f"{said}\n{_quoted_line(service, said)}".rstrip(),
            resolution="correct the spec (or the template); the old file is still in place",
        )
    if kind == "late":
        return WaitError(
            brief=f"{machine.name}: not in effect within {service.settle_s:g} s: {service.title}",
            details=f"Asked: {service.holds}\n{said}".rstrip(),
            resolution=look,
        )
    return MachineError(brief=f"{machine.name}: {service.title} failed", details=said, resolution=look)


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-12:])


def _quoted_line(service: Step, said: str) -> str:
    """The line of the refused file that the daemon speaks of."""
    for path, number in re.findall(rf"(/\S+?){re.escape(NEW)}(?: line |:)(\d+)", said):
        for file in service.files:
            rows = file.text.splitlines()
            if file.path == path and 0 < int(number) <= len(rows):
                return f"{path}:{number}: {rows[int(number) - 1].strip()}"
    return ""
