"""Commands on one machine: ssh, exec, logs, console."""

from __future__ import annotations

import os
import shlex
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from labbuilder.cli import output
from labbuilder.cli.shared import JsonOption, LabOption, NodeArgument, app, example, existing
from labbuilder.errors import LabError, SpecError

if TYPE_CHECKING:
    from labbuilder.host.run import Result
    from labbuilder.lab import Lab
    from labbuilder.lifecycle.session import Session


@app.command(
    epilog=example(
        "labbuilder ssh server1",
        "labbuilder ssh client1 -- ip route",
        "labbuilder ssh client1 -- 'ip route | wc -l'",
        "labbuilder ssh client1 -- 'cat >/tmp/notes' <notes",
    )
)
def ssh(
    node: NodeArgument, command: Annotated[list[str] | None, typer.Argument()] = None, lab: LabOption = None
) -> None:
    """Open a shell in a machine, or run one command there, with your input.

    Several words are a program and its arguments; one word alone is a line of shell.
    """
    from labbuilder.ssh.openssh import openssh_argv  # noqa: PLC0415

    found = existing(lab).session()
    found.shell(node).close()  # says in our words what is wrong, if anything is
    os.execvp("ssh", openssh_argv(found.provider.endpoint(node), _line(command) if command else None))


def _line(words: list[str]) -> str:
    """A line of shell as it was typed, or a program and its arguments."""
    return words[0] if len(words) == 1 else shlex.join(words)


