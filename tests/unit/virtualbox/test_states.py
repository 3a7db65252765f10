"""States that the real VirtualBox can't be made to show at will: answers of its registry are put in its place."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from labbuilder.errors import MachineError
from labbuilder.host.store import Home
from labbuilder.providers.base import MachineState
from labbuilder.providers.virtualbox import control, host, media, provider
from labbuilder.providers.virtualbox.control import Control
from labbuilder.providers.virtualbox.provider import VirtualBoxProvider
from labbuilder.providers.virtualbox.record import Record
from labbuilder.providers.virtualbox.registry import Machine
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage

UUID = "11111111-2222-3333-4444-555555555555"


@dataclass
class OneMachine:
    """A registry and a VBoxManage with one machine in a given state."""

    state: str
    changes: list[tuple[str, ...]] = field(default_factory=list)

    def names(self) -> dict[str, str]:
        return {UUID: "x-server1"}

    def machine(self, uuid: str) -> Machine:
        return Machine(uuid, "x-server1", self.state)

    def machines(self) -> dict[str, Machine]:
        return {UUID: self.machine(UUID)}

    def change(self, *words: str, **_: Any) -> str:
        self.changes.append(words)
        self.state = {"poweroff": "poweroff", "headless": "running"}.get(words[-1], self.state)
        return ""


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[VirtualBoxProvider, OneMachine]:
    monkeypatch.setattr(host, "require_driver", lambda: None)
    monkeypatch.setattr(control, "banner_ready", lambda *_, **__: False)
    found, fake = VirtualBoxProvider(Home(tmp_path), Home(tmp_path).lab("x"), "12345678"), OneMachine("poweroff")
    monkeypatch.setattr(found, "registry", fake)
    monkeypatch.setattr(found, "vboxmanage", fake)
    found.control = Control(found.lab, fake, fake, found._roster)  # type: ignore[arg-type]
    monkeypatch.setattr(found.control, "endpoint", lambda _: None)
    found.lab.machine("server1").mkdir(parents=True)
    Record("server1", UUID, 1, whole=True).save(found.lab)
    return found, fake


def test_a_crashed_machine_counts_as_off_and_is_switched_off_before_it_is_started(
    one: tuple[VirtualBoxProvider, OneMachine],
) -> None:
    found, fake = one
    fake.state = "gurumeditation"
    assert [machine.state for machine in found.status()] == [MachineState.STOPPED]
    found.start("server1")
    verbs = [words[0] for words in fake.changes if words[0] in ("controlvm", "startvm")]
    assert verbs == ["controlvm", "startvm"]


@pytest.mark.parametrize("state", ["gurumeditation", "aborted", "poweroff"])
def test_waiting_for_it_ends_at_once_with_virtualboxs_word_and_the_console(
    one: tuple[VirtualBoxProvider, OneMachine], state: str
) -> None:
    found, fake = one
    fake.state = state
    found.console("server1").write_text("Kernel panic - not syncing")
    with pytest.raises(MachineError, match="went off while it was waited for") as told:
        found.wait_ready("server1")
    assert f"VirtualBox says: {state}" in (told.value.details or "")
    assert "Kernel panic" in (told.value.details or "")


def test_no_two_machines_get_one_port(
    one: tuple[VirtualBoxProvider, OneMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = iter([1, 1, 2])
    monkeypatch.setattr(provider, "free_port", lambda: next(ports))
    assert one[0]._free_port() == 2


def disk(uuid: str) -> str:
    return f"UUID:           {uuid}\nParent UUID:    base\nLocation:       /x/a.vdi\n"


@pytest.mark.parametrize("still_there", [False, True])
def test_a_medium_that_went_by_itself_is_forgotten_and_one_that_stays_is_told(*, still_there: bool) -> None:
    class Registry(VBoxManage):
        def change(self, *_: object, timeout_s: float = 0.0) -> str:
            raise MachineError(brief=f"not fully qualified, {timeout_s}")

        def ask(self, *_: object, excused_by: str | None = None) -> str:
            return disk(UUID) if still_there or excused_by else ""

    with pytest.raises(MachineError) if still_there else nullcontext():
        media.forget(Registry(), "disk", UUID)
