"""Who may log in to the account of the management: who has the lab's own key, and nobody else."""

from __future__ import annotations

from collections.abc import Sequence

from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import Plan

_KEYS = "/etc/ssh/lab_authorized_keys"


def logins_check(lab: Plan) -> Check:
    """Return the check that all machines know one key; the lab's own, since it is by that key that they are asked."""
    first, *others = (machine.name for machine in lab.machines)
    asked = f"cat {_KEYS}"
    title = "the management knows the lab's own key alone, on all machines"
    return Check("logins", first, title, asked, _one_key((first, *others)), tuple((name, asked) for name in others))


def _one_key(names: Sequence[str]) -> Judge:
    def judge(*answers: Result) -> Judgement:
        keys = [[line for line in result.stdout.splitlines() if line.strip()] for result in answers]
        own = set(keys[0]).intersection(*keys)
        wrong = [f"{name}: {len(known)} keys" for name, known in zip(names, keys, strict=True) if len(known) != 1]
        wrong += [] if wrong or own else ["not the same on all"]
        return Judgement(not wrong, "one key", "\n".join(wrong) or "one key")

    return judge
