"""The check of a machine's files: what the next start goes by is what the plan says, to the byte."""

from __future__ import annotations

from labbuilder.host.run import Result
from labbuilder.model.check import Check, Judge, Judgement
from labbuilder.model.lab import MachinePlan
from labbuilder.provisioning.files import differences, question, shown
from labbuilder.provisioning.secrets import LabSecrets


def files_check(lab: str, machine: MachinePlan, secrets: LabSecrets | None) -> Check:
    """Return the check; without the lab's secrets the files that have one are not looked at."""
    filled = machine if secrets is None else secrets.filled_in(machine)
    title = "its files are as planned: text, mode, owner"
    judge = _as_planned(filled, machine.secret_paths)
    return Check("files", machine.name, title, question(filled), judge, look=f"labbuilder plan --lab {lab}")


def _as_planned(machine: MachinePlan, secrets: dict[str, str]) -> Judge:
    def judge(result: Result) -> Judgement:
        found = shown(machine, differences(machine, result.stdout), secrets)
        expected = "as planned"
        return Judgement(not found, expected, "\n".join(f"{f.path}:\n{f.diff}".rstrip() for f in found) or expected)

    return judge
