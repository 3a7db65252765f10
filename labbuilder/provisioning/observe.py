"""What a machine is like now, against its plan: one round trip, nothing changed."""

from __future__ import annotations

import difflib
import shlex
from dataclasses import dataclass

from labbuilder.model.lab import MachinePlan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.provisioning.script import STAMPS, stamp
from labbuilder.provisioning.secrets import LabSecrets
from labbuilder.ssh.shell import Shell


@dataclass(frozen=True)
class Observation:
    """What differs in one machine.

    Attributes:
        files: Paths of files that are absent or differ in text or mode; of seeds, that are absent.
        services: Names of services that must be applied, with the reason.
    """

    files: frozenset[str]
    services: dict[str, str]


@dataclass(frozen=True)
class FileDiff:
    """One file that `up` would write."""

    machine: str
    path: str
    diff: str


def observe(machine: MachinePlan, shell: Shell) -> Observation:
    """Compare every file, stamp and live state of the machine with its plan, whose secrets are filled in."""
    paths = " ".join(shlex.quote(file.path) for file in machine.files)
    seeds = " ".join(shlex.quote(file.path) for file in machine.seeds)
    scripts = [
        f"stat -c '%a %n' {paths} 2>/dev/null || true",
        f"sha256sum {paths} 2>/dev/null || true",
        f"ls -d {seeds} 2>/dev/null || true" if seeds else "true",
        *(_in_effect(service) for service in machine.steps),
    ]
    modes, digests, seeded, *held = shell.run_many(scripts)
    there = {tuple(row.split()) for row in (*modes.stdout.splitlines(), *digests.stdout.splitlines())}
    differing = frozenset(
        [f.path for f in machine.files if not {(f"{f.mode:o}", f.path), (f.sha256, f.path)} <= there]
        + [f.path for f in machine.seeds if f.path not in seeded.stdout.splitlines()]
    )
    services = {}
    for service, result in zip(machine.steps, held, strict=True):
        if any(file.path in differing for file in (*service.files, *service.seeds)):
            services[service.name] = "file differs"
        elif not result.ok:
            services[service.name] = "not in effect"
    for step in machine.steps:  # what only waits holds no longer when what it waits for is applied
        if step.awaits and {f"{machine.name}:{name}" for name in services} & {*step.after}:
            services.setdefault(step.name, "to be awaited again")
    return Observation(differing, services)


def _in_effect(service: Step) -> str:
    """Shell that asks the stamp first: in a new machine nothing else is worth asking."""
    return f'read -r stamp <{STAMPS}/{service.name} && [ "$stamp" = {stamp(service)} ] && {{ {service.holds}\n}}'


def difference(machine: MachinePlan, shell: Shell, secrets: LabSecrets) -> tuple[tuple[FileDiff, ...], tuple[str, ...]]:
    """Return the files that differ, as unified diffs, and the services that are not in effect."""
    seen = observe(secrets.filled_in(machine), shell)
    files = [file for file in (*machine.files, *machine.seeds) if file.path in seen.files]
    old = shell.run_many([f"cat {shlex.quote(file.path)}" for file in files]) if files else ()
    diffs = tuple(
        FileDiff(machine.name, file.path, _unified(file, result.stdout))
        for file, result in zip(files, old, strict=True)
    )
    hidden = tuple(
        FileDiff(machine.name, file.path, f"(it has the secret {file.secret}, so it is not shown)\n")
        for file in machine.secret_files
        if file.path in seen.files
    )
    return diffs + hidden, tuple(seen.services)


def _unified(file: RenderedFile, old: str) -> str:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), file.text.splitlines(keepends=True), f"a{file.path}", f"b{file.path}"
    )
    return "".join(lines)
