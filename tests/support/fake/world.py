"""A lab whose machines are files, and which nobody configures: what is left is the lifecycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fake import provider as fakes
from labbuilder.errors import LabError
from labbuilder.host.journal import Journal, Record
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.lifecycle import mend, proof
from labbuilder.plan import MachinePlan
from labbuilder.spec.providers import PROVIDERS
from labbuilder.verify import Verdict, Verification
from labbuilder.verify.model import Outcome


class World:
    """A home, and what the providers in it were told.

    Attributes:
        lacks: What machines lack of their image.
        configured: Machines that were, in their order.
        anew: What was to be applied again, each time that machines were configured.
        refuses: What the next tries to configure end with.
        red: Check and machine that fail in the next proofs, one each time; then none.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.calls = fakes.CALLS
        self.fails = fakes.FAILS
        self.lacks = fakes.LACKS
        self.configured: list[str] = []
        self.anew: list[Mapping[str, Mapping[str, str]]] = []
        self.refuses: list[LabError] = []
        self.red: list[tuple[str, str]] = []

    def lab(self, name: str = "aula", **sections: Any) -> Lab:
        """The guide's lab, of which nothing was made yet."""
        return Lab(name, home=self.home).add_server().add_server().add_client().set(provider="nspawn", **sections)

    def journal(self, name: str = "aula") -> Journal:
        return Journal(self.home.lab(name).journal)

    def told(self, *words: str) -> list[tuple[str, ...]]:
        """What providers were told, of these words."""
        return [call for call in self.calls if call[0] in words]

    def begin(self, effect: str, machine: str | None = None, **data: Any) -> None:
        """As a command that was killed right after."""
        self.journal().append(Record(effect, "begun", machine, data))

    def states(self, name: str = "aula") -> dict[str, str]:
        provider = fakes.FakeProvider(self.home, self.home.lab(name), "")
        return {machine.name: machine.state.value for machine in provider.status()}

    def disk(self, machine: str, name: str = "aula") -> Path:
        return fakes.FakeProvider(self.home, self.home.lab(name), "").disk(machine)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Providers are fakes, machines are configured by nobody, and no check fails."""
    found = World(Home(tmp_path / "home"))
    monkeypatch.setattr(fakes, "CALLS", found.calls)
    found.calls.clear()
    found.fails.clear()
    found.lacks.clear()
    monkeypatch.setitem(PROVIDERS, "nspawn", replace(PROVIDERS["nspawn"], package="fake", traced=False))

    def configure(machines: Sequence[MachinePlan], *asked: Any) -> tuple[()]:
        found.configured += [machine.name for machine in machines]
        found.anew += asked[2:]
        if found.refuses:
            raise found.refuses.pop(0)
        return ()

    def run_checks(*_: object, lab: str, **__: object) -> Verification:
        check, machine, verdict = (*found.red.pop(0), Verdict.FAIL) if found.red else ("fake", "server1", Verdict.PASS)
        return Verification(lab, (Outcome(check, machine, check, verdict, "", "", "so"),), 0.0)

    monkeypatch.setattr(mend, "configure", configure)
    monkeypatch.setattr(proof, "run_checks", run_checks)
    return found
