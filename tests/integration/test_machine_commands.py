"""The commands on one machine, as a teacher types them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from labbuilder.lab import Lab
from labbuilder.transport import openssh_argv

pytestmark = pytest.mark.needs_root


def begin(*words: str) -> subprocess.Popen[str]:
    """Type a command; nobody waits for its end yet."""
    argv = [sys.executable, "-m", "labbuilder", *words, "--lab", "guide"]
    if "--" in words:
        at = words.index("--")
        argv[3:] = [*words[:at], "--lab", "guide", *words[at:]]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(argv, text=True, **pipes)


def typed(*words: str, stdin: str = "", within_s: float = 60.0) -> tuple[int, str, str]:
    """Its exit status, what it printed, what it complained of."""
    begun = begin(*words)
    try:
        said, complained = begun.communicate(stdin, timeout=within_s)
    finally:
        begun.kill()
    assert "Traceback" not in complained
    return begun.returncode, said, complained


def test_shells_are_opened_in_several_machines_at_one_moment(lab: Lab) -> None:
    begun = [begin("ssh", machine, "--", "hostname") for machine in ("server1", "server2") * 4]
    said = [(each.communicate(timeout=60), each.returncode) for each in begun]
    assert said == [((f"{machine}\n", ""), 0) for machine in ("server1", "server2") * 4]


def test_ssh_refuses_another_host_key_than_the_machines_own(lab: Lab) -> None:
    provider = lab.session().provider
    other = dataclasses.replace(provider.endpoint("server1"), host_key=provider.endpoint("server2").host_key)
    done = subprocess.run(openssh_argv(other, ["true"]), capture_output=True, text=True, check=False)
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr
