"""Management SSH: the only door into a machine, and with runner.py the only module that imports Fabric."""

from __future__ import annotations

import base64
import io
import logging
import os
import shlex
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from labbuilder.errors import LabError, TransportError
from labbuilder.host.run import Result
from labbuilder.host.store import write_atomic

if TYPE_CHECKING:
    import fabric

# Nothing is ever sent: the input ends when the connection does, and then all of the script's session is ended.
# In base64, so that a `pkill -f` in the script does not find this shell by its own words.
_ATTACHED = """exec 3<&0
setsid -- "$SHELL" -c "$(echo {} | base64 -d)" </dev/null 3<&- & script=$!
exec 2>/dev/null  # bash tells of what was killed
{{ read -r _ <&3; kill -- -$script; sleep 2; kill -KILL -- -$script; }} >/dev/null & watcher=$!
wait $script; code=$?
kill $watcher
exit $code"""
SLOW_GUEST_S = 60.0  # a virtual machine that has just booted took up to 15 s to start one sshd


class Relay(Protocol):
    """A way to a machine's SSH that is no socket of this host."""

    def connect(self, timeout_s: float) -> Any:
        """Something that behaves as a connected socket."""

    @property
    def proxy_command(self) -> tuple[str, ...]:
        """The program that OpenSSH speaks through."""


@dataclass(frozen=True)
class Endpoint:
    """Where a machine's management SSH is, and what it must show.

    Attributes:
        machine: The machine's name; errors speak of it.
        host_key: Its public host key, "ssh-ed25519 AAAA...": known before the first connect.
        identity: The file with the lab's private key.
        unix_socket: Path of the UNIX socket on which its sshd listens; None for TCP.
        host: Address for TCP.
        port: TCP port.
        user: Who logs in.
        relay: Another way than a socket of this host.
    """

    machine: str
    host_key: str
    identity: Path
    unix_socket: Path | None = None
    host: str = "127.0.0.1"
    port: int = 22
    user: str = "root"
    relay: Relay | None = None

    def stream(self, *, timeout_s: float) -> Any | None:
        """The connection, where it is no plain TCP: something that behaves as a connected socket."""
        if self.relay is not None:
            return self.relay.connect(timeout_s)
        return None if self.unix_socket is None else connect_unix(self.unix_socket, timeout_s=timeout_s)


def connect_unix(path: Path, *, timeout_s: float = 10.0) -> socket.socket:
    """Connect to a UNIX socket however long its path is (the kernel's own limit is 108 bytes)."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout_s)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
        except OSError:
            connection.close()
            raise
        connection.settimeout(None)
        return connection
    finally:
        os.close(folder)


def banner_ready(endpoint: Endpoint, *, within_s: float = 5.0) -> bool:
    """The machine's SSH sends its banner; a connection alone proves nothing."""
    try:
        connection = endpoint.stream(timeout_s=within_s)
        if connection is None:
            connection = socket.create_connection((endpoint.host, endpoint.port), timeout=within_s)
        with connection:
            connection.settimeout(within_s)
            return bool(connection.recv(4) == b"SSH-")
    except (OSError, LabError):
        return False


def openssh_argv(endpoint: Endpoint, command: Sequence[str]) -> list[str]:
    """The words with which OpenSSH reaches the machine, for those who want a terminal.

    Args:
        endpoint: Where the machine is.
        command: What to run there; nothing opens a shell.
    """
    return ["ssh", *_openssh_options(endpoint), _openssh_name(endpoint), *(["--", *command] if command else [])]


def scp_argv(endpoint: Endpoint, source: str, target: str) -> list[str]:
    """The words with which OpenSSH copies a file or a folder; the path that begins with ":" is in the machine."""
    places = [f"{_openssh_name(endpoint)}{place}" if place.startswith(":") else place for place in (source, target)]
    return ["scp", "-r", *_openssh_options(endpoint), "--", *places]


def _openssh_name(endpoint: Endpoint) -> str:
    plain = endpoint.relay is None and endpoint.unix_socket is None
    return f"{endpoint.user}@{endpoint.host if plain else endpoint.machine}"


