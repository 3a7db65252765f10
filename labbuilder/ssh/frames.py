"""How what is run in a machine is told from all that may stand around it.

A login shell's rc files, /etc/ssh/sshrc or nologin may print before our script does, in its place, or beside it. So
each script is run by /bin/sh itself, and what it says counts from a mark on: a word that nobody can know beforehand.
"""

from __future__ import annotations

import io
import re
import secrets
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from labbuilder.host.run import Result

ENDED_AT_LIMIT = -1  # no process has it as its status
_MANY = Path(__file__).with_name("many.pl").read_text(encoding="ascii")

# Nothing is ever sent: the input ends when the connection does, and then all of the script's session is ended.
# In octal, so that a `pkill -f` in the script does not find this shell by its own words.
_ATTACHED = """exec 3<&0
shell=/bin/sh; if [ -x /bin/bash ]; then shell="/bin/bash --norc"; fi
setsid -- $shell -c "$(printf '{}')" </dev/null 3<&- & script=$!
exec 2>/dev/null
{{ read -r _ <&3; kill -- -$script; sleep 2; kill -s KILL -- -$script; }} >/dev/null & watcher=$!
wait $script; code=$?
kill $watcher
exit $code"""


class GarbledError(ValueError):
    """What came back is not what was asked for."""


def new_mark() -> str:
    """A word that nothing else prints."""
    return f"@labbuilder-{secrets.token_hex(8)}"


def line(script: str, mark: str, *, sudo: bool) -> str:
    """The one line that a login shell is given: /bin/sh prints the mark on both streams, then runs the script."""
    words = ["/bin/sh", "-c", f"unset ENV BASH_ENV; echo {mark}; echo {mark} >&2\n{script}"]
    return "exec " + shlex.join(["sudo", "-n", "--", *words] if sudo else words)


def attached(script: str) -> str:
    """The script as a user typed it, run by bash; it ends with the connection, and its input is empty."""
    return _ATTACHED.format("".join(f"\\{byte:03o}" for byte in script.encode()))


def many(scripts: Sequence[str], mark: str, *, limit_s: float) -> str:
    """Run all of them at the same time; `read_many` reads what it prints."""
    return shlex.join(["exec", "perl", "-e", _MANY, mark, f"{limit_s:g}", *scripts])


def after_mark(text: str, mark: str) -> str | None:
    """What was said from the mark on; None: it never came, so the script did not run."""
    _, found, rest = text.partition(f"{mark}\n")
    return rest if found else None


def read_many(text: str, mark: str, machine: str, scripts: Sequence[str]) -> dict[int, Result]:
    """The results that came, by the place of their script.

    Args:
        text: The output of `many`, a character a byte (latin-1), whole or cut off.
        mark: Its mark.
        machine: Where it ran.
        scripts: What was run.

    Raises:
        GarbledError: Something else wrote between.
    """
    found = {}
    head = re.compile(rf"{mark} (\d+) (-?\d+) (\d+) (\d+)\n")
    at = head.search(text)
    while at is not None:
        number, status, out, err = map(int, at.groups())
        first, second, end = at.end(), at.end() + out, at.end() + out + err
        if end >= len(text):
            break  # cut off
        if text[end] != "\n" or number >= len(scripts):
            raise GarbledError(text[at.start() :])
        said = text[first:second], text[second:end]
        found[number] = Result(("ssh", machine, scripts[number]), status, *(_decoded(part) for part in said))
        at = head.search(text, end)
    return found


def _decoded(text: str) -> str:
    return text.encode("latin-1").decode(errors="replace")


class MarkedLines(io.TextIOBase):
    """A stream that hands over whole lines, from the mark on."""

    def __init__(self, mark: str, on_line: Callable[[str], None]) -> None:
        self._mark = mark
        self._on_line = on_line
        self._rest = ""
        self._begun = False

    def write(self, text: str) -> int:
        """Take in more of it."""
        *lines, self._rest = (self._rest + text).split("\n")
        for one in lines:
            if self._begun:
                self._on_line(one)
            self._begun = self._begun or one.endswith(self._mark)
        return len(text)
