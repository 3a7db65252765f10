"""`labbuilder lint --daemon`: what the real daemon refuses is a finding too."""

from __future__ import annotations

from collections.abc import Iterator

from labbuilder.host.store import Home
from labbuilder.lint import Config, Engine, Finding, Severity
from labbuilder.verify.daemon import Answer, ask

RULE = "daemon-refuses"


def asked(config: Config, engine: Engine) -> tuple[tuple[Finding, ...], str]:
    """What the daemon does not take of a configuration, and a line that says who was asked.

    Raises:
        HostError: The daemon is not here, and the lab's image is not, or only root may run it.
    """
    answer = ask(config, engine, Home.default())
    found = tuple(_findings(answer))
    return found, f"{answer.daemon} {'refuses' if found else 'takes'} {config.name}"


def _findings(answer: Answer) -> Iterator[Finding]:
    for place, what in answer.refused:
        yield Finding(
            rule=RULE,
            severity=Severity.ERROR,
            where=place,
            what=what,
            why="the daemon itself was asked: it does not start with this file",
            mend="mend the line, or the one before it",
            source=answer.daemon,
        )