def _openssh_options(endpoint: Endpoint) -> list[str]:
    identity, known_hosts = (str(path).replace("%", "%%") for path in (endpoint.identity, _known_hosts(endpoint)))
    # fmt: off
    words = [
        "-F", "none", "-i", identity, "-o", f'UserKnownHostsFile="{known_hosts}"',
        "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR", "-o", "SetEnv=LANG=C.UTF-8",
        "-o", f"HostKeyAlias={endpoint.machine}",
    ]
    # fmt: on
    if endpoint.relay is not None:
        proxy = shlex.join(endpoint.relay.proxy_command).replace("%", "%%")
        return [*words, "-o", f"ProxyCommand={proxy}"]
    if endpoint.unix_socket is None:
        return [*words, "-o", f"Port={endpoint.port}"]
    relay = Path(__file__).with_name("fdpass.py")
    proxy = shlex.join([sys.executable, "-IS", str(relay), str(endpoint.unix_socket)]).replace("%", "%%")
    return [*words, "-o", "ProxyUseFdpass=yes", "-o", f"ProxyCommand={proxy}"]


def _known_hosts(endpoint: Endpoint) -> Path:
    """A file of the machine's own: somebody else may reach another machine at the same moment."""
    path = endpoint.identity.with_name(f"{endpoint.machine}.known_hosts")
    write_atomic(path, f"{endpoint.machine} {endpoint.host_key}\n")
    return path


def warm_up() -> None:
    """Import Fabric now, while something else is waited for: it takes a tenth of a second."""
    import fabric  # noqa: F401, PLC0415


