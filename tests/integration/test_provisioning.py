"""How a machine is brought to its plan, where that goes wrong."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from labbuilder.errors import MachineError, RejectedConfigError, WaitError
from labbuilder.lab import Lab
from labbuilder.model.lab import MachinePlan
from labbuilder.model.step import SECRET, RenderedFile, SecretFile, Step
from labbuilder.provisioning import Change, LabSecrets, configure, difference

pytestmark = pytest.mark.needs_root


def planned(step: Step, server: str) -> MachinePlan:
    return MachinePlan(server, ("server",), (), (step,))


def bring(lab: Lab, step: Step, server: str = "server1") -> tuple[Change, ...]:
    return configure((planned(step, server),), lab.session().shell, LabSecrets(lab.session().lab.keys))


def test_a_client_tells_its_name_as_debians_own_do(lab: Lab) -> None:
    """Whichever server gave the lease has it."""
    noted = "grep -o 'client-hostname \"client1\"' /var/lib/dhcp/dhcpd.leases"
    assert any(lab.run(server, noted).ok for server in ("server1", "server2"))


def test_what_never_holds_is_given_up_by_the_clock_however_long_a_look_takes(lab: Lab) -> None:
    """Fifty looks were taken for a second; these would take eleven."""
    start = time.monotonic()
    with pytest.raises(WaitError, match="not in effect within 1 s: a look takes long") as caught:
        bring(lab, Step("never", "a look takes long", holds="sleep 0.2; false", apply="true", settle_s=1))
    assert 1 <= time.monotonic() - start < 5
    assert (caught.value.details or "").startswith("Asked: sleep 0.2; false")


@pytest.mark.parametrize(("option", "size"), [("nr_inodes=2", 100), ("size=4k", 100_000)], ids=["name", "text"])
def test_a_file_for_which_there_is_no_room_is_not_put_in_place(lab: Lab, option: str, size: int) -> None:
    """A filesystem of its own in the machine, with room for one file, or for one page."""
    assert lab.run("server1", f"mkdir -p /run/small && mount -t tmpfs -o {option} small /run/small").ok
    try:
        assert lab.run("server1", "echo old >/run/small/it").ok
        file = RenderedFile("/run/small/it", "x" * size)
        with pytest.raises(MachineError, match="server1 could not take its new files") as caught:
            bring(lab, Step("small", "a big file", files=(file,), holds="true", apply="true"))
        assert "No space left on device" in (caught.value.details or "")
        assert "make room" in (caught.value.resolution or "")
        left = lab.run("server1", "cat /run/small/*; ls /run/small /run/labbuilder.tar /var/lib/labbuilder/small")
        assert left.stdout == "old\n/run/small:\nit\n"
    finally:
        assert lab.run("server1", "umount /run/small").ok


def test_a_stamp_for_which_there_is_no_room_is_not_told_as_a_service_that_does_not_hold(lab: Lab) -> None:
    full = "mount -t tmpfs -o size=4k small /var/lib/labbuilder && head -c 4k /dev/zero >/var/lib/labbuilder/it"
    assert lab.run("server1", full).ok
    try:
        with pytest.raises(MachineError, match="server1: it holds failed") as caught:
            bring(lab, Step("held", "it holds", holds="true", apply="true"))
        assert "No space left on device" in (caught.value.details or "")
    finally:
        assert lab.run("server1", "umount /var/lib/labbuilder").ok


def test_a_seed_is_written_once_and_is_the_daemons_afterwards(lab: Lab) -> None:
    seed = RenderedFile("/var/lib/labbuilder-seed", "first\n", 0o640)
    step = Step("seeded", "a seed", holds=f"test -s {seed.path}", apply="true", seeds=(seed,))
    try:
        assert [change.files for change in bring(lab, step)] == [(seed.path,)]
        assert lab.run("server1", f"stat -c %a {seed.path}; cat {seed.path}").stdout == "640\nfirst\n"
        assert lab.run("server1", f"echo second >{seed.path}").ok
        assert bring(lab, step) == ()
        assert lab.run("server1", f"cat {seed.path}").stdout == "second\n"
        assert lab.run("server1", f"rm {seed.path}").ok
        assert [change.reason for change in bring(lab, step)] == ["file differs"]
        assert lab.run("server1", f"cat {seed.path}").stdout == "first\n"
    finally:
        lab.run("server1", f"rm -f {seed.path} /var/lib/labbuilder/seeded")


def test_a_shared_secret_is_the_same_in_both_servers_and_is_shown_to_nobody(lab: Lab) -> None:
    file = SecretFile("/etc/lab-shared", "test", f"secret {SECRET}\n")
    step = Step(
        "shared", "a secret", "true", "true", validate=((file.path, "sh -c 'cat {new}; exit 1'"),), secrets=(file,)
    )
    good = replace(step, validate=())
    secrets = LabSecrets(lab.session().lab.keys)
    try:
        with pytest.raises(RejectedConfigError) as caught:
            bring(lab, step)
        assert "secret (the secret test)" in (caught.value.details or "")
        for server in ("server1", "server2"):
            bring(lab, good, server)
        read = [lab.run(server, f"stat -c %a {file.path}; cat {file.path}").stdout for server in ("server1", "server2")]
        assert read == [f"600\nsecret {secrets.named('test')}\n"] * 2
        assert bring(lab, good) == ()
        assert lab.run("server1", f"echo other >{file.path}").ok
        (seen,), _ = difference(planned(good, "server1"), lab.session().shell("server1"), secrets)
        assert (seen.path, seen.diff) == (file.path, "(it has the secret test, so it is not shown)\n")
    finally:
        for server in ("server1", "server2"):
            lab.run(server, f"rm -f {file.path} /var/lib/labbuilder/shared")
