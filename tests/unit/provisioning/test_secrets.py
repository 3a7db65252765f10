"""Secrets that machines share: made once, for their files alone, and in no text of the plan."""

from __future__ import annotations

import base64
import stat
from dataclasses import replace
from pathlib import Path

from labbuilder.host.parallel import for_each
from labbuilder.lab import Lab
from labbuilder.model.lab import MachinePlan
from labbuilder.model.step import SECRET, RenderedFile, SecretFile, Step
from labbuilder.provisioning import LabSecrets

FILE = SecretFile("/etc/bind/shared.key", "ddns", f'key "ddns" {{ secret "{SECRET}"; }};\n')


def machine(name: str) -> MachinePlan:
    step = Step("dns", "DNS", "true", "true", files=(RenderedFile("/etc/other", "x"),), secrets=(FILE,))
    return MachinePlan(name, ("server",), (), (step,))


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    first, *others = for_each(range(8), lambda _: LabSecrets(folder).named("ddns"))
    assert set(others) == {first}
    assert len(base64.b64decode(first)) == 32
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert LabSecrets(folder).named("other") != first


def test_the_machines_of_a_lab_get_the_same_and_another_lab_another(tmp_path: Path) -> None:
    one, two = (LabSecrets(tmp_path / "a").filled_in(machine(name)) for name in ("server1", "server2"))
    (file, other), (same, _) = one.files, two.files  # sorted by path
    assert (other.path, file.path, file.mode) == ("/etc/other", FILE.path, 0o600)
    assert file == same
    assert SECRET not in file.text
    assert one.secret_files == ()
    assert LabSecrets(tmp_path / "b").filled_in(machine("server1")).files != one.files


def test_the_plan_and_what_is_rendered_have_no_secret(tmp_path: Path) -> None:
    secrets = LabSecrets(tmp_path / "keys")
    secret, before = secrets.named("ddns"), machine("server1")
    secrets.filled_in(before)
    plan = Lab().add_server().plan()
    plan = replace(plan, machines=(before,))
    assert secret not in repr(plan)
    assert FILE.path not in {file.path for file in (*before.files, *before.seeds, *before.own_files)}


def test_a_secret_that_a_daemon_quotes_is_not_told(tmp_path: Path) -> None:
    secrets = LabSecrets(tmp_path)
    told = secrets.hidden(f"line 1: bad secret {secrets.named('ddns')}!", machine("server1"))
    assert told == "line 1: bad secret (the secret ddns)!"