class Shell:
    """One SSH connection to a machine, by Fabric. Used by one thread at a time.

    Args:
        endpoint: Where the machine is.
        within_s: Limit of each step of connecting, in seconds.

    Raises:
        TransportError: The machine can't be reached, or shows another host key than its own.
    """

    def __init__(self, endpoint: Endpoint, *, within_s: float = SLOW_GUEST_S) -> None:
        self.endpoint = endpoint
        self._connection = _connect(endpoint, within_s)

    def run(
        self,
        script: str,
        *,
        timeout_s: float | None = 60.0,
        on_line: Callable[[str], None] | None = None,
        on_error_line: Callable[[str], None] | None = None,
    ) -> Result:
        """Run a shell script as root in the machine.

        Args:
            script: What the machine's own shell is to run.
            timeout_s: Limit in seconds; None: as long as it takes.
            on_line: Called with each whole line of standard output as it comes.
            on_error_line: The same, of standard error.

        Raises:
            TransportError: The connection broke, or the limit passed.
        """
        streams = {
            name: _Lines(called)
            for name, called in (("out_stream", on_line), ("err_stream", on_error_line))
            if called is not None
        }
        try:
            done = self._connection.run(script, hide=True, warn=True, in_stream=False, timeout=timeout_s, **streams)
        except Exception as error:
            raise self._unfinished(error, timeout_s) from error
        if done.exited < 0:
            raise TransportError(
                brief=f"{self.endpoint.machine} went away in the middle of a command",
                resolution="labbuilder status shows whether it runs",
            )
        return Result(("ssh", self.endpoint.machine, script), done.exited, done.stdout, done.stderr)

    def run_attached(self, script: str, **ways: Any) -> Result:
        """As `run`, but what runs ends with the limit or the connection, and its standard input is empty."""
        done = self.run(_ATTACHED.format(base64.b64encode(script.encode()).decode()), **ways)
        return replace(done, argv=("ssh", self.endpoint.machine, script))

    def _unfinished(self, error: Exception, timeout_s: float | None) -> TransportError:
        brief, said = f"{self.endpoint.machine} did not carry out a command", getattr(error, "result", None)
        if said is None:
            details = f"{type(error).__name__}: {error}"
        else:  # the limit passed; what Fabric says of that has the whole script in it
            brief += f" within {timeout_s or 0:g} s"
            details = "\n".join([*said.stdout.splitlines()[-3:], *said.stderr.splitlines()[-10:]])
        return TransportError(brief, details, "labbuilder status shows whether it runs")

    def run_many(self, scripts: Sequence[str], *, timeout_s: float = 60.0) -> tuple[Result, ...]:
        """Run several scripts at the same time in one round trip, each with its own output and status."""
        told = "\n".join(f"( {{ {script}\n}} >$d/{n}.o 2>$d/{n}.e; ) & p{n}=$!" for n, script in enumerate(scripts))
        waited = "\n".join(f"wait $p{n} && c{n}=0 || c{n}=$?" for n in range(len(scripts)))
        codes = " ".join(f"$c{n}" for n in range(len(scripts)))
        names = " ".join(f"{n}.o {n}.e" for n in range(len(scripts)))
        # In /run, since /tmp is mounted over while a machine boots.
        # Every output is framed by its length in bytes, so no text can break the frame.
        read = f"( cd $d; echo {codes}; echo $(stat -c %s {names}); cat {names} ) | base64 -w0"
        whole = f"d=$(mktemp -d -p /run)\n{told}\n{waited}\n{read}\nrm -r $d"
        done = self.run(whole, timeout_s=timeout_s)
        return tuple(_unframe(done, self.endpoint.machine, scripts))

    def put(self, data: bytes, path: str) -> None:
        """Write a file in the machine.

        Raises:
            TransportError: It could not be written.
        """
        try:
            self._connection.put(io.BytesIO(data), path)
        except Exception as error:
            raise TransportError(
                brief=f"{path} could not be written in {self.endpoint.machine}", details=str(error)
            ) from error

    @property
    def is_open(self) -> bool:
        """Neither end has closed it, as far as is known here."""
        return bool(self._connection.is_connected)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class _Lines(io.TextIOBase):
    """A stream that hands over whole lines."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._on_line(line)
        return len(text)


def _unframe(done: Result, machine: str, scripts: Sequence[str]) -> Iterator[Result]:
    codes, sizes, data = base64.b64decode(done.stdout).split(b"\n", 2)
    lengths = iter([int(size) for size in sizes.split()])
    for script, code, out, err in zip(scripts, codes.split(), lengths, lengths, strict=True):
        texts = data[:out].decode(errors="replace"), data[out : out + err].decode(errors="replace")
        data = data[out + err :]
        yield Result(("ssh", machine, script), int(code), *texts)


def _connect(endpoint: Endpoint, within_s: float) -> fabric.Connection:
    import fabric  # noqa: PLC0415  costs 0.1 s; only who connects pays
    import paramiko  # noqa: PLC0415

    from labbuilder.ssh.runner import WholeOutput  # noqa: PLC0415

    logging.getLogger("paramiko").addHandler(logging.NullHandler())  # its threads would print tracebacks of their own
    config = fabric.Config(overrides={"runners": {"remote": WholeOutput}}, lazy=True)
    config.load_ssh_config = False
    options: dict[str, Any] = {
        "key_filename": str(endpoint.identity),
        "allow_agent": False,
        "look_for_keys": False,
        "banner_timeout": within_s,
        "auth_timeout": within_s,
        "channel_timeout": SLOW_GUEST_S,  # else who asks a machine that froze waits for an hour
        "disabled_algorithms": {"keys": ["rsa-sha2-512", "rsa-sha2-256"]},
    }
    name, stream = endpoint.machine, None
    try:
        stream = endpoint.stream(timeout_s=within_s)
        if stream is not None:
            options["sock"] = stream
        host = name if stream is not None else endpoint.host
        connection = fabric.Connection(
            host,
            user=endpoint.user,
            port=endpoint.port,
            connect_kwargs=options,
            connect_timeout=within_s,  # the key exchange too must end within it
            config=config,
        )
        kind, key = endpoint.host_key.split()
        known = paramiko.PKey.from_type_string(kind, base64.b64decode(key))
        shown = host if endpoint.port == 22 else f"[{host}]:{endpoint.port}"  # noqa: PLR2004  as known_hosts does
        connection.client.get_host_keys().add(shown, kind, known)
        connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        connection.open()
    except Exception as error:
        if stream is not None:
            stream.close()
        raise TransportError(
            brief=f"{name} can't be reached over SSH",
            details=f"{type(error).__name__}: {error}",
            resolution=f"labbuilder status shows whether it runs; labbuilder console {name} shows its boot",
        ) from error
    return connection
