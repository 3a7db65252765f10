"""Machines are brought to their plans: one look, one upload of what differs, one script a batch, each awaited."""

from __future__ import annotations

import io
import re
import stat
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_shell import FakeShell

from labbuilder.errors import MachineError, RejectedConfigError, WaitError
from labbuilder.host.run import Result
from labbuilder.host.store import Home
from labbuilder.model.lab import MachinePlan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.provisioning import Change, configure
from labbuilder.provisioning import script as script_module
from labbuilder.provisioning.script import KEPT, MARK, NEW, WRITTEN, stamp
from labbuilder.provisioning.secrets import LabSecrets


class Machine(FakeShell):
    """A machine that does what the scripts of `configure` say, on files in memory; no service of it ever fails.

    Attributes:
        done: "machine:step", as each is applied; shared by machines that are made with the same list.
        by_hand: Files that somebody changed.
        fails: Step to the mark at which it fails, and what is said then.
    """

    def __init__(self, plan: MachinePlan, done: list[str]) -> None:
        super().__init__(machine=plan.name)
        self.plan, self.done = plan, done
        self.disk: dict[str, tuple[int, bytes]] = {}
        self.stamps: dict[str, str] = {}
        self.down: set[str] = set()
        self.by_hand: set[str] = set()
        self.fails: dict[str, tuple[str, str]] = {}
        self.answers = {
            "set -eu": self._apply,
            "sha256sum": lambda _: Result((), 0 if self.stamps else 1, self._files()),
            "tar -xf": lambda _: self._unpack(),
            **{step.holds: self._holds(step) for step in plan.steps},
            "true": 0,
        }

    def _files(self) -> str:
        seen = [f"{stat.S_IFREG | mode:x} 0:0 {path}" for path, (mode, _) in self.disk.items()]
        for file in self.plan.files:
            text = self.disk.get(file.path, (0, b""))[1].decode()
            seen += [f"differs {file.path}", *(f" {line}" for line in text.splitlines())] if text != file.text else []
        return "\n".join(seen)

    def _unpack(self) -> str:
        with tarfile.open(fileobj=io.BytesIO(self.files.popitem()[1])) as bundle:
            for entry in bundle:
                data = bundle.extractfile(entry)
                assert data is not None
                self.disk[f"/{entry.name}"] = entry.mode, data.read()
        return ""

    def _holds(self, step: Step) -> Any:
        def holds(script: str) -> str | Result:
            stamped = f'[ "$stamp" = {self.stamps.get(step.name)} ]' in script
            return "" if stamped and step.name not in self.down else Result((), 1, "")

        return holds

    def _apply(self, script: str) -> Result | str:
        said = ""
        for name in re.findall(rf"^echo {MARK} begin (\S+)$", script, re.MULTILINE):
            step = next(step for step in self.plan.steps if step.name == name)
            said += f"{MARK} begin {name}\n"
            if name in self.fails:
                mark, why = self.fails[name]
                return Result((), 3, f"{said}{MARK} {mark} {name}\n", why)
            for path in [path for path in self.disk if path.endswith(NEW)]:
                if path.removesuffix(NEW) in {file.path for file in step.files}:
                    self.disk[path.removesuffix(NEW)] = self.disk.pop(path)
            said += "".join(f"{MARK} kept {path}\n" for path in self.by_hand if path in {f.path for f in step.files})
            self.stamps[name] = stamp(step)
            self.down.discard(name)
            self.done.append(f"{self.plan.name}:{name}")
            said += f"{MARK} done {name}\n"
        return said


def step(name: str, *after: str, **more: Any) -> Step:
    files = (RenderedFile(f"/etc/{name}.conf", f"{name}\nyes\n"),)
    return Step(name, f"the {name}", f"holds-{name}", f"apply-{name}", files, after=after, **more)


def plan(name: str, *steps: Step) -> MachinePlan:
    return MachinePlan(name, ("server",), (), steps)


