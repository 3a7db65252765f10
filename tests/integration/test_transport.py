"""The door into a machine: outputs come back byte for byte, whatever they are."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from labbuilder.errors import TransportError
from labbuilder.host.run import run
from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.providers.nspawn.provider import NspawnProvider
from labbuilder.ssh.connection import connect
from labbuilder.ssh.openssh import openssh_argv

pytestmark = pytest.mark.needs_root


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
        connect(dataclasses.replace(provider.endpoint("server1"), host_key=other))


def test_openssh_reaches_a_machine_whatever_its_home_is_called(home: Home, tmp_path: Path) -> None:
    odd = Home(tmp_path / "100%h of ümläuts")
    odd.path.mkdir()
    odd.images.symlink_to(home.images)
    lab, plan = odd.lab("odd"), Lab("odd").add_server().plan()
    lab.make()
    provider = NspawnProvider(odd, lab, "0dd0dd00")
    try:
        provider.ensure_networks(plan)
        provider.create(plan, plan.machine("server1"))
        provider.start("server1")
        provider.wait_ready("server1")
        assert run(*openssh_argv(provider.endpoint("server1"), "hostname")).stdout == "server1\n"
    finally:
        provider.destroy_all()
