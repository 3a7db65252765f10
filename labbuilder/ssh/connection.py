"""Shells by Fabric: with runner.py the only module that imports it."""

from __future__ import annotations

import base64
import io
import logging
import shlex
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from labbuilder.errors import SlowMachineError, TransportError
from labbuilder.host.load import host_load
from labbuilder.host.run import Result
from labbuilder.ssh import frames
from labbuilder.ssh.endpoint import Endpoint

if TYPE_CHECKING:
    import fabric

SLOW_GUEST_S = 60.0  # a virtual machine that has just booted took up to 15 s to start one sshd
_BEYOND_S = 30.0  # a busy machine kills what reached its limit, and says so, a while later
_NO_PERL = (126, 127)  # it is not there, or can not be run
_SHOWN = 10


_importing = threading.Lock()


def warm_up() -> None:
    """Import Fabric, best while something else is waited for: it takes a tenth of a second.

    Without what invoke has ready for others' tests: unittest.mock, and all of asyncio and ssl behind it.
    """
    with _importing:
        alone = "unittest.mock" not in sys.modules
        if alone:
            sys.modules["unittest.mock"] = _MockIfCalled("unittest.mock")
        try:
            import fabric.runners  # noqa: F401, PLC0415
        finally:
            if alone:
                del sys.modules["unittest.mock"]


class _MockIfCalled(ModuleType):
    """In place of unittest.mock while it is imported from: the real Mock comes when one is made."""

    @staticmethod
    def Mock(*args: Any, **kwargs: Any) -> Any:  # noqa: N802  its name
        """A real one."""
        from unittest.mock import Mock  # noqa: PLC0415

        return Mock(*args, **kwargs)


class FabricShell:
    """A `Shell` over one SSH connection.

    Args:
        endpoint: Where the machine is.
        within_s: Limit of each step of connecting, in seconds.

    Raises:
        TransportError: The machine can't be reached, or shows another host key than its own.
    """

    def __init__(self, endpoint: Endpoint, *, within_s: float = SLOW_GUEST_S) -> None:
        self.endpoint = endpoint
        self._connection = _connected(endpoint, within_s)

    @property
    def machine(self) -> str:
        """The machine's name."""
        return self.endpoint.machine

    @property
    def is_open(self) -> bool:
        """Neither end has closed it, as far as is known here."""
        return bool(self._connection.is_connected)

    def run(
        self,
        script: str,
        *,
        timeout_s: float | None = 60.0,
        attached: bool = False,
        on_line: Callable[[str], None] | None = None,
        on_error_line: Callable[[str], None] | None = None,
    ) -> Result:
        """Run a script: see `Shell`."""
        mark = frames.new_mark()
        told = {"out_stream": on_line, "err_stream": on_error_line}
        streams = {name: frames.MarkedLines(mark, called) for name, called in told.items() if called is not None}
        done = self._run(frames.attached(script) if attached else script, mark, timeout_s, **streams)
        return replace(done, argv=("ssh", self.machine, script))

    def run_many(self, scripts: Sequence[str], *, timeout_s: float = 60.0) -> tuple[Result, ...]:
        """Run several scripts at the same time: see `Shell`. One after the other where there is no perl."""
        mark = frames.new_mark()
        asked = frames.many(scripts, mark, limit_s=timeout_s)
        try:
            done = self._run(asked, mark, timeout_s + _BEYOND_S, encoding="latin-1")
        except SlowMachineError as error:
            if not error.begun:
                self.close()  # who asks again connects again, and is told what is wrong
                raise
            return self._read(scripts, mark, error.said, whole=False)
        if done.code in _NO_PERL:
            return tuple(self._run_limited(script, timeout_s) for script in scripts)
        return self._read(scripts, mark, done.stdout or done.stderr, whole=True)

    def _read(self, scripts: Sequence[str], mark: str, said: str, *, whole: bool) -> tuple[Result, ...]:
        try:
            found = frames.read_many(said, mark, self.machine, scripts)
        except frames.GarbledError as error:
            raise self._garbled(str(error)) from error
        if whole and len(found) < len(scripts):
            raise self._garbled(said)
        return tuple(found.get(number) or self._late(script) for number, script in enumerate(scripts))

    def _run_limited(self, script: str, timeout_s: float) -> Result:
        try:
            return self.run(script, timeout_s=timeout_s)
        except SlowMachineError:
            return self._late(script)

    def _late(self, script: str) -> Result:
        return Result(("ssh", self.machine, script), frames.ENDED_AT_LIMIT, "")

    def put(self, data: bytes, path: str) -> None:
        """Write a file in the machine: see `Shell`. By a command, since sudo takes no part in SFTP."""
        script = f"cat >{shlex.quote(path)}"
        done = self._run(script, frames.new_mark(), SLOW_GUEST_S, in_stream=io.BytesIO(data), encoding="latin-1")
        if not done.ok:
            raise TransportError(f"{path} could not be written in {self.machine}", done.stderr.strip())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _run(self, script: str, mark: str, timeout_s: float | None, **ways: Any) -> Result:
        line = frames.line(script, mark, sudo=self.endpoint.sudo)
        ways = {"hide": True, "warn": True, "in_stream": False, "timeout": timeout_s} | ways
        try:
            done = self._connection.run(line, **ways)
        except Exception as error:
            raise self._unfinished(error, mark, timeout_s) from error
        if done.exited < 0:
            raise TransportError(
                brief=f"{self.machine} went away in the middle of a command", resolution=self.endpoint.advice
            )
        said, errors = (frames.after_mark(text, mark) for text in (done.stdout, done.stderr))
        if said is None:
            raise self._not_run(f"{done.stdout}\n{done.stderr}", done.exited)
        return Result(("ssh", self.machine, script), done.exited, said, errors or "")

    def _unfinished(self, error: Exception, mark: str, timeout_s: float | None) -> TransportError:
        """The limit passed, or the connection broke."""
        said = getattr(error, "result", None)
        if said is None:
            details = f"{type(error).__name__}: {error}"
            return TransportError(f"{self.machine} did not carry out a command", details, self.endpoint.advice)
        out, errors = (frames.after_mark(text, mark) for text in (said.stdout, said.stderr))
        begun = out is not None
        lines = [*(out or "").splitlines()[-3:], *(errors or "").splitlines()[-_SHOWN:], host_load()]
        what = "carry out a command" if begun else "begin with a command"
        brief = f"{self.machine} did not {what} within {timeout_s or 0:g} s"
        return SlowMachineError(brief, "\n".join(lines), self.endpoint.advice, begun, out or "")

    def _not_run(self, said: str, status: int) -> TransportError:
        """Something else ran: nologin, an rc file that exits, sudo that wants a password."""
        lines = [line for line in said.splitlines() if line.strip()]
        return TransportError(
            brief=f"{self.machine} did not run a command: what {self.endpoint.user} logs in to ended by itself",
            details="\n".join([f"Exit status: {status}", *lines[-_SHOWN:]]),
            resolution=self._mend(said),
        )

    def _mend(self, said: str) -> str:
        user = self.endpoint.user
        if self.endpoint.sudo and "sudo:" in said:
            return f"let {user} use sudo without a password in {self.machine}: NOPASSWD in /etc/sudoers.d"
        return f"the login shell of {user} in {self.machine} must run commands: getent passwd {user} shows it"

    def _garbled(self, said: str) -> TransportError:
        lines = [line[:200] for line in said.splitlines() if line.strip()]
        return TransportError(
            brief=f"{self.machine} gave another answer than a command's",
            details="\n".join(lines[-_SHOWN:]),
            resolution=f"does something in {self.machine} print at each login (/etc/ssh/sshrc)? Remove that",
        )


