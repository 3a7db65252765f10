"""OpenSSH's own command lines, for those who want a terminal or copy files."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from labbuilder.host.store import write_atomic
from labbuilder.ssh.endpoint import Endpoint

# Root's own login shell, and bash where that one lets nobody in: /etc/shells has no nologin.
_LOGIN = 's=$(getent passwd root); s=${s##*:}; grep -qx "$s" /etc/shells || s=/bin/bash; cd; exec "$s" -l'


def openssh_argv(endpoint: Endpoint, line: str | None) -> list[str]:
    """The words with which OpenSSH opens a shell in the machine, or runs a line of bash there with our input.

    The line is run by bash without its rc files; the shell that is opened is root's own, with them.
    """
    asked = _LOGIN if line is None else shlex.join(["exec", "/bin/bash", "--norc", "-c", line])
    if endpoint.sudo:
        asked = shlex.join(["sudo", "-n", "--", "/bin/sh", "-c", asked])
    terminal = ["-t"] if line is None else []
    return ["ssh", *terminal, *_options(endpoint), _name(endpoint), "--", asked]


def scp_argv(endpoint: Endpoint, source: str, target: str) -> list[str]:
    """The words with which OpenSSH copies a file or a folder; the path that begins with ":" is in the machine."""
    places = [f"{_name(endpoint)}{place}" if place.startswith(":") else place for place in (source, target)]
    return ["scp", "-r", *_options(endpoint), "--", *places]


def _name(endpoint: Endpoint) -> str:
    plain = endpoint.relay is None and endpoint.unix_socket is None
    return f"{endpoint.user}@{endpoint.host if plain else endpoint.machine}"


def _options(endpoint: Endpoint) -> list[str]:
    # fmt: off
    words = ["-F", "none", "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR", "-o", "SetEnv=LANG=C.UTF-8"]
    # fmt: on
    if endpoint.identity is not None:
        # not -i, which looks for the file before it reads %% as %
        words += ["-o", f'IdentityFile="{_escaped(str(endpoint.identity))}"']
    words += _known_by(endpoint)
    if endpoint.relay is not None:
        return [*words, "-o", f"ProxyCommand={_escaped(shlex.join(endpoint.relay.proxy_command))}"]
    if endpoint.unix_socket is None:
        return [*words, "-o", f"Port={endpoint.port}"]
    relay = Path(__file__).with_name("fdpass.py")
    proxy = _escaped(shlex.join([sys.executable, "-IS", str(relay), str(endpoint.unix_socket)]))
    return [*words, "-o", "ProxyUseFdpass=yes", "-o", f"ProxyCommand={proxy}"]


def _known_by(endpoint: Endpoint) -> list[str]:
    """By which file the machine is known: one of its own, since others may be reached at the same moment."""
    if endpoint.host_key is None or endpoint.identity is None:
        path = endpoint.known_hosts
        return [] if path is None else ["-o", f'UserKnownHostsFile="{_escaped(str(path))}"']
    path = endpoint.identity.with_name(f"{endpoint.machine}.known_hosts")
    write_atomic(path, f"{endpoint.machine} {endpoint.host_key}\n")
    return ["-o", f'UserKnownHostsFile="{_escaped(str(path))}"', "-o", f"HostKeyAlias={endpoint.machine}"]


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
