"""A lab that is drilled with no machine: it writes down what is done to it, and knows what is left broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labbuilder.drill import hands, run, watch
from labbuilder.drill.clock import Clock
from labbuilder.drill.model import Exchange, Outage, Reading
from labbuilder.drill.stopwatches import Moments
from labbuilder.errors import MachineError
from labbuilder.failover import operator
from labbuilder.host.journal import Journal
from labbuilder.host.run import Result
from labbuilder.model.fault import Fault, Need
from labbuilder.plan import build_plan
from labbuilder.plan.load import spec_from_values
from labbuilder.providers.base import MachineState, MachineStatus
from labbuilder.services.dhcp import PeerStatus
from labbuilder.verify import Outcome, Verdict, Verification


class FakeStopwatch:
    """Measures nothing; says when it was started and stopped."""

    name = "addresses"

    def __init__(self, done: list[str], *, needs: tuple[Need, ...] = ()) -> None:
        self.done, self._needs = done, needs
        self.moments: Moments | None = None

    def needs(self, fault: Fault) -> tuple[Need, ...]:
        return self._needs

    def start(self) -> None:
        self.done.append("clients come")

    def stop(self) -> None:
        self.done.append("clients stop")

    def clear(self) -> None:
        self.done.append("clients are cleared")

    def reading(self, moments: Moments) -> Reading:
        self.moments = moments
        return Reading("addresses", (Outage("new", 1, 1, 0.5, 0.5, 0.1),), (Exchange("new", "c", 0.0, 0.5, "server2"),))


class FakeProvider:
    kind = "fake"

    def __init__(self, done: list[str]) -> None:
        self.done = done
        self.off: set[str] = set()
        self.frozen: set[str] = set()
        self.cut: set[tuple[str, str]] = set()

    def status(self) -> tuple[MachineStatus, ...]:
        return tuple(
            MachineStatus(name, MachineState.STOPPED if name in self.off else MachineState.RUNNING)
            for name in ("client1", "server1", "server2")
        )

    def kill(self, name: str) -> None:
        self.done.append(f"kill {name}")
        self.off.add(name)

    def start(self, name: str) -> None:
        self.done.append(f"start {name}")
        self.off.discard(name)

    def wait_ready(self, name: str) -> None:
        assert name not in self.off

    def pause(self, name: str) -> None:
        self.done.append(f"pause {name}")
        self.frozen.add(name)

    def resume(self, name: str) -> None:
        self.done.append(f"resume {name}")
        self.frozen.discard(name)

    def set_link(self, name: str, network: str, *, up: bool) -> None:
        self.done.append(f"{'plug' if up else 'unplug'} {name} {network}")
        (self.cut.discard if up else self.cut.add)((name, network))


@dataclass
class FakeLab:
    """What a drill asks of a session.

    Attributes:
        done: All that was done to the lab, in order.
        broken: Lines of shell that end with an error.
        proven: What verify says before the fault.
    """

    folder: Path
    values: dict[str, Any] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    broken: str = ""
    proven: bool = True

    def __post_init__(self) -> None:
        self.spec = spec_from_values(name="fake", **self.values)
        self.plan = build_plan(self.spec)
        self.provider = FakeProvider(self.done)
        self.journal = Journal(self.folder / "journal")
        self.lab = SimpleNamespace(name="fake")
        self.stopwatch = FakeStopwatch(self.done)

    @property
    def whole(self) -> bool:
        """Nothing that was switched off, frozen or unplugged is so still."""
        return not (self.provider.off or self.provider.frozen or self.provider.cut)

    def sure(self, machine: str, script: str) -> str:
        self.done.append(f"{machine}: {script}")
        if self.broken and self.broken in script:
            raise MachineError(brief=f"{machine} refused")
        return ""

    def shell(self, machine: str) -> Any:
        def ran(script: str, **_: object) -> Result:
            self.done.append(f"{machine}: {script}")
            return Result((), 0, "1.0" if "dpkg-query" in script else "", "")

        def put(data: bytes, path: str) -> None:
            self.done.append(f"{machine}: {path} is written")

        return SimpleNamespace(run=ran, put=put, machine=machine)

    def drop(self, machine: str) -> None:
        pass

    @contextmanager
    def patched(self) -> Iterator[None]:
        """The drill's runner works on this lab, its pair is always well, and no time passes."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("peer", "is_well", "await_well", "takeover", "giveback"):
                patch.setattr(operator, name, getattr(self, f"_{name}"))
            patch.setattr(hands, "wait_until", self._wait_until)
            patch.setattr(watch, "pause_until", self._pause_until)
            patch.setattr(run, "stopwatches", self._stopwatches)
            patch.setattr(run, "verify", self._verify)
            patch.setattr(Clock, "of", self._clock)
            yield

    def _peer(self, session: object, name: str) -> PeerStatus:
        assert name not in self.provider.off | self.provider.frozen, "the question would hang"
        return PeerStatus(name, "", "normal", "", serving=True)

    def _is_well(self, session: object, peers: Sequence[PeerStatus]) -> bool:
        return len(peers) == 2

    def _await_well(self, session: object, *, within_s: float) -> None:
        self.done.append("well")

    def _takeover(self, session: object, machine: str, *, force: bool) -> None:
        self.done.append(f"takeover {force}")

    def _giveback(self, session: object) -> None:
        self.done.append("giveback")

    def _wait_until(self, what: str, probe: object, **_: object) -> None:
        self.done.append(what)

    def _pause_until(self, end_s: float, look: Callable[[], object], *, every_s: float) -> None:
        self.done.append("time passes")
        look()

    def _stopwatches(self, session: object, traffic: object, *, seed: int) -> tuple[FakeStopwatch, ...]:
        return (self.stopwatch,)

    def _clock(self, shell: object) -> Clock:
        return Clock(0.0)

    def _verify(self, session: object, *, within_s: float = 0.0) -> Verification:
        verdict = Verdict.PASS if self.proven or within_s else Verdict.FAIL
        return Verification("fake", (Outcome("a", "server1", "a line", verdict, "true", "", ""),), 0.0)
