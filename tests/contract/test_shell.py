"""What a machine's shell promises: the real one over SSH, and the fake that unit tests use in its place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from fake_shell import LATE, FakeShell

from labbuilder.errors import SlowMachineError, TransportError
from labbuilder.host.run import Result
from labbuilder.lab import Lab
from labbuilder.ssh.connection import connect
from labbuilder.ssh.frames import ENDED_AT_LIMIT
from labbuilder.ssh.shell import Shell

Known = Mapping[str, Result]
Open = Callable[[Known], Shell]


@pytest.fixture(params=["fake", pytest.param("fabric", marks=pytest.mark.needs_root)])
def opened(request: Any) -> Iterator[Open]:
    """Opens a shell; the fake one is told what a real one would find out."""
    if request.param == "fake":
        yield FakeShell
        return
    lab: Lab = request.getfixturevalue("lab")
    with closing(connect(lab.session().provider.endpoint("server1"))) as shell:
        yield lambda _: shell


def said(code: int, out: str = "", errors: str = "") -> Result:
    return Result((), code, out, errors)


def test_each_script_has_its_own_output_and_status(opened: Open) -> None:
    known = {
        "echo one; exit 3": said(3, "one\n"),
        "printf 'no newline'; echo 'to both' >&2": said(0, "no newline", "to both\n"),
        "true": said(0),
        "echo ñandú; printf '\\377'": said(0, "ñandú\n\ufffd"),
        "exit 255": said(255),
        "kill -9 $$": said(137),
        "cat": said(0),  # no script has an input
    }
    answers = opened(known).run_many(list(known))
    assert [(r.code, r.stdout, r.stderr) for r in answers] == [(r.code, r.stdout, r.stderr) for r in known.values()]
    assert [r.argv[-1] for r in answers] == list(known)


def test_a_script_that_reaches_its_limit_is_ended_and_the_others_are_told(opened: Open) -> None:
    known = {"echo here": said(0, "here\n"), "sleep 30 & sleep 30": LATE, "exit 4": said(4)}
    codes = [r.code for r in opened(known).run_many(list(known), timeout_s=1.0)]
    assert codes == [0, ENDED_AT_LIMIT, 4]


def test_a_limit_that_passes_is_told_with_what_was_said(opened: Open) -> None:
    script = "echo here; echo wrong >&2; sleep 30"
    known = {script: said(ENDED_AT_LIMIT, "here\n", "wrong\n")}
    with pytest.raises(SlowMachineError, match=r"server1 did not carry out a command within 0\.5 s") as told:
        opened(known).run(script, timeout_s=0.5)
    assert (told.value.details or "").startswith("here\nwrong\nthis host's load is ")
    assert told.value.begun


def test_lines_are_handed_over_as_they_come(opened: Open) -> None:
    script, lines, errors = "echo a; echo b; printf c; echo d >&2", list[str](), list[str]()
    done = opened({script: said(0, "a\nb\nc", "d\n")}).run(script, on_line=lines.append, on_error_line=errors.append)
    assert (done.stdout, done.stderr, lines, errors) == ("a\nb\nc", "d\n", ["a", "b"], ["d"])
    assert done.argv == ("ssh", "server1", script)


def test_a_file_is_put_byte_by_byte(opened: Open) -> None:
    data, path = bytes(range(256)) * 400, "/run/it's here"
    shell = opened({})
    shell.put(data, path)
    if isinstance(shell, FakeShell):
        assert shell.files == {path: data}
    else:
        digest = shell.run('sha256sum "/run/it\'s here"; rm "/run/it\'s here"').stdout.split()[0]
        assert digest == hashlib.sha256(data).hexdigest()


def test_a_closed_shell_says_so(opened: Open) -> None:
    shell = opened({"true": said(0)})
    assert shell.is_open
    shell.close()
    assert not shell.is_open
    if isinstance(shell, FakeShell):  # Fabric opens it again by itself
        with pytest.raises(TransportError):
            shell.run("true")
