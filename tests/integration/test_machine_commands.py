"""The commands on one machine, as a teacher types them."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

import pytest

from labbuilder.host.wait import wait_until
from labbuilder.lab import Lab
from labbuilder.ssh.openssh import openssh_argv

pytestmark = pytest.mark.needs_root


@contextmanager
def begun(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A command that was typed; nobody waits for its end."""
    at = words.index("--") if "--" in words else len(words)
    argv = [sys.executable, "-m", "labbuilder", *words[:at], "--lab", "guide", *words[at:]]
    pipe, heard = subprocess.PIPE, functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(argv, text=True, stdin=pipe, stdout=pipe, stderr=pipe, preexec_fn=heard) as process:  # noqa: PLW1509  no threads
        try:
            yield process
        finally:
            process.kill()


def typed(*words: str, stdin: str = "") -> tuple[int, str, str]:
    """Its exit status, what it printed, what it complained of."""
    with begun(*words) as process:
        said, complained = process.communicate(stdin, timeout=60)
    assert "Traceback" not in complained
    return process.returncode, said, complained


def said_by(process: subprocess.Popen[str]) -> Iterator[str]:
    """The lines of its output, as they come."""
    assert process.stdout
    return iter(process.stdout.readline, "")


def runs(lab: Lab, machine: str, command: str) -> bool:
    return lab.run(machine, f"pgrep -fx '{command}'").ok


def ends(lab: Lab, machine: str, command: str) -> None:
    wait_until(f"{command} has ended in {machine}", lambda: not runs(lab, machine, command), within_s=15.0, every_s=0.2)


def test_shells_are_opened_in_several_machines_at_one_moment(lab: Lab) -> None:
    machines = ("server1", "server2") * 4
    with ExitStack() as stack:
        shells = [stack.enter_context(begun("ssh", machine, "--", "hostname")) for machine in machines]
        assert [shell.communicate(timeout=60) for shell in shells] == [(f"{machine}\n", "") for machine in machines]
    assert [shell.returncode for shell in shells] == [0] * 8


def test_ssh_refuses_another_host_key_than_the_machines_own(lab: Lab) -> None:
    provider = lab.session().provider
    other = dataclasses.replace(provider.endpoint("server1"), host_key=provider.endpoint("server2").host_key)
    done = subprocess.run(openssh_argv(other, "true"), capture_output=True, text=True, check=False)
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


def test_exec_gives_its_command_an_empty_input(lab: Lab) -> None:
    assert typed("exec", "client1", "--", "cat", stdin="hi\n") == (0, "", "")
    assert typed("ssh", "client1", "--", "cat", stdin="hi\n") == (0, "hi\n", "")


def test_exec_shows_each_line_as_it_comes_and_at_ctrl_c_the_command_ends_in_the_machine(lab: Lab) -> None:
    script = "for i in 1 2; do echo out$i; echo err$i >&2; done; sleep 71"
    lines = [f"{machine}: out{n}\n" for machine in ("server1", "server2") for n in (1, 2)]
    with begun("exec", "server1,server2", "--", script) as process:
        assert sorted(islice(said_by(process), 4)) == lines
        assert process.stderr
        assert sorted(process.stderr.readline() for _ in lines) == [line.replace("out", "err") for line in lines]
        assert runs(lab, "server1", "sleep 71")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        assert process.stderr.read() == ""
    for machine in ("server1", "server2"):
        ends(lab, machine, "sleep 71")


def test_exec_has_a_limit_when_asked_and_what_it_cuts_off_ends_in_the_machine(lab: Lab) -> None:
    code, said, told = typed("exec", "server1", "--timeout", "1", "--", "echo A; trap '' TERM; sleep 72; sleep 72")
    assert (code, said) == (4, "A\n")
    assert "server1 did not carry out a command within 1 s" in told
    ends(lab, "server1", "sleep 72")
    assert typed("exec", "server1", "--timeout", "60", "--", "echo B") == (0, "B\n", "")