class Bench:
    """Machines, and what is done in them."""

    def __init__(self, home: Path, *plans: MachinePlan) -> None:
        self.plans = plans
        self.done: list[str] = []
        self.machines = {machine.name: Machine(machine, self.done) for machine in plans}
        self.secrets = LabSecrets(Home(home).lab("bench").keys)

    def configure(self, plans: Sequence[MachinePlan] | None = None) -> tuple[Change, ...]:
        return configure(plans or self.plans, lambda name: self.machines[name], self.secrets)


def test_a_new_machine_gets_all_its_files_at_once_and_a_second_run_does_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, plan("one", step("a"), step("b")))
    one = bench.machines["one"]
    changes = bench.configure()
    assert [(c.machine, c.service, c.reason, c.files) for c in changes] == [
        ("one", "a", "file differs", ("/etc/a.conf",)),
        ("one", "b", "file differs", ("/etc/b.conf",)),
    ]
    assert {path: text for path, (_, text) in one.disk.items()} == {
        "/etc/a.conf": b"a\nyes\n",
        "/etc/b.conf": b"b\nyes\n",
    }
    assert len([script for script in one.asked if "; tar -xf" in script]) == 1
    one.asked.clear()
    assert bench.configure() == ()
    assert not any(script.startswith(("for folder", "set -eu")) for script in one.asked)


@pytest.mark.parametrize("how", ["text", "mode", "gone", "stamp", "down"])
def test_only_what_differs_or_is_not_in_effect_is_applied(tmp_path: Path, how: str) -> None:
    bench = Bench(tmp_path, plan("one", step("a"), step("b")))
    bench.configure()
    one = bench.machines["one"]
    match how:
        case "text":
            one.disk["/etc/a.conf"] = 0o644, b"no\n"
        case "mode":
            one.disk["/etc/a.conf"] = 0o600, b"a\nyes\n"
        case "gone":
            del one.disk["/etc/a.conf"]
        case "stamp":  # killed between the file and the restart
            one.stamps["a"] = "other"
        case "down":
            one.down.add("a")
    bench.done.clear()
    assert [change.service for change in bench.configure()] == ["a"]
    assert bench.done == ["one:a"]
    assert one.disk["/etc/a.conf"] == (0o644, b"a\nyes\n")


def test_what_other_machines_give_it_is_a_reason_to_apply_it_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, plan("one", step("a", given="old")))
    bench.configure()
    bench.machines["one"].plan = other = plan("one", step("a", given="new"))
    assert [change.reason for change in bench.configure([other])] == ["not in effect"]


def test_a_step_waits_for_those_of_other_machines(tmp_path: Path) -> None:
    bench = Bench(tmp_path, plan("two", step("b", "one:a"), step("c")), plan("one", step("a")))
    bench.configure()
    assert bench.done.index("one:a") < bench.done.index("two:b")


def test_who_waits_for_one_that_fails_ends_and_the_cause_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, plan("two", step("b", "one:a")), plan("one", step("a")))
    bench.machines["one"].fails["a"] = "apply", "no such device"
    with pytest.raises(MachineError, match="one: the a failed") as told:
        bench.configure()
    assert told.value.details == "no such device"
    assert bench.done == []


def test_a_step_that_waits_for_what_does_not_exist_is_our_own_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\['one:z'\]"):
        Bench(tmp_path, plan("one", step("a", "one:z"))).configure()


def test_a_file_that_the_daemon_refuses_is_told_with_its_line(tmp_path: Path) -> None:
    bench = Bench(tmp_path, plan("one", step("a", validate=(("/etc/a.conf", "check {new}"),))))
    bench.machines["one"].fails["a"] = "refused", f"/etc/a.conf{NEW} line 2: semicolon expected"
    with pytest.raises(RejectedConfigError, match="one refuses the new configuration of the a") as told:
        bench.configure()
    assert "/etc/a.conf:2: yes" in (told.value.details or "")


