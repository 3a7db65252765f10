"""What a machine is like now, against its plan: one round trip, nothing changed."""

from __future__ import annotations

import difflib
import shlex
from dataclasses import dataclass

from labbuilder.plan.model import MachinePlan, RenderedFile
from labbuilder.provisioning.script import STAMPS, stamp
from labbuilder.ssh.shell import Shell


@dataclass(frozen=True)
class Observation:
    """What differs in one machine.

    Attributes:
        files: Paths of files that are absent or differ in text or mode.
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
    """Compare every file, stamp and live state of the machine with its plan."""
    paths = " ".join(shlex.quote(file.path) for file in machine.files)
    scripts = [
        f"stat -c '%a %n' {paths} 2>/dev/null || true",
        f"sha256sum {paths} 2>/dev/null || true",
        f"cd {STAMPS} && grep -H . * || true",
        *(service.holds for service in machine.services),
    ]
    modes, digests, stamps, *held = shell.run_many(scripts)
    there = {tuple(row.split()) for row in (*modes.stdout.splitlines(), *digests.stdout.splitlines())}
    stamped = set(stamps.stdout.split())
    differing = frozenset(f.path for f in machine.files if not {(f"{f.mode:o}", f.path), (f.sha256, f.path)} <= there)
    services = {}
    for service, result in zip(machine.services, held, strict=True):
        if any(file.path in differing for file in service.files):
            services[service.name] = "file differs"
        elif f"{service.name}:{stamp(service)}" not in stamped or not result.ok:
            services[service.name] = "not in effect"
    for service in machine.services:  # what only waits holds no longer when what it waits for is applied
        again = {f"{machine.name}:{name}" for name in services} & {*service.after}
        if again and not service.files:
            services.setdefault(service.name, "to be awaited again")
    return Observation(differing, services)


def difference(machine: MachinePlan, shell: Shell) -> tuple[tuple[FileDiff, ...], tuple[str, ...]]:
    """The files that differ, as unified diffs, and the services that are not in effect."""
    seen = observe(machine, shell)
    files = [file for file in machine.files if file.path in seen.files]
    old = shell.run_many([f"cat {shlex.quote(file.path)}" for file in files]) if files else ()
    diffs = tuple(
        FileDiff(machine.name, file.path, _unified(file, result.stdout))
        for file, result in zip(files, old, strict=True)
    )
    return diffs, tuple(seen.services)


def _unified(file: RenderedFile, old: str) -> str:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), file.text.splitlines(keepends=True), f"a{file.path}", f"b{file.path}"
    )
    return "".join(lines)