@app.command(
    "exec",
    epilog=example(
        "labbuilder exec server1 -- systemctl status isc-dhcp-server",
        "labbuilder exec server1,server2 -- date",
        "labbuilder exec all -- 'ip -br addr | grep UP'",
        "labbuilder exec client1 --timeout 10 -- ping 192.168.1.1",
    ),
)
def exec_(
    nodes: Annotated[str, typer.Argument(help="A machine, several with commas, or all.")],
    command: list[str],
    timeout: Annotated[float | None, typer.Option(min=0, help="End it after so many seconds; default: never.")] = None,
    lab: LabOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run one command in machines, at once in all; the first exit status that is not 0 is passed on.

    Several words are a program and its arguments; one word alone is a line of shell. Its input is empty: `labbuilder
    ssh` passes yours on. What it prints is shown as it comes. At the limit and at Ctrl-C it ends in the machines too.
    """
    from labbuilder.host.parallel import for_each  # noqa: PLC0415

    session = existing(lab).session()
    names = named(session, [nodes])

    def ask(name: str) -> Result | LabError:
        head = f"{name}: " if len(names) > 1 else ""
        shown = {} if as_json else {"on_line": _shown(sys.stdout, head), "on_error_line": _shown(sys.stderr, head)}
        try:
            result = session.shell(name).run(_line(command), attached=True, timeout_s=timeout, **shown)
        except LabError as error:
            return error
        for show, text in zip(shown.values(), (result.stdout, result.stderr), strict=False):
            if rest := text.rpartition("\n")[2]:
                show(rest, end="\n" if head else "")
        return result

    try:
        answers = dict(zip(names, for_each(names, ask), strict=True))
    except KeyboardInterrupt:
        os._exit(130)  # the connections end with us, and with them what runs in the machines
    errors = [answer for answer in answers.values() if isinstance(answer, LabError)]
    if len(answers) == len(errors) == 1:
        raise errors[0]
    if as_json:
        told = {n: a.as_dict() if isinstance(a, LabError) else asdict(a) for n, a in answers.items()}
        output.print_json(told)
    else:
        for error in errors:
            output.print_error(error, as_json=False)
    codes = [a.exit_code for a in errors] + [a.code for a in answers.values() if not isinstance(a, LabError)]
    raise typer.Exit(next((code for code in codes if code), 0))


def named(session: Session, words: Sequence[str]) -> list[str]:
    """The machines of the lab that the words name: one, several with commas, or all.

    Raises:
        SpecError: The lab has none of that name.
    """
    names = [name for word in words for name in word.split(",")]
    if "all" in names:
        return [machine.name for machine in session.plan.machines]
    for name in names:
        session.machine(name)
    return list(dict.fromkeys(names))


_showing = threading.Lock()


def _shown(stream: TextIO, head: str) -> Callable[..., None]:
    def show(line: str, end: str = "\n") -> None:
        try:
            with _showing:
                stream.write(f"{head}{line}{end}")
                stream.flush()
        except BrokenPipeError:
            os._exit(0)  # who read has left; what runs in the machines ends with us

    return show


@app.command(epilog=example("labbuilder cp server1:/etc/dhcp/dhcpd.conf .", "labbuilder cp notes client1:/root/"))
def cp(
    source: Annotated[str, typer.Argument(help="A path here, or NODE:PATH.")],
    target: Annotated[str, typer.Argument(help="A path here, or NODE:PATH.")],
    lab: LabOption = None,
) -> None:
    """Copy a file or a folder to a machine, or from it."""
    from labbuilder.ssh.openssh import scp_argv  # noqa: PLC0415

    nodes = [place.partition(":")[0] if ":" in place.partition("/")[0] else "" for place in (source, target)]
    if all(nodes) or not any(nodes):
        raise SpecError(brief="one of the two must be in a machine", resolution="write that one as NODE:PATH")
    session = existing(lab).session()
    node = "".join(nodes)
    session.shell(node).close()
    places = [place.removeprefix(name) for place, name in zip((source, target), nodes, strict=True)]
    os.execvp("scp", scp_argv(session.provider.endpoint(node), *places))


@app.command(epilog=example("labbuilder logs server1", "labbuilder logs server1 kea", "labbuilder logs server1 dns -f"))
def logs(
    node: NodeArgument,
    service: Annotated[
        str | None, typer.Argument(help="dhcp, dns, nat, network, kea, isc, another of the lab, or any unit.")
    ] = None,
    lines: Annotated[int, typer.Option("-n", help="So many lines.")] = 50,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines come.")] = False,
    lab: LabOption = None,
) -> None:
    """Show a machine's journal, or what one service of it said."""
    from labbuilder.services.registry import journals  # noqa: PLC0415

    found = existing(lab)
    session = found.session()
    known = journals(session.plan, session.machine(node))
    words = known.get(service, (f"--unit={service}",)) if service else ()
    command = shlex.join(["journalctl", "--no-pager", "-q", "-n", str(lines), *words])
    if follow:
        _require_unit(found, node, service, known)
        ssh(node, [f"{command} -f"], lab)
    said = found.run(node, command).stdout
    if not said and service:  # what was removed since may have said something
        _require_unit(found, node, service, known)
        raise SpecError(brief=f"{service} has said nothing in {node} yet")
    print(said, end="")


def _require_unit(found: Lab, node: str, service: str | None, known: Collection[str]) -> None:
    if service is None or service in known:
        return
    state = found.run(node, f"systemctl show -P LoadState -- {shlex.quote(service)}").stdout
    if state.strip() in ("", "not-found"):
        units = f"labbuilder exec {node} -- systemctl list-units --type service lists them"
        raise SpecError(
            brief=f"{node} has no unit {service}",
            details=f"Services of the lab that are known by name: {', '.join(known)}",
            resolution=units,
        )


@app.command(epilog=example("labbuilder console server1"))
def console(node: NodeArgument, lab: LabOption = None) -> None:
    """Show what a machine's console said, boot by boot."""
    session = existing(lab).session()
    session.machine(node)
    path = session.provider.console(node)
    if not path.exists():
        raise SpecError(brief=f"{node} has said nothing yet", resolution="labbuilder status lists the machines")
    print(path.read_text(encoding="utf-8", errors="replace"), end="")
