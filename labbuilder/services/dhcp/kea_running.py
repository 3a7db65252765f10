"""Kea as it runs, against its file: who mends a file and restarts nothing has mended nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from labbuilder.errors import LintError
from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.services.dhcp.config_files import config_of, files_beside
from labbuilder.services.dhcp.kea_control import answers, tell

if TYPE_CHECKING:
    from labbuilder.lint.kea import Value

# Not told back, or in words that change with Kea's version; none of them decides what a client gets.
_UNTOLD = {"dhcp-socket-type", "control-socket", "loggers"}
_DEFAULTS = {"host-reservation-identifiers"}  # the one list that Kea has where the file has none
_SORTED = {"subnet4", "pools", "option-data", "option-def", "reservations"}  # by Kea, in an order of its own
_SHOWN = 300


def running_check(machine: str, conf: str) -> Check:
    """Kea runs all that its file says, and has no list of anything that the file has not."""
    title = "Kea runs the configuration of its file"
    others = ((machine, tell("config-get")),)
    return Check(
        "kea.running",
        machine,
        title,
        files_beside(conf),
        _same(machine, conf),
        others,
        look=f"cat {conf}",
        rests_on=("kea-dhcp4-server.active", "kea.syntax"),
    )


def _same(machine: str, conf: str) -> Judge:
    def judge(files: Result, config: Result) -> Judgement:
        # Who verifies no Kea needs no parser: 0.04 s.
        from labbuilder.lint.kea import parse  # noqa: PLC0415

        wanted = "what the file says"
        try:
            file = parse(config_of(machine, conf, files.stdout)).root
            (answer,) = answers(config.stdout)
            runs = answer["arguments"]
        except LintError as error:
            return Judgement(False, wanted, "\n".join(filter(None, (error.brief, error.details))))
        except (ValueError, KeyError, TypeError):
            return Judgement(False, wanted, (config.stdout + config.stderr)[:_SHOWN])
        differing = [*_differences(file, runs)]
        return Judgement(not differing, wanted, "\n".join(differing) or wanted)

    return judge


def _differences(file: Value, runs: Any, where: str = "") -> Iterator[str]:
    data, name = file.data, where.rpartition("/")[2]
    if isinstance(data, Mapping):
        running = _with_comment(runs) if isinstance(runs, dict) else {}
        for member, value in data.items():
            if member not in _UNTOLD:
                yield from _differences(value, running.get(member), f"{where}/{member}")
        for member in running.keys() - data.keys() - _UNTOLD - _DEFAULTS:
            if running[member] and isinstance(running[member], list):
                yield f"{where}/{member}: the file has none, Kea runs {_shown(running[member])}"
    elif isinstance(data, tuple) and isinstance(runs, list) and len(data) == len(runs):
        alike = _in_the_files_order(data, runs) if name in _SORTED else runs
        for number, (value, entry) in enumerate(zip(data, alike, strict=True)):
            yield from _differences(value, entry, f"{where}/{number}")
    elif not isinstance(data, str) or not _means(file.kind, data, runs, name):
        written = data if isinstance(data, str) else f"{len(data)} entries"
        yield f"{where}: the file says {written}, Kea runs {_shown(runs)}"


def _with_comment(runs: dict[str, Any]) -> dict[str, Any]:
    """Kea keeps a comment in the user context."""
    context = runs.get("user-context")
    return {"comment": context.get("comment"), **runs} if isinstance(context, dict) else runs


def _in_the_files_order(entries: Sequence[Value], running: Sequence[Any]) -> list[Any]:
    """What Kea runs, each where the file has what means the same; what has no like takes the places that are left."""
    left, found = list(running), dict[int, Any]()
    for number, entry in enumerate(entries):
        places = sorted(range(len(left)), key=lambda place: place != number - len(found))  # its own is the likeliest
        like = next((place for place in places if next(_differences(entry, left[place]), None) is None), None)
        if like is not None:
            found[number] = left.pop(like)
    rest = iter(left)
    return [found[number] if number in found else next(rest) for number in range(len(entries))]


def _means(kind: str, written: str, runs: Any, name: str) -> bool:
    """The file's value and Kea's are the same, however each writes it."""
    if kind in ("integer", "float"):
        return isinstance(runs, int | float) and not isinstance(runs, bool) and float(written) == runs
    if not isinstance(runs, str) or kind != "string":
        return kind != "string" and written == _shown(runs)  # true, false, null
    told, said = "".join(runs.split()), "".join(written.split())
    if name == "library" and "/" not in said:  # Kea 2.6 looks in its own folder and tells where it was
        return PurePosixPath(told).name == said and told.endswith(f"/kea/hooks/{said}")
    if name == "pool":
        return _ends(told) == _ends(said)
    return told.lower() == said.lower() if name == "hw-address" else told == said


def _ends(pool: str) -> str:
    """A pool by its ends: where it is aligned, Kea tells it as a prefix."""
    try:
        prefix = IPv4Network(pool, strict=False)
    except ValueError:  # two addresses, or what Kea would refuse
        return pool
    return f"{prefix[0]}-{prefix[-1]}"


def _shown(runs: Any) -> str:
    return runs if isinstance(runs, str) else json.dumps(runs)[:_SHOWN]
