"""Commands on the host: the only place that spawns a process and waits for it."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labbuilder.errors import CommandError, HostError
from labbuilder.progress import logger

FailedProcess = subprocess.CalledProcessError  # raised by libraries that spawn a program themselves


@dataclass(frozen=True)
class Result:
    """What a command said, on the host or in a machine."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str = ""

    @property
    def ok(self) -> bool:
        """The command ended with status 0."""
        return self.code == 0


def host_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every child: rebuilt, never inherited, so that output does not vary."""
    kept = ("PATH", "HOME", "TERM", "http_proxy", "https_proxy", "no_proxy", "TMPDIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    path = environment.get("PATH", os.defpath)
    environment["PATH"] = f"{path}:/usr/sbin:/sbin"  # a user's PATH lacks the administrator's tools
    return environment | {"LC_ALL": "C.UTF-8"} | dict(extra or {})


def run(
    *argv: str | Path,
    ok: Sequence[int] = (0,),
    stdin: str | None = None,
    timeout_s: float = 60.0,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Result:
    """Run a command on the host and return what it said.

    Args:
        argv: Program and arguments, never a shell string.
        ok: Exit statuses that are no failure.
        stdin: Text for its standard input; closed when None.
        timeout_s: Limit in seconds; the process is killed when it passes.
        env: Variables beside those of `host_environment`.
        folder: Where it runs; default: here.

    Raises:
        HostError: The program is not installed.
        CommandError: Another exit status, or the limit passed.
    """
    words = tuple(str(word) for word in argv)
    logger.debug("+ %s", shlex.join(words))
    try:
        done = subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=host_environment(env),
            cwd=folder,
            check=False,
        )
    except FileNotFoundError as error:
        raise HostError(
            brief=f"{words[0]} is not installed",
            details=f"Command: {shlex.join(words)}",
            resolution="labbuilder doctor names the packages that are missing",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(
            brief=f"{words[0]} did not end within {timeout_s:g} s",
            details=f"Command: {shlex.join(words)}",
        ) from error
    if done.returncode not in ok:
        raise CommandError.from_output(words, done.returncode, done.stderr or done.stdout)
    return Result(words, done.returncode, done.stdout, done.stderr)


def run_streaming(argv: Sequence[str | Path], on_line: Callable[[str], None], *, timeout_s: float) -> None:
    """Run a long command and hand over each line it says, on either stream, as it comes.

    Raises:
        HostError: The program is not installed.
        CommandError: It ended with another status than 0, or the limit passed; its last lines are in the details.
    """
    words = [str(word) for word in argv]
    logger.debug("+ %s", shlex.join(words))
    last: deque[str] = deque(maxlen=20)
    try:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=host_environment(),
        )
    except FileNotFoundError as error:
        raise HostError(
            brief=f"{words[0]} is not installed",
            resolution="labbuilder doctor names the packages that are missing",
        ) from error
    with child:
        limit = threading.Timer(timeout_s, child.kill)
        limit.start()
        try:
            for line in child.stdout or ():
                last.append(line.rstrip())
                on_line(line)
        except BaseException:
            child.terminate()
            raise
        finally:
            limit.cancel()
    if child.returncode != 0:
        raise CommandError.from_output(words, child.returncode, "\n".join(last))


def start_daemon(argv: Sequence[str | Path], *, log: Path) -> None:
    """Run a program that puts itself in the background, in a session of its own; return when it has.

    Raises:
        CommandError: It ended with another status; the log's last lines are in the details.
    """
    words = [str(word) for word in argv]
    logger.debug("+ %s", shlex.join(words))
    with open(log, "ab") as output:
        code = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=host_environment(),
            check=False,
        ).returncode
    if code != 0:
        said = log.read_text(encoding="utf-8", errors="replace")
        raise CommandError.from_output(words, code, said, brief=f"{Path(words[0]).name} did not start")
