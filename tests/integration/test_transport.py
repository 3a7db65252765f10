"""The door into a machine: outputs come back byte for byte, whatever they are."""

from __future__ import annotations

import dataclasses

import pytest

from labbuilder.errors import TransportError
from labbuilder.lab import Lab
from labbuilder.ssh.shell import Shell

pytestmark = pytest.mark.needs_root


def test_each_script_has_its_own_output_and_status(lab: Lab) -> None:
    scripts = [
        "echo one; exit 3",
        "printf 'no newline'; echo 'to both' >&2",
        "true",
        "printf '0 1 2\\n3 4\\n\\n'",  # looks like a frame
        "echo ñandú; printf '\\377'",
        "exit 255",
    ]
    said = lab.session().shell("server1").run_many(scripts)
    assert [(r.code, r.stdout, r.stderr) for r in said] == [
        (3, "one\n", ""),
        (0, "no newline", "to both\n"),
        (0, "", ""),
        (0, "0 1 2\n3 4\n\n", ""),
        (0, "ñandú\n\ufffd", ""),
        (255, "", ""),
    ]
    assert lab.run("server1", "ls -d /run/tmp.*").stdout == ""


def test_an_output_of_any_size_comes_whole_and_within_the_limit(lab: Lab) -> None:
    text = "".join(f"{n} ñandúes\n" for n in range(2_000_000))
    said = lab.run("server1", "seq -f '%.0f ñandúes' 0 1999999")
    assert len(said.stdout) == len(text)
    assert said.stdout == text


def test_scripts_run_at_the_same_time(lab: Lab) -> None:
    """The first waits for what the second makes: one after the other, it would wait in vain."""
    scripts = ["timeout 5 sh -c 'until [ -e /run/met ]; do sleep 0.02; done'", "touch /run/met", "echo $PPID"]
    assert [r.ok for r in lab.session().shell("server1").run_many(scripts)] == [True, True, True]
    lab.run("server1", "rm /run/met")


def test_another_host_key_than_the_machines_own_is_refused(lab: Lab) -> None:
    provider = lab.session().provider
    other = provider.endpoint("server2").host_key
    with pytest.raises(TransportError, match="server1 can't be reached"):
        Shell(dataclasses.replace(provider.endpoint("server1"), host_key=other))


def test_a_limit_that_passes_is_told(lab: Lab) -> None:
    with pytest.raises(TransportError, match=r"did not carry out a command within 0\.5 s") as told:
        Shell(lab.session().provider.endpoint("server1")).run("echo here; echo wrong >&2; sleep 30", timeout_s=0.5)
    assert told.value.details == "here\nwrong"


def test_lines_are_handed_over_as_they_come(lab: Lab) -> None:
    seen: list[str] = []
    lab.session().shell("server1").run("echo a; echo b; printf c", on_line=seen.append)
    assert seen == ["a", "b"]
