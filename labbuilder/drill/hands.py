"""What does the steps of a fault, and undoes them. A new kind of step is one case in each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from labbuilder.drill.stopwatches.addresses import crowd_size
from labbuilder.drill.traffic import Traffic, client_macs
from labbuilder.drill.watch import Watch
from labbuilder.failover import operator as failover
from labbuilder.host.wait import wait_until
from labbuilder.lifecycle.session import Session
from labbuilder.model.fault import (
    Call,
    Crowd,
    Fault,
    Freeze,
    GiveBack,
    Load,
    LoadEnds,
    Measure,
    Need,
    OnClients,
    OnMachine,
    OnPair,
    Passing,
    PowerCut,
    Shell,
    Step,
    TakenOver,
    Takeover,
    Unplug,
    Well,
)
from labbuilder.providers.base import MachineState, Provider

_WITHIN_S = 60.0
_ASKS = {
    PowerCut: ("cut a machine's power", "kill"),
    Freeze: ("freeze a machine", "pause"),
    Unplug: ("unplug a cable", "set_link"),
}


def able(fault: Fault, provider: Provider) -> tuple[Need, ...]:
    """What the steps of a fault ask of the provider."""
    asked = dict.fromkeys(_ASKS[type(step)] for step in fault.repair if type(step) in _ASKS)
    return tuple(
        Need(hasattr(provider, method), f"the drill {fault.name} must {what}, and the provider {provider.kind} can't")
        for what, method in asked
    )


@dataclass(frozen=True)
class Hands:
    """They work on one lab.

    Attributes:
        session: The running lab.
        traffic: The clients beside which crowd and load come.
        watch: Looks around while something is waited for.
        seed: Of more clients' MACs.
    """

    session: Session
    traffic: Traffic
    watch: Watch
    seed: int = 1

    def do_all(self, steps: Iterable[Step]) -> None:
        """One after the other."""
        for step in steps:
            self.do(step)

    def do(self, step: Step) -> None:
        """Carry a step out."""
        if isinstance(step, OnMachine):
            self._break(step)
        elif isinstance(step, OnPair):
            self._pair(step)
        elif isinstance(step, OnClients):
            self._come(step)
        else:
            self._wait(step)

    def _break(self, step: OnMachine) -> None:
        match step:
            case Shell(machine, do):
                self.session.sure(machine, do)
            case PowerCut(machine):
                self.session.drop(machine)
                self.session.provider.kill(machine)
                self.watch.leave_out(machine)
            case Freeze(machine):
                self.session.provider.pause(machine)
                self.watch.leave_out(machine)
            case Unplug(machine, network):
                self.session.provider.set_link(machine, network, up=False)
            case Call(do_call, _, away):
                do_call()
                if away is not None:
                    self.watch.leave_out(away)
            case _:
                assert_never(step)

    def _pair(self, step: OnPair) -> None:
        match step:
            case Well():
                failover.await_well(self.session, within_s=_WITHIN_S)
            case TakenOver(machine):
                wait_until(
                    f"{machine} has taken over",
                    lambda: failover.peer(self.session, machine).state in failover.engine(self.session).taken_over,
                    within_s=_WITHIN_S,
                    every_s=0.1,
                )
            case Takeover(machine, force):
                self.watch.note("takeover", "the operator lets the second server serve", machine)
                failover.takeover(self.session, machine, force=force)
            case GiveBack(now):
                if now:
                    failover.giveback(self.session)
            case _:
                assert_never(step)

    def _come(self, step: OnClients) -> None:
        match step:
            case Crowd():
                self.traffic.crowd(client_macs(self.seed, "crowd", crowd_size(step, self.session)))
            case Load(exchanges, per_second):
                few = max(1, len(self.session.plan.pool) // 6)
                self.traffic.load(exchanges=exchanges, per_second=per_second, clients=few, seed=self.seed)
            case _:
                assert_never(step)

    def _wait(self, step: Passing) -> None:
        match step:
            case Measure(seconds):
                self.watch.look_for(seconds)
            case LoadEnds():
                self.watch.look_until("perfdhcp has ended", lambda _: not self.traffic.loading, within_s=_WITHIN_S)
            case _:
                assert_never(step)

    def undo(self, step: Step) -> None:
        """Undo a step wholly, also when it was never done."""
        if isinstance(step, OnMachine):
            self._mend(step)
        elif isinstance(step, GiveBack):
            failover.giveback(self.session)
        elif isinstance(step, Crowd):
            self.traffic.disperse()
        # of the others nothing is left: what is awaited, what ends with the clients, and what GiveBack undoes

    def _mend(self, step: OnMachine) -> None:
        match step:
            case Shell(machine, _, undo):
                if undo:
                    self.session.sure(machine, undo)
            case PowerCut(machine):
                self._power_on(machine)
                self.watch.ask_again(machine)
            case Freeze(machine):
                self.session.provider.resume(machine)
                self.watch.ask_again(machine)
            case Unplug(machine, network):
                self.session.provider.set_link(machine, network, up=True)
            case Call(_, undo_call, away):
                undo_call()
                if away is not None:
                    self.watch.ask_again(away)
            case _:
                assert_never(step)

    def _power_on(self, machine: str) -> None:
        states = {seen.name: seen.state for seen in self.session.provider.status()}
        if states[machine] is MachineState.STOPPED:
            self.session.drop(machine)
            self.session.provider.start(machine)
        self.session.provider.wait_ready(machine)
