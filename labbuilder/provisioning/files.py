"""A machine's files against its plan's: one question and one reading of the answer, for `up`, `plan` and `verify`."""

from __future__ import annotations

import difflib
import re
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from labbuilder.model.lab import MachinePlan
from labbuilder.model.step import RenderedFile

_MOST = 65536  # bytes that are brought here of a file that differs
_DIFFERS = "differs"
_SAY = f'p=${{row%: FAILED*}}; echo {_DIFFERS} "$p"'
# What stands in it follows, each line after a blank, so that none is taken for another answer.
_SHOW = f"{_SAY}; head -c {_MOST} \"$p\" 2>/dev/null | sed -e 's/^/ /' -e '$a\\'"
_OWNER = "0:0"
_UNSHOWN = "(it has the secret {}, so it is not shown)\n"


@dataclass(frozen=True)
class FileDiff:
    """One file that is not as planned.

    Attributes:
        diff: A line for each of presence, kind, mode and owner that is wrong, then its text against the planned one.
    """

    machine: str
    path: str
    diff: str


@dataclass(frozen=True)
class Difference:
    """What is not as planned of one file.

    Attributes:
        wrong: What is wrong beside its text, a line each.
        text: Another text than the plan's; None: the plan's.
    """

    wrong: tuple[str, ...]
    text: str | None


def question(machine: MachinePlan, *, texts: bool = True) -> str:
    """Return shell that tells what the machine's files are like, and which of them have another text than planned.

    Args:
        machine: The machine, with the secrets in its files.
        texts: Those texts too.
    """
    paths = shlex.join(file.path for file in (*machine.files, *machine.seeds, *machine.own_files))
    sums = " ".join(shlex.quote(f"{file.sha256}  {file.path}") for file in machine.files)
    compare = f"printf '%s\\n' {sums} | LC_ALL=C sha256sum --check --quiet - 2>/dev/null"
    each = f"while IFS= read -r row; do {_SHOW if texts else _SAY}; done"
    looks = [f"stat -c '%f %u:%g %n' {paths} 2>/dev/null"] if paths else []
    looks += [f"{compare} | {each}"] if sums else []
    return "; ".join([*looks, "true"])


def differences(machine: MachinePlan, said: str) -> dict[str, Difference]:
    """Read the answer; return what is not as planned, by path.

    Of a seed, which is the daemon's own once it is there, it is presence alone; of a file that the machine made by
    itself presence, mode and owner.
    """
    attributes, texts = _read(said)
    found = {
        file.path: Difference(_wrong(file, attributes.get(file.path)), texts.get(file.path))
        for file in (*machine.files, *machine.own_files)
    }
    found |= {seed.path: Difference(("missing",), None) for seed in machine.seeds if seed.path not in attributes}
    return {path: one for path, one in found.items() if one.wrong or one.text is not None}


def shown(
    machine: MachinePlan, differences: Mapping[str, Difference], secrets: Mapping[str, str]
) -> tuple[FileDiff, ...]:
    """Return what a reader is shown.

    Args:
        machine: The machine.
        differences: What is not as planned.
        secrets: The names of secrets, by the path of the file that has one: its text is not shown.
    """
    planned = {file.path: file for file in machine.files}

    def lines(path: str, one: Difference) -> list[str]:
        wrong = [f"{line}\n" for line in one.wrong]
        if one.text is None or path not in planned or "missing" in one.wrong:
            return wrong
        return (
            [*wrong, _UNSHOWN.format(secrets[path])] if path in secrets else wrong + _unified(planned[path], one.text)
        )

    return tuple(FileDiff(machine.name, path, "".join(lines(path, one))) for path, one in differences.items())


def _read(said: str) -> tuple[dict[str, tuple[int, str]], dict[str, str]]:
    """Mode and owner by path, and the texts of those that differ."""
    attributes, texts, path = {}, dict[str, str](), ""
    for line in said.splitlines(keepends=True):
        word, _, rest = line.rstrip("\n").partition(" ")
        if not word:
            texts[path] += line[1:]
        elif word == _DIFFERS:
            path = rest
            texts[path] = ""
        elif found := re.fullmatch(r"([0-9a-f]+) (\d+:\d+) (.*)", line.rstrip("\n")):
            attributes[found[3]] = int(found[1], 16), found[2]
    return attributes, texts


def _wrong(file: RenderedFile, seen: tuple[int, str] | None) -> tuple[str, ...]:
    if seen is None:
        return ("missing",)
    mode, owner = stat.S_IMODE(seen[0]), seen[1]
    said: tuple[str, ...] = () if stat.S_ISREG(seen[0]) else ("no regular file",)
    said += (f"mode {mode:o}, not {file.mode:o}",) if not said and mode != file.mode else ()
    return (*said, f"owner {owner}, not {_OWNER}") if owner != _OWNER else said


def _unified(file: RenderedFile, old: str) -> list[str]:
    before, after = old.splitlines(keepends=True), file.text.splitlines(keepends=True)
    lines = list(difflib.unified_diff(before, after, f"a{file.path}", f"b{file.path}"))
    return lines or ["it differs in bytes that can't be shown\n"]
