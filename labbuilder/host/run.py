"""Commands on the host: the only place that spawns a process and waits for it."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from labbuilder.errors import CommandError, HostError
from labbuilder.host.progress import logger

UMASK = 0o022  # of every child: what it writes must be readable in a machine, and writable for nobody else
_TIDYING_S = 15.0  # mmdebstrap removes a whole root tree
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
        HostError: The program is not installed, or can't be run.
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
            umask=UMASK,
            cwd=folder,
            check=False,
        )
    except OSError as error:
        raise _not_run(words, error, folder) from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(brief=_too_long(words, timeout_s), details=f"Command: {shlex.join(words)}") from error
    if done.returncode not in ok:
        raise CommandError.from_output(words, done.returncode, done.stderr or done.stdout)
    return Result(words, done.returncode, done.stdout, done.stderr)


def _not_run(words: Sequence[str], error: OSError, folder: Path | None = None) -> HostError:
    command = f"Command: {shlex.join(words)}"
    if isinstance(error, FileNotFoundError) and (folder is None or folder.is_dir()):
        doctor = "labbuilder doctor names the packages that are missing"
        return HostError(f"{words[0]} is not installed", details=command, resolution=doctor)
    where = f" in {folder}" if folder else ""
    return HostError(f"{words[0]} can't be run{where}: {os.strerror(error.errno or 0)}", details=command)


def _too_long(words: Sequence[str], timeout_s: float) -> str:
    return f"{words[0]} did not end within {timeout_s:g} s"


def run_streaming(argv: Sequence[str | Path], on_line: Callable[[str], None], *, timeout_s: float) -> None:
    """Run a long command and hand over each line it says, on either stream, as it comes.

    When the limit passes or we are interrupted, all that it started ends with it.

    Raises:
        HostError: The program is not installed, or can't be run.
        CommandError: It ended with another status than 0, or the limit passed; its last lines are in the details.
    """
    words = [str(word) for word in argv]
    logger.debug("+ %s", shlex.join(words))
    last: deque[str] = deque(maxlen=20)
    end_s = time.monotonic() + timeout_s
    try:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=UMASK,
            env=host_environment(),
        )
    except OSError as error:
        raise _not_run(words, error) from error
    brief = None
    with child:
        assert child.stdout is not None  # noqa: S101
        try:
            for line in _lines(child.stdout, end_s):
                last.append(line.rstrip())
                on_line(line)
            child.wait(max(0.0, end_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal_all(child, signal.SIGKILL)
            brief = _too_long(words, timeout_s)
            last.append(brief)
        except BaseException:
            _end_all(child)  # Ctrl-C on the terminal does not reach its session
            raise
    if brief or child.returncode != 0:
        raise CommandError.from_output(words, child.returncode, "\n".join(last), brief=brief)


class Conversation:
    """A program that is asked, and answers in lines."""

    def __init__(self, child: subprocess.Popen[bytes], complaints: IO[bytes]) -> None:
        self._child = child
        self._complaints = complaints
        self._rest = b""
        self._come: deque[str] = deque()

    def say(self, text: str) -> None:
        """Write to its input; one that has ended hears nothing."""
        assert self._child.stdin is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(text.encode())
            self._child.stdin.flush()

    def lines(self, silent_s: float) -> Iterator[str]:
        """Its lines as they come, until it ends or says nothing for so long."""
        assert self._child.stdout is not None  # noqa: S101
        while True:
            while self._come:
                yield self._come.popleft()
            if not select.select([self._child.stdout], [], [], silent_s)[0]:
                return
            more = os.read(self._child.stdout.fileno(), 1 << 20)
            if not more:
                return
            *lines, self._rest = (self._rest + more).split(b"\n")
            self._come += (line.decode(errors="replace") for line in lines)

    def complaint(self) -> str:
        """The last lines of what it said on its error stream."""
        self._complaints.seek(0)
        return "\n".join(self._complaints.read().decode(errors="replace").strip().splitlines()[-6:])


@contextlib.contextmanager
def conversing(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> Iterator[Conversation]:
    """Run a program while the block does, to ask it; it ends with its input, or is killed.

    Raises:
        HostError: The program is not installed, or can't be run.
    """
    words = [str(word) for word in argv]
    logger.debug("+ %s", shlex.join(words))
    with tempfile.TemporaryFile() as complaints:
        try:
            child = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=host_environment(env),
            )
        except OSError as error:
            raise _not_run(words, error) from error
        try:
            yield Conversation(child, complaints)
        finally:
            child.kill()
            child.communicate()


def _lines(output: IO[bytes], end_s: float) -> Iterator[str]:
    """The lines as they come, until all who may write have closed it.

    Raises:
        subprocess.TimeoutExpired: That moment of monotonic time has passed.
    """
    rest, more = b"", b"first"
    while more:
        left_s = end_s - time.monotonic()
        if left_s <= 0 or not select.select([output], [], [], left_s)[0]:
            raise subprocess.TimeoutExpired((), end_s)
        more = os.read(output.fileno(), 65536)
        *lines, rest = (rest + more).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


def _signal_all(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or in a user namespace of their own
        os.killpg(child.pid, number)


def _end_all(child: subprocess.Popen[bytes]) -> None:
    """SIGTERM lets it tidy up; SIGKILL ends what is left of it and of what it started."""
    try:
        _signal_all(child, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_TIDYING_S)
    finally:
        _signal_all(child, signal.SIGKILL)


def start_daemon(argv: Sequence[str | Path], *, log: Path) -> None:
    """Run a program that puts itself in the background, in a session of its own; return when it has.

    Raises:
        HostError: The program is not installed, or can't be run.
        CommandError: It ended with another status; the log's last lines are in the details.
    """
    words = [str(word) for word in argv]
    logger.debug("+ %s", shlex.join(words))
    with open(log, "ab") as output:
        try:
            code = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=UMASK,
                env=host_environment(),
                check=False,
            ).returncode
        except OSError as error:
            raise _not_run(words, error) from error
    if code != 0:
        said = log.read_text(encoding="utf-8", errors="replace")
        raise CommandError.from_output(words, code, said, brief=f"{Path(words[0]).name} did not start")
