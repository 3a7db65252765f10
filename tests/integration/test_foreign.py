"""A machine that nobody here made is reached as its user: agent, known_hosts and sudo, against a real sshd."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from foreign import NO_PASSWORD, USER, Foreign, foreign, sudo_package

from labbuilder.errors import TransportError
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.providers.images import ImageCache
from labbuilder.providers.nspawn.image import ensure_tree
from labbuilder.reach import KnownMachines, MachineState, Shells
from labbuilder.ssh.connection import connect
from labbuilder.ssh.openssh import openssh_argv

pytestmark = pytest.mark.needs_root


@pytest.fixture(scope="module")
def image(home: Home) -> Path:
    recipe = Lab("foreign", home=home).add_server().plan().image
    return ensure_tree(ImageCache(home), recipe) / "root"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sudo_package(tmp_path_factory.mktemp("sudo"))


@pytest.fixture(scope="module")
def machine(image: Path, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    with foreign(image, package, tmp_path_factory.mktemp("foreign")) as found:
        yield found


def test_its_user_becomes_root_by_sudo_for_commands_and_files(machine: Foreign) -> None:
    with closing(connect(machine.endpoint())) as shell:
        assert [r.stdout for r in shell.run_many(["id -u", "echo $USER"])] == ["0\n", "root\n"]
        shell.put(b"kept", "/root/file")
        assert shell.run("stat -c %U /root/file; cat /root/file").stdout == "root\nkept"
    with closing(connect(machine.endpoint(sudo=False))) as shell:
        assert shell.run("id -un").stdout == f"{USER}\n"
        with pytest.raises(TransportError, match="/root/other could not be written in foreign"):
            shell.put(b"no", "/root/other")


def test_the_agents_key_opens_it_and_no_other_does(machine: Foreign, monkeypatch: pytest.MonkeyPatch) -> None:
    by_agent = machine.endpoint(identity=None)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(TransportError, match="foreign can't be reached over SSH") as refused:
        connect(by_agent)
    assert refused.value.resolution == f"ssh -p {machine.port} {USER}@127.0.0.1 true shows why"
    socket = machine.key.with_name("agent")
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as agent:
        try:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            added = f"until ssh-add -q {machine.key}; do sleep 0.05; done"
            subprocess.run(["sh", "-c", added], check=True, timeout=10, stderr=subprocess.DEVNULL)
            with closing(connect(by_agent)) as shell:
                assert shell.run("id -u").stdout == "0\n"
            assert subprocess.check_output(openssh_argv(by_agent, "id -u; echo $0"), text=True) == "0\n/bin/bash\n"
        finally:
            agent.terminate()


def test_another_key_than_that_of_known_hosts_is_refused(
    machine: Foreign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/known_hosts").write_text(machine.known_hosts.read_text())
    monkeypatch.setenv("HOME", str(home))
    with closing(connect(machine.endpoint(known_hosts=None))) as shell:
        assert shell.run("id -u").stdout == "0\n"
    others = tmp_path / "known_hosts"
    key = machine.known_hosts.read_text().split()[2]
    others.write_text(machine.known_hosts.read_text().replace(key, f"{key[:-8]}{key[-8:].swapcase()}"))
    for file in (others, tmp_path / "empty"):
        file.touch()
        with pytest.raises(TransportError, match="foreign can't be reached over SSH"):
            connect(machine.endpoint(known_hosts=file))


def test_a_list_of_machines_is_a_reach(machine: Foreign) -> None:
    gone = dataclasses.replace(machine.endpoint(), machine="gone", port=1)
    known = KnownMachines([machine.endpoint(), gone])
    known.wait_ready("foreign")
    states = {seen.name: seen.state for seen in known.status()}
    assert states == {"foreign": MachineState.RUNNING, "gone": MachineState.LOST}
    with closing(Shells(known)) as shells:
        assert shells.shell("foreign").run("echo $HOME").ok
        with pytest.raises(TransportError, match="gone is lost"):
            shells.shell("gone")


@pytest.mark.parametrize(
    ("line", "rc", "said"),
    [
        (f"{USER} ALL=(ALL) ALL", "", "let student use sudo without a password in foreign"),
        (NO_PASSWORD, "echo Welcome; exit 3", "foreign did not run a command: what student logs in to ended by itself"),
    ],
)
def test_what_keeps_commands_from_running_is_told(
    image: Path, package: Path, tmp_path: Path, line: str, rc: str, said: str
) -> None:
    with foreign(image, package, tmp_path, sudoers=line) as found:
        if rc:
            with closing(connect(found.endpoint())) as shell:
                shell.put(f"{rc}\n".encode(), f"/home/{USER}/.bashrc")
        with closing(connect(found.endpoint())) as shell, pytest.raises(TransportError) as told:
            shell.run("id -u")
    assert said in str(told.value)
    assert not rc or "Welcome" in str(told.value)
