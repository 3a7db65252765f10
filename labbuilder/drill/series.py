"""Several drills in a row, over modes and engines: each pair of these in a lab of its own, made for it and removed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import get_args

from labbuilder.drill.faults import faults, known
from labbuilder.drill.model import DrillResult
from labbuilder.drill.run import drill
from labbuilder.errors import LabError
from labbuilder.host import progress
from labbuilder.host.store import Home, locked
from labbuilder.lifecycle.compare import refuse_taken_addresses
from labbuilder.lifecycle.down import take_down
from labbuilder.lifecycle.session import Session
from labbuilder.lifecycle.up import brought_up
from labbuilder.plan import build_plan
from labbuilder.plan.load import spec_from_values
from labbuilder.services.dhcp import ENGINES as DHCP_ENGINES
from labbuilder.spec.failover import Engine, Mode
from labbuilder.spec.models import LabSpec

Way = tuple[Mode, Engine]
MODES: tuple[Mode, ...] = get_args(Mode)
ENGINES: tuple[Engine, ...] = get_args(Engine)
_KEPT = ("timers", "mclt_s", "load_balance_max_s")
MATRIX: tuple[Way, ...] = tuple((mode, engine) for engine in ENGINES for mode in MODES)


@dataclass(frozen=True)
class NotMeasured:
    """A drill of a series that could not be carried out, and why."""

    drill: str
    mode: str
    engine: str
    error: LabError


Outcome = DrillResult | NotMeasured


def in_lab(home: Home, lab: str, names: Sequence[str], *, seed: int) -> Iterator[Outcome]:
    """Drills in a lab that runs; those that its mode does not know are left out, unless it is the only one.

    The first that can't be carried out ends the series, since the lab may be broken: after others it is told as
    not measured.

    Raises:
        LabError: As `drill`, where it is the first of all.
    """
    with locked(home.lab(lab)), Session.open(home, lab) as session:
        here = fitting(session.spec, names)
        for number, name in enumerate(here, 1):
            _say_which(name, number, len(here))
            try:
                yield drill(session, name, seed=seed)
            except LabError as error:
                if number == 1:
                    raise
                settings = session.spec.dhcp.failover
                yield NotMeasured(name, settings.mode, settings.engine, error)
                return


def beside(home: Home, spec: LabSpec, ways: Sequence[Way], names: Sequence[str], *, seed: int) -> Iterator[Outcome]:
    """Drills in labs made from ``spec`` with other modes and engines, one lab at a time.

    Drills that a mode does not know are left out. A lab in which one could not be carried out is made anew.

    Raises:
        SpecError: On a real LAN another lab has the addresses, as ``spec``'s own may.
    """
    labs = [_own_lab(spec, mode, engine_name) for mode, engine_name in ways]
    total, numbers = sum(len(fitting(own, names)) for own in labs), count(1)
    for own in labs:
        refuse_taken_addresses(own, home)
        try:
            for name in fitting(own, names):
                _say_which(_in_full(own, name), next(numbers), total)
                yield _in_own_lab(home, own, name, seed=seed)
        finally:
            take_down(home, own.name)


def _own_lab(spec: LabSpec, mode: Mode, engine_name: Engine) -> LabSpec:
    name = f"{spec.name[:6].rstrip('-')}-{engine_name}-{mode}-{secrets.token_hex(2)}"  # nobody else's
    return with_failover(spec, {"mode": mode, "engine": engine_name}, name=name)


def fitting(spec: LabSpec, names: Sequence[str]) -> list[str]:
    """Those of several drills for which the lab has what they break; all where it has that for none.

    Raises:
        SpecError: There is none of that name.
    """
    there = faults(build_plan(spec))
    asked = known(names, there)
    fit = [name for name in asked if all(need.met for need in there[name].needs)]
    return list(asked) if len(asked) == 1 else fit or list(asked)


def _in_full(spec: LabSpec, name: str) -> str:
    return f"{spec.dhcp.failover.engine} {spec.dhcp.failover.mode} {name}"


def _say_which(name: str, number: int, total: int) -> None:
    """A row of its own: those that follow have the same names in every drill."""
    if total > 1:
        with progress.step(f"drill {number} of {total}") as step:
            step.detail = name


def _in_own_lab(home: Home, spec: LabSpec, name: str, *, seed: int) -> Outcome:
    failover = spec.dhcp.failover
    try:
        with progress.step(_in_full(spec, name)) as step:
            with brought_up(spec, home) as (session, _):
                result = drill(session, name, seed=seed)
            step.detail = "none of the new clients was served" if result.outage is None else f"{result.outage:.2f} s"
    except LabError as error:
        take_down(home, spec.name)
        return NotMeasured(name, failover.mode, failover.engine, error)
    return result


def with_failover(spec: LabSpec, settings: Mapping[str, str], *, name: str) -> LabSpec:
    """The spec in another mode, under that name; those of its settings stay that it heeds too.

    Raises:
        SpecError: There is no such mode, engine or set of timers.
    """
    values = spec.model_dump(exclude_unset=True)
    dhcp = values.get("dhcp", {})
    said = dhcp.get("failover", {})
    other = DHCP_ENGINES.get(settings.get("engine", "isc"), {}).get(settings.get("mode", "load-balancing"))
    heeded = {"timers"} | (other.heeds if other else set())  # who asks for what is not there is told so below
    kept = {key: said[key] for key in _KEPT if key in said and key in heeded}
    return spec_from_values(**values | {"name": name, "dhcp": {**dhcp, "failover": kept | dict(settings)}})
