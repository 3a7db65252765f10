"""The lab's keys, as OpenSSH reads them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from labbuilder.host.store import Home
from labbuilder.ssh.keys import LabKeys, ensure_keys


def test_openssh_reads_both_halves_and_nobody_else_does(tmp_path: Path) -> None:
    lab = Home(tmp_path).lab("aula")
    lab.path.mkdir(parents=True)
    keys = ensure_keys(lab, ["server1", "client1"])
    assert sorted(path.name for path in lab.keys.iterdir()) == sorted(
        f"{name}{half}" for name in ("user", "host-server1", "host-client1") for half in ("", ".pub")
    )
    for path in lab.keys.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert lab.keys.stat().st_mode & 0o777 == 0o700
    told = subprocess.check_output(["ssh-keygen", "-y", "-f", lab.keys / "host-server1"], text=True)
    assert told.split() == keys.host_public("server1").split()
    assert keys.authorized.split()[2] == "labbuilder"


def test_a_key_is_made_once_unless_its_public_half_is_missing(tmp_path: Path) -> None:
    lab = Home(tmp_path).lab("aula")
    lab.path.mkdir(parents=True)

    def made() -> tuple[str, str]:
        ensure_keys(lab, ["server1"])
        return LabKeys(lab.keys).authorized, LabKeys(lab.keys).host_public("server1")

    first = made()
    assert made() == first
    (lab.keys / "host-server1.pub").unlink()  # a kill between the two
    user, host = made()
    assert user == first[0]
    assert host != first[1]
