"""Kea as it runs, against its file: who mends a file and restarts nothing has mended nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
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
_SHOWN = 300


def running_check(machine: str, conf: str) -> Check:
    """Kea runs all that its file says, and has no list of anything that the file has not."""
    title = "Kea runs the configuration of its file"
    others = ((machine, tell("config-get")),)
    return Check("kea.running", machine, title, files_beside(conf), _same(machine, conf), others)


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
    data = file.data
    if isinstance(data, Mapping):
        running = runs if isinstance(runs, dict) else {}
        for name, value in data.items():
            if name not in _UNTOLD:
                yield from _differences(value, running.get(name), f"{where}/{name}")
        for name in running.keys() - data.keys() - _UNTOLD - _DEFAULTS:
            if running[name] and isinstance(running[name], list):
                yield f"{where}/{name}: the file has none, Kea runs {_shown(running[name])}"
    elif isinstance(data, tuple) and isinstance(runs, list) and len(data) == len(runs):
        for number, (value, entry) in enumerate(zip(data, runs, strict=True)):
            yield from _differences(value, entry, f"{where}/{number}")
    elif not isinstance(data, str) or _plain(data, where) != _plain(_shown(runs), where):
        written = data if isinstance(data, str) else f"{len(data)} entries"
        yield f"{where}: the file says {written}, Kea runs {_shown(runs)}"


def _plain(value: str, where: str) -> str:
    """Without spaces; a pool by its ends: where it is aligned, Kea tells it as a prefix."""
    text = "".join(value.split())
    if where.endswith("/pool") and "/" in text:
        prefix = IPv4Network(text)
        return f"{prefix[0]}-{prefix[-1]}"
    return text


def _shown(runs: Any) -> str:
    return runs if isinstance(runs, str) else json.dumps(runs)[:_SHOWN]