def test_what_does_not_come_into_effect_is_told_with_the_question(tmp_path: Path) -> None:
    bench = Bench(tmp_path, plan("one", step("a", settle_s=7.0)))
    bench.machines["one"].fails["a"] = "late", "inactive"
    with pytest.raises(WaitError, match="one: not in effect within 7 s: the a") as told:
        bench.configure()
    assert told.value.details == "Asked: holds-a\ninactive"


def test_a_machine_without_room_is_told_and_nothing_is_applied(tmp_path: Path) -> None:
    bench = Bench(tmp_path, plan("one", step("a")))
    bench.machines["one"].answers["tar -xf"] = Result((), 1, "", "No space left on device")
    with pytest.raises(MachineError, match="one could not take its new files") as told:
        bench.configure()
    assert "No space left" in (told.value.details or "")
    assert bench.done == []


def test_what_is_asked_for_is_applied_again_though_it_holds_and_what_is_in_its_way_goes_first(tmp_path: Path) -> None:
    bench = Bench(tmp_path, plan("one", step("a", units=("a.service",), clears="clear-a"), step("b", clears="clear-b")))
    bench.configure()
    first = next(script for script in bench.machines["one"].asked if script.startswith("set -eu"))
    assert "clear-a" not in first  # nobody has been in a new machine
    bench.machines["one"].asked.clear()
    (change,) = configure(
        bench.plans, lambda name: bench.machines[name], bench.secrets, {"one": {"a": "a check fails"}}
    )
    assert (change.service, change.reason, change.files) == ("a", "a check fails", ())
    (script,) = (script for script in bench.machines["one"].asked if script.startswith("set -eu"))
    assert script.index("a.service") < script.index("clear-a") < script.index("( apply-a")
    assert "clear-b" not in script


def test_what_is_awaited_in_a_machine_that_was_configured_comes_after_what_may_mend_it(tmp_path: Path) -> None:
    waits = Step("w", "both normal", "holds-w", "true", after=("one:a",), awaits=True)
    bench = Bench(tmp_path, plan("one", step("a"), waits, step("firewall")))
    bench.configure()
    assert bench.done == ["one:a", "one:w", "one:firewall"]
    bench.done.clear()
    everything = {"one": dict.fromkeys(("a", "w", "firewall"), "")}
    configure(bench.plans, lambda name: bench.machines[name], bench.secrets, everything)
    assert bench.done == ["one:a", "one:firewall", "one:w"]


def test_what_was_changed_by_hand_is_told_with_its_service(tmp_path: Path) -> None:
    bench = Bench(tmp_path, plan("one", step("a"), step("b")))
    bench.configure()
    one = bench.machines["one"]
    for name in ("a", "b"):
        one.disk[f"/etc/{name}.conf"] = one.disk[f"/etc/{name}.conf"][0], b"mine\n"
    one.by_hand = {"/etc/b.conf"}
    assert [(change.service, change.kept) for change in bench.configure()] == [("a", ()), ("b", ("/etc/b.conf",))]


def test_what_was_changed_by_hand_is_kept_beside_and_what_labbuilder_wrote_is_not(tmp_path: Path) -> None:
    """The script's own words, on files of this host; the hash that was noted last counts."""
    place, noted = tmp_path / "a.conf", tmp_path / ".files"

    def by_hand(text: str, *written: str) -> list[str]:
        place.write_text(text)
        noted.write_text("".join(f"{RenderedFile('', each).sha256} {place}\n" for each in written))
        script = f"set -eu; {script_module._BY_HAND.replace(WRITTEN, str(noted))}; by_hand {place}"
        return subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout.splitlines()

    assert by_hand("ours\n", "old\n", "ours\n") == []
    assert by_hand("Debian's\n") == []
    assert not place.with_name(f"a.conf{KEPT}").exists()
    assert by_hand("mine\n", "mine\n", "ours\n") == [f"{MARK} kept {place}"]
    assert place.with_name(f"a.conf{KEPT}").read_text() == "mine\n"