def test_exec_ends_its_command_when_it_is_killed_and_when_nobody_reads_on(lab: Lab) -> None:
    for killed in (True, False):
        with begun("exec", "client1", "--", "while echo line; do sleep 0.731; done") as process:
            assert next(said_by(process)) == "line\n"
            assert process.stdout
            process.kill() if killed else process.stdout.close()
            process.wait(timeout=10)
        ends(lab, "client1", "sleep 0.731")


def test_exec_is_not_found_by_its_own_words(lab: Lab) -> None:
    assert typed("exec", "client1", "--", "pkill", "-f", "nothing-has-this-name") == (1, "", "")


def test_what_a_command_leaves_in_the_background_goes_on(lab: Lab) -> None:
    assert typed("exec", "client1", "--", "sleep 73 >/dev/null 2>&1 &") == (0, "", "")
    assert runs(lab, "client1", "sleep 73")
    lab.run("client1", "pkill -fx 'sleep 73'")


def test_an_end_without_a_newline_is_shown_and_the_first_bad_status_is_passed_on(lab: Lab) -> None:
    assert typed("exec", "client1", "--", "printf a; printf b >&2; exit 3") == (3, "a", "b")
    assert typed("exec", "client1", "--", "kill -9 $$") == (137, "", "")
    code, said, _ = typed("exec", "all", "--", "printf '%s\\nend' $(hostname)")
    assert code == 0
    names = ("client1", "server1", "server2")
    assert sorted(said.splitlines()) == sorted(f"{n}: {line}" for n in names for line in (n, "end"))


def test_the_answers_are_one_json_document(lab: Lab) -> None:
    code, said, told = typed("exec", "server1,server2", "--json", "--", "hostname; exit 5")
    assert (code, told) == (5, "")
    assert json.loads(said) == {
        name: {"argv": ["ssh", name, "hostname; exit 5"], "code": 5, "stdout": f"{name}\n", "stderr": ""}
        for name in ("server1", "server2")
    }


@pytest.mark.parametrize("command", ["ssh", "exec"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sh", "-c", "echo A B"], "A B\n"),
        (["printf", "%s|", "a b", "c", "", "$HOME"], "a b|c||$HOME|"),
        (["echo A B | tr AB ab"], "a b\n"),
        (["printf", "%s|", "it's", "a\nb"], "it's|a\nb|"),
    ],
    ids=["sh -c", "argv", "a line", "quotes"],
)
def test_ssh_and_exec_take_several_words_as_they_are_and_one_word_as_a_line_of_shell(
    lab: Lab, command: str, words: list[str], said: str
) -> None:
    assert typed(command, "client1", "--", *words) == (0, said, "")


def test_logs_go_on_as_lines_come(lab: Lab) -> None:
    lab.run("client1", "systemd-cat -t lesson echo first")
    assert "first" in typed("logs", "client1", "-n", "5")[1]
    with begun("logs", "client1", "-f") as process:
        assert any("first" in line for line in said_by(process))
        lab.run("client1", "systemd-cat -t lesson echo second")
        assert any("second" in line for line in said_by(process))


def test_a_machine_that_is_off_or_paused_is_told_as_that_and_the_others_answer(lab: Lab) -> None:
    provider = lab.session().provider
    for off, on, state, mend in (
        (provider.kill, lab.up, "stopped", "labbuilder start server1"),
        (provider.pause, lambda: provider.resume("server1"), "paused", "labbuilder resume server1"),
    ):
        off("server1")
        try:
            code, said, told = typed("exec", "all", "--", "hostname")
            assert (code, sorted(said.splitlines())) == (4, ["client1: client1", "server2: server2"])
            assert f"error: server1 is {state}\n" in told
            assert mend in told
            code, said, told = typed("exec", "client1,server1", "--json", "--", "hostname")
            assert (code, told) == (4, "")
            answers = json.loads(said)
            assert answers["client1"]["stdout"] == "client1\n"
            assert answers["server1"]["brief"] == f"server1 is {state}"
            for words in (("ssh", "server1"), ("exec", "server1", "--", "true")):
                code, said, told = typed(*words)
                assert (code, said) == (4, "")
                assert f"server1 is {state}" in told
            code, said, _ = typed("verify")
            assert code == 1
            assert f"no check could be asked: server1 is {state}" in said
        finally:
            on()
    lab.up()


