"""The proof of a lab: every check asked, and asked again after each reboot."""

from __future__ import annotations

from dataclasses import replace

from labbuilder.host import progress
from labbuilder.lifecycle import power
from labbuilder.lifecycle.session import Session
from labbuilder.provisioning import LabSecrets
from labbuilder.verify import Verification, checks_for, left_out, run_checks

SETTLE_AFTER_REBOOT_S = 90.0  # a failover pair that missed each other retries after 5 s, under load more than once


def verify(session: Session, *, reboot: bool = False, within_s: float = 0.0) -> Verification:
    """Ask every check; with ``reboot``, reboot the servers one after the other and ask again after each."""
    checks = checks_for(session.plan, LabSecrets(session.lab.keys))
    with progress.step("verify") as step:
        found = run_checks(checks, session.shell, lab=session.plan.lab, within_s=within_s)
        step.detail = f"{len(found.outcomes) - len(found.failures)} of {len(found.outcomes)} checks passed"
    found = replace(found, left_out=tuple(left_out(session.plan)))
    if not reboot:
        return found
    for server in session.plan.servers:
        session.drop(server.name)
        power.switch(session, "reboot", [server.name])
        with progress.step("verify") as step:
            again = run_checks(checks, session.shell, lab=session.plan.lab, within_s=SETTLE_AFTER_REBOOT_S)
            step.detail = f"after the reboot of {server.name}"
        found = found.followed_by(again, rebooted=server.name)
    return found
