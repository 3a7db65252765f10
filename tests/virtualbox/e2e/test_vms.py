"""The guide's lab on real VirtualBox machines that boot. It runs in the testbed: `make vbox-e2e`."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from subprocess import PIPE
from typing import Any

import pytest
from dnslib.server import DNSLogger, DNSServer

from labbuilder import report
from labbuilder.host.journal import Journal
from labbuilder.host.store import Home
from labbuilder.host.wait import wait_until
from labbuilder.lab import Lab
from labbuilder.providers.base import MachineState
from labbuilder.providers.nspawn.upstream import Names
from labbuilder.providers.virtualbox.provider import VirtualBoxProvider
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage

UP = (sys.executable, "-m", "labbuilder", "up")
NAME = "www.internet.test"
# A drill has fewer clients than with a larger pool, and an emulated machine may be silent for long.
DHCP = {"pool": "192.168.1.100-192.168.1.141", "failover": {"max_response_delay_s": 30}}
RESOLVERS = ("8.8.8.8", "8.8.4.4")  # addresses of the testbed's bridge


@pytest.fixture(scope="session", autouse=True)
def world() -> Iterator[None]:
    """The resolvers of the guide, on the bridged LAN; they have no route to the lab's internal network."""
    servers = [DNSServer(Names(NAME, "203.0.113.7"), address=address, logger=DNSLogger("-")) for address in RESOLVERS]
    for server in servers:
        server.start_thread()
    yield
    for server in servers:
        server.stop()
        server.server.server_close()


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A machine of the user's own beside the lab."""
    vboxmanage, folder = VBoxManage(), tmp_path_factory.mktemp("users")
    vboxmanage.change("createvm", "--name", "server1", "--basefolder", folder, "--register")
    vboxmanage.change("modifyvm", "server1", "--nic1", "intnet", "--intnet1", "users")
    before = _without_times(vboxmanage.ask("showvminfo", "server1"))
    yield "server1"
    assert _without_times(vboxmanage.ask("showvminfo", "server1")) == before
    vboxmanage.change("unregistervm", "server1", "--delete")


def _without_times(text: str) -> list[str]:
    return [line for line in text.splitlines() if "since" not in line]


@pytest.fixture(scope="module")
def vms(virtualbox: dict[str, Any], users: str, home: Home) -> Iterator[Lab]:
    """The guide's lab; its first `up` was killed in the middle."""
    del users
    lab = (
        Lab("vms", home=home)
        .add_server()
        .add_server()
        .add_client()
        .set(provider="virtualbox", virtualbox=virtualbox, dns={"probe": NAME}, dhcp=DHCP)
    )
    spec = home.path / "vms.yaml"
    spec.write_text(lab.to_yaml())
    journal = home.lab("vms").journal
    up = subprocess.Popen([*UP, str(spec)])
    wait_until(
        "up has started a machine",
        lambda: journal.exists() and any(r.effect == "start" for r in Journal(journal).records()),
        within_s=300,
        every_s=0.1,
    )
    up.send_signal(signal.SIGKILL)
    up.wait()
    assert "up and proven" in subprocess.run([*UP, str(spec)], text=True, stdout=PIPE, check=True).stdout
    yield lab
    lab.down()
    left = VBoxManage()
    assert set(left.ask("list", "vms").split('"')) & {"vms-server1", "vms-server2", "vms-client1"} == set()
    assert "labs/vms" not in left.ask("list", "hdds") + left.ask("list", "dvds")
    assert not home.lab("vms").path.exists()


def test_everything_is_proven(vms: Lab) -> None:
    vms.verify().raise_for_failures()
    assert {machine.state for machine in vms.status()} == {MachineState.RUNNING}


def test_a_second_up_changes_nothing_and_asks_virtualbox_for_no_change(
    vms: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*words: object, **_: object) -> str:
        pytest.fail(f"VBoxManage was told to change something: {words}")

    monkeypatch.setattr(VBoxManage, "change", never)
    vms.up()
    assert vms.outcome is not None
    assert vms.outcome.unchanged


def test_the_nics_have_their_names_and_management_is_the_third(vms: Lab) -> None:
    assert vms.run("server1", "ls /sys/class/net").stdout.split() == ["enp0s3", "enp0s8", "enp0s9", "lo"]
    assert vms.run("client1", "ls /sys/class/net").stdout.split() == ["enp0s3", "enp0s9", "lo"]
    assert "enp0s9" not in vms.run("client1", "ip route show default; cat /etc/resolv.conf").stdout


def test_what_is_broken_is_seen_and_up_mends_it(vms: Lab) -> None:
    vms.run("server1", "iptables -t nat -F; systemctl stop isc-dhcp-server")
    failed = {outcome.check for outcome in vms.verify().failures}
    assert {"nat.live", "isc-dhcp-server.active", "failover"} <= failed
    vms.up()


def test_a_snapshot_is_gone_back_to_and_everything_holds_after_a_reboot_of_each_server(vms: Lab) -> None:
    vms.save("good")
    vms.run("server1", "touch /root/later; systemctl stop isc-dhcp-server")
    vms.restore("good")
    assert not vms.run("server1", "test -e /root/later").ok
    vms.verify(reboot=True).raise_for_failures()  # VirtualBox's own LAN boot ROM hangs in some of these reboots
    vms.forget("good")


def test_a_machine_whose_power_was_cut_is_said_to_be_off_and_comes_back(vms: Lab) -> None:
    provider = vms.session().provider
    assert isinstance(provider, VirtualBoxProvider)
    provider.kill("server2")
    assert {m.name for m in vms.status() if m.state is MachineState.STOPPED} == {"server2"}
    found = vms.verify()
    assert "server2" in found.unreachable
    vms.up()


def test_a_crashed_primary_is_drilled(vms: Lab, pytestconfig: pytest.Config) -> None:
    result = vms.drill("crash-primary")
    report.write([result], pytestconfig.rootpath / "build/tests/vbox-drill")
    assert result.passed, (result.duplicates, result.lost, result.verification.failures)
    assert [event.what for event in result.events if event.what != "state"] == ["fault", "repair", "normal"]
    assert result.outage is not None


def test_the_console_shows_the_boot(vms: Lab) -> None:
    assert vms.session().provider.console("server1").stat().st_size > 0