def connect(endpoint: Endpoint, *, within_s: float = SLOW_GUEST_S) -> FabricShell:
    """Connect to a machine: see `FabricShell`."""
    return FabricShell(endpoint, within_s=within_s)


def _connected(endpoint: Endpoint, within_s: float) -> fabric.Connection:
    warm_up()
    import fabric  # noqa: PLC0415

    from labbuilder.ssh.runner import WholeOutput  # noqa: PLC0415

    logging.getLogger("paramiko").addHandler(logging.NullHandler())  # its threads would print tracebacks of their own
    config = fabric.Config(overrides={"runners": {"remote": WholeOutput}}, lazy=True)
    config.load_ssh_config = False
    stream = None
    try:
        stream = endpoint.stream(timeout_s=within_s)
        connection = fabric.Connection(
            endpoint.machine if stream is not None else endpoint.host,
            user=endpoint.user,
            port=endpoint.port,
            connect_kwargs=_ways_in(endpoint, within_s, stream),
            connect_timeout=within_s,  # the key exchange too must end within it
            config=config,
        )
        _know(connection, endpoint)
        connection.open()
    except Exception as error:
        if stream is not None:
            stream.close()
        raise TransportError(
            brief=f"{endpoint.machine} can't be reached over SSH",
            details=f"{type(error).__name__}: {error}",
            resolution=endpoint.advice,
        ) from error
    return connection


def _ways_in(endpoint: Endpoint, within_s: float, stream: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "allow_agent": endpoint.identity is None,
        "look_for_keys": False,
        "banner_timeout": within_s,
        "auth_timeout": within_s,
        "channel_timeout": SLOW_GUEST_S,  # else who asks a machine that froze waits for an hour
    }
    if endpoint.identity is not None:
        options["key_filename"] = str(endpoint.identity)
        options["disabled_algorithms"] = {"keys": ["rsa-sha2-512", "rsa-sha2-256"]}
    return options | ({"sock": stream} if stream is not None else {})


def _know(connection: fabric.Connection, endpoint: Endpoint) -> None:
    """Take no other host key than the machine's own."""
    import paramiko  # noqa: PLC0415

    known = connection.client.get_host_keys()
    if endpoint.host_key is not None:
        kind, key = endpoint.host_key.split()
        known.add(endpoint.known_as, kind, paramiko.PKey.from_type_string(kind, base64.b64decode(key)))
    else:
        connection.client.load_system_host_keys(str(endpoint.known_hosts or Path.home() / ".ssh/known_hosts"))
    connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