def test_a_machine_that_the_lab_has_not_is_told_before_anything_is_done(lab: Lab) -> None:
    for words in (("ssh", "nope"), ("exec", "client1,nope", "--", "echo done"), ("logs", "nope"), ("console", "nope")):
        code, said, told = typed(*words)
        assert (code, said) == (2, "")
        assert "the lab guide has no machine 'nope'" in told
        assert "use one of: server1, server2, client1" in told


def test_logs_of_a_unit_that_is_not_there_or_has_said_nothing_say_so(lab: Lab) -> None:
    for words in (("nope",), ("nope", "-f"), ("no*",)):
        code, said, told = typed("logs", "server1", *words)
        assert (code, said) == (2, "")
        assert f"server1 has no unit {words[0]}\n" in told
        assert "labbuilder exec server1 -- systemctl list-units" in told
    code, said, told = typed("logs", "server1", "systemd-rfkill")
    assert (code, said) == (2, "")
    assert "systemd-rfkill has said nothing in server1 yet" in told
    assert "DHCP" in typed("logs", "server1", "isc-dhcp-server")[1]


def test_status_tells_who_serves_and_what_each_client_was_given(lab: Lab) -> None:
    address = lab.run("client1", "hostname -I").stdout.strip()
    shown = {line.split()[0]: line for line in typed("status")[1].splitlines()[2:]}
    assert f"enp0s3={address}/24" in shown["client1"]
    assert re.search(r" from server[12], [0-9]+ s left$", shown["client1"])
    assert shown["server1"].endswith("serves: normal")
    told = {machine["name"]: machine for machine in json.loads(typed("status", "--json")[1])["machines"]}
    assert (told["server2"]["state"], told["server2"]["dhcp"]["serves"]) == ("running", True)
    (given,) = told["client1"]["dhcp"]["given"]
    assert given["address"] == f"{address}/24"
    assert 0 < given["left_s"] <= 600
    argv = [sys.executable, "-m", "labbuilder", "list", "--json"]  # of all labs, so `typed` can't say it
    rows = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    (listed,) = [row for row in rows if row["lab"] == "guide"]
    assert (listed["engine"], listed["state"]) == ("isc", "3 machines run")


@pytest.mark.parametrize(
    ("machine", "service", "says"),
    [
        ("server1", "dhcp", "dhcpd"),
        ("server1", "isc", "dhcpd"),
        ("server1", "dns", "named"),
        ("client1", "dhcp", "bound to"),
    ],
)
def test_logs_know_a_service_by_its_name(lab: Lab, machine: str, service: str, says: str) -> None:
    code, said, _ = typed("logs", machine, service)
    assert code == 0
    assert says in said
    assert "sshd" not in said


def test_logs_name_the_services_that_they_know(lab: Lab) -> None:
    for machine, also in (("server1", {"isc", "kea"}), ("client1", set[str]())):
        told = re.search(r"known by name: (.*)\n", typed("logs", machine, "dhpc")[2])
        assert told is not None
        known = set(told[1].split(", "))
        assert {"network", "dhcp", "dns"} <= known
        assert known & {"isc", "kea"} == also


def test_files_and_folders_are_copied_to_a_machine_and_back(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "my notes"
    folder.mkdir()
    (folder / "one").write_text("ñandú\n")
    assert typed("cp", str(folder), "client1:/tmp/") == (0, "", "")
    assert lab.run("client1", "cat '/tmp/my notes/one'").stdout == "ñandú\n"
    assert typed("cp", "client1:/tmp/my notes/one", str(tmp_path)) == (0, "", "")
    assert (tmp_path / "one").read_text() == "ñandú\n"
    code, _, told = typed("cp", "client1:/nowhere", str(tmp_path))
    assert code != 0
    assert "/nowhere" in told
    for words, told_of in (
        (("a", "b"), "one of the two must be in a machine"),
        (("client1:/a", "server1:/b"), "one of the two must be in a machine"),
        (("nope:/a", "b"), "has no machine 'nope'"),
    ):
        code, _, told = typed("cp", *words)
        assert code == 2
        assert told_of in told
