"""What `up` does about a machine that does not answer, can't be configured, or fails its proof: ever more of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from labbuilder.errors import LabError, MachineError, RejectedConfigError, TransportError, VerificationError, WaitError
from labbuilder.host import progress
from labbuilder.host.parallel import for_each
from labbuilder.lifecycle import power
from labbuilder.lifecycle.session import Session
from labbuilder.model.check import Verdict
from labbuilder.model.lab import Plan
from labbuilder.providers.base import Restores
from labbuilder.provisioning import Change, LabSecrets, configure
from labbuilder.services.base import Service
from labbuilder.services.registry import services_of
from labbuilder.ssh.shell import Shell
from labbuilder.verify import Verification
from labbuilder.verify.packages import PACKAGES

_SHOWN = 3
_PATH = re.compile(r"(/\S+)$", re.MULTILINE)
Reasons = Mapping[str, Mapping[str, str]]
"""Machine to step to why it is applied again."""


class Mending:
    """What was done to the machines of a lab in one `up`.

    Attributes:
        session: The lab.
        mended: Machines that got back what they lacked, to be told.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.mended: dict[str, Sequence[str]] = {}
        self._lost: set[str] = set()

    def configured(self, booting: Collection[str], anew: Reasons) -> tuple[Change, ...]:
        """Configure all machines; when one can't be, once more all of it, with what machines lack of their image.

        Args:
            booting: Machines that are on their way.
            anew: What is applied again in any case.

        Raises:
            LabError: As `configure` says, and what makes a machine anew.
        """

        def reach(name: str) -> Shell:
            return self._reached(name, booting)

        machines, secrets = self.session.plan.machines, LabSecrets(self.session.lab.keys)
        try:
            return configure(machines, reach, secrets, anew)
        except (MachineError, TransportError, WaitError) as error:
            back = () if self._lost else self.put_back_everywhere()
            hopeless = self._lost or isinstance(error, RejectedConfigError) or taken_over(self.session)
            if hopeless and not back:
                raise _advised(error, *self._lost) from None
            anew = anew if hopeless else all_steps(self.session.plan, error.brief, *back)
        try:
            return configure(machines, reach, secrets, anew)
        except (MachineError, TransportError, WaitError) as error:
            raise _advised(error, *self._lost) from None

    def put_back_everywhere(self) -> Sequence[str]:
        """Put back what any machine lacks of its image; the names of those that lacked something."""
        names = [machine.name for machine in self.session.plan.machines]
        return [name for name, back in zip(names, for_each(names, self._put_back), strict=True) if back]

    def put_back_changed(self, found: Verification) -> None:
        """Put back the files of the image that a check says are not as Debian brought them."""
        for outcome in found.failures:
            if outcome.check == PACKAGES:
                self._put_back(outcome.machine, _PATH.findall(outcome.observed))

    def _reached(self, name: str, booting: Collection[str]) -> Shell:
        """Return the connection to a machine, which gets back what it lacks to be spoken to."""
        try:
            return self._answering(name, boots=name in booting)
        except LabError as error:
            try:
                self._put_back(name)
                return self._answering(name, boots=True)
            except LabError:
                self._lost.add(name)
                raise error from None

    def _answering(self, name: str, *, boots: bool) -> Shell:
        if boots:
            power.await_ready(self.session, name)
        return self.session.shell(name)

    def _put_back(self, name: str, changed: Sequence[str] = ()) -> bool:
        """Put back what a machine lacks of its image, where its provider can.

        Raises:
            MachineError: It can't.
        """
        provider = self.session.provider
        if not isinstance(provider, Restores) or not provider.is_awake(name):
            return False
        with self.session.journal.effect("mend", name), progress.step("mend", name) as step:
            back = provider.restore(self.session.plan, self.session.machine(name), changed)
            more = f" and {len(back) - _SHOWN} more" if len(back) > _SHOWN else ""
            step.detail = f"{', '.join(back[:_SHOWN])}{more}" if back else "nothing of its image is missing"
        self.session.drop(name)
        if back:
            self.mended[name] = (*self.mended.get(name, ()), *back)
        return bool(back)


def concerned(plan: Plan, found: Verification) -> Reasons:
    """The steps of the services in which failures have their causes, in the machines where that was seen.

    Of a machine in which the service has no step, all: who gets an address by DHCP has none of DHCP.
    """
    reasons: dict[str, dict[str, str]] = {}
    owners = _owners(plan)
    for outcome, _ in found.causes:
        machine = plan.machine(outcome.machine)
        service = owners.get((outcome.check, outcome.machine))
        own = [step.name for step in service.steps(plan, machine)] if service else []
        for name in own or [step.name for step in machine.steps]:
            reasons.setdefault(machine.name, {}).setdefault(
                name, f"{outcome.title}: seen {outcome.observed or 'nothing'}"
            )
    return reasons


def all_steps(plan: Plan, why: str, *names: str) -> Reasons:
    """All steps of these machines; with no name, of all."""
    machines = [machine for machine in plan.machines if not names or machine.name in names]
    return {machine.name: {step.name: why for step in machine.steps} for machine in machines}


def _owners(plan: Plan) -> dict[tuple[str, str], Service]:
    """Check and machine to the service whose it is."""
    return {
        (check.id, machine.name): service
        for machine in plan.machines
        for service in services_of(plan.services)
        for check in service.checks(plan, machine)
    }


def is_ours(session: Session, found: Verification) -> bool:
    """What fails can be mended: it was asked and is wrong, and no operator has decided so."""
    return any(o.verdict is Verdict.FAIL for o in found.failures) and not taken_over(session)


def taken_over(session: Session) -> bool:
    """The operator's last word lets the second server serve."""
    words = [record for record in session.journal.records() if record.effect in ("takeover", "giveback")]
    return bool(words) and words[-1].effect == "takeover"


def culprits(plan: Plan, found: Verification) -> tuple[str, ...]:
    """The machines that are to be made anew: servers that fail, else the clients that do."""
    failing = {outcome.machine for outcome in found.failures}
    servers = tuple(machine.name for machine in plan.servers if machine.name in failing)
    return servers or tuple(machine.name for machine in plan.machines if machine.name in failing)


def raise_unmended(session: Session, found: Verification) -> None:
    """Do nothing when every check passed.

    Raises:
        VerificationError: With the command that helps, now that `up` has done what it can.
    """
    try:
        found.raise_for_failures()
    except VerificationError as error:
        if taken_over(session):
            error.resolution = "labbuilder failover giveback lets the first server serve again"
        else:
            names = " ".join(culprits(session.plan, found))
            error.resolution = f"labbuilder remake {names} makes that anew; labbuilder logs MACHINE shows why"
        raise


def _advised(error: LabError, *names: str) -> LabError:
    """The error, with the command that makes its machine anew."""
    remake = f"labbuilder remake {' '.join(names) or error.machine or 'MACHINE'} makes that machine anew"
    error.resolution = f"{error.resolution}; {remake}" if error.resolution else remake
    return error
