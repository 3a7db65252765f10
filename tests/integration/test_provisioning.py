"""How a machine is brought to its plan, where that goes wrong."""

from __future__ import annotations

import time

import pytest

from labbuilder.errors import MachineError, WaitError
from labbuilder.lab import Lab
from labbuilder.model.lab import MachinePlan
from labbuilder.model.step import RenderedFile, Step
from labbuilder.provisioning import LabSecrets, configure

pytestmark = pytest.mark.needs_root


def bring(lab: Lab, service: Step) -> None:
    machine = MachinePlan("server1", ("server",), (), (service,))
    configure((machine,), lab.session().shell, LabSecrets(lab.session().lab.keys))


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
