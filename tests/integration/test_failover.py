"""What the operator of a pair says, on real daemons and to a real client: takeover, giveback, partner-down, status."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from labbuilder.errors import MachineError, SpecError, TransportError
from labbuilder.failover import operator as failover
from labbuilder.host.store import Home
from labbuilder.host.wait import wait_until
from labbuilder.lab import Lab
from labbuilder.services.dhcp import PeerStatus, omapi
from labbuilder.services.dhcp.kea_control import SOCKET as KEA

pytestmark = pytest.mark.needs_root

UNIT = {"isc": "isc-dhcp-server", "kea": "kea-dhcp4-server"}
ONE, TWO = "192.168.1.1", "192.168.1.2"


def pair(home: Home, name: str, **settings: str | int) -> Iterator[Lab]:
    with Lab(name, home=home).add_server().add_server().add_client().failover(**settings).up() as lab:
        yield lab


@pytest.fixture(scope="module", params=["isc", "kea"])
def manual(request: pytest.FixtureRequest, home: Home) -> Iterator[Lab]:
    yield from pair(home, f"hand-{request.param}", mode="manual", engine=request.param)


@pytest.fixture(scope="module", params=["isc", "kea"])
def automatic(request: pytest.FixtureRequest, home: Home) -> Iterator[Lab]:
    own: dict[str, int] = {"mclt_s": 10} if request.param == "isc" else {}
    yield from pair(home, f"auto-{request.param}", mode="hot-standby", engine=request.param, **own)


def proven_again(automatic: Lab) -> None:
    """Its client's lease is one of MCLT, 10 s: while a server was away it may have run out."""
    wait_until("the client has its lease again", lambda: automatic.verify().passed, within_s=60)


def unit(lab: Lab) -> str:
    return UNIT[lab.spec.dhcp.failover.engine]


def says(lab: Lab, machine: str, script: str) -> str:
    done = lab.run(machine, script)
    assert done.ok, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def ask(lab: Lab, number: int, *, tries: int = 4, address: str = "") -> tuple[str, str] | None:
    """What a real client with that MAC is given, and by whom; None when nobody answers it in so many seconds."""
    wish = f"-r {address}" if address else ""
    said = lab.run(
        "client1",
        f"ip link add m{number} link enp0s3 address 02:00:00:00:01:{number:02x} type macvlan mode bridge && "
        f"ip link set m{number} up && "
        f"udhcpc -i m{number} -f -q -n -t {tries} -T 1 -s /bin/true {wish} 2>&1; ip link del m{number}",
    ).stdout
    found = re.search(r"lease of ([0-9.]+) obtained from ([0-9.]+)", said)
    assert found or "no lease" in said, said
    return (found[1], found[2]) if found else None


def given(lab: Lab, number: int, *, address: str = "") -> tuple[str, str]:
    found = ask(lab, number, tries=10, address=address)
    assert found is not None, f"client {number} got nothing"
    return found


def ordered(lab: Lab, what: Callable[..., PeerStatus], *machine: str, force: bool = False) -> PeerStatus:
    with lab.session() as session:
        return what(session, *machine, **({"force": True} if force else {}))


def states(lab: Lab) -> tuple[PeerStatus, PeerStatus]:
    with lab.session() as session:
        one, two = failover.status(session)
    return one, two


def serving(lab: Lab) -> list[str]:
    return [peer.machine for peer in states(lab) if peer.serving]


def stop(lab: Lab, machine: str) -> None:
    """Its daemon is down, and the partner has noticed."""
    says(lab, machine, f"systemctl stop {unit(lab)}")
    if lab.spec.dhcp.failover.engine == "kea":
        other = {"server1": 1, "server2": 0}[machine]
        wait_until("the partner counts as down", lambda: states(lab)[other].state == "partner-down", within_s=20)


def test_manual_nobody_is_served_by_the_second_until_the_operator_says_so_and_leases_are_kept(manual: Lab) -> None:
    manual.verify().raise_for_failures()
    assert serving(manual) == ["server1"]
    old, server = given(manual, 1)
    assert server == ONE
    stop(manual, "server1")
    assert not serving(manual)
    assert ask(manual, 2) is None
    assert ask(manual, 1, address=old) is None

    assert ordered(manual, failover.takeover, "server2").serving
    assert serving(manual) == ["server2"]
    assert given(manual, 1, address=old) == (old, TWO)
    new, server = given(manual, 2)
    assert server == TWO
    assert new != old

    manual.run("server1", f"systemctl start {unit(manual)}")  # on ISC it is fenced off: the second one serves
    wait_until("one of them serves", lambda: len(serving(manual)) == 1, within_s=20)
    assert ordered(manual, failover.giveback).serving
    assert serving(manual) == ["server1"]
    assert given(manual, 2, address=new) == (new, ONE)
    assert given(manual, 1, address=old) == (old, ONE)
    manual.verify().raise_for_failures()


@pytest.mark.parametrize("manual", ["isc"], indirect=True)
def test_manual_a_giveback_without_a_takeover_keeps_the_primarys_leases(manual: Lab) -> None:
    manual.run("server1", "systemctl stop lab-leases.service")  # the copy is older from now on
    address, _ = given(manual, 9)
    stop(manual, "server1")
    assert ordered(manual, failover.giveback).serving
    assert manual.run("server1", f"grep '^lease {address} ' /var/lib/dhcp/dhcpd.leases").ok
    manual.verify().raise_for_failures()


@pytest.mark.parametrize("manual", ["isc"], indirect=True)
def test_manual_who_only_looks_at_the_standby_takes_no_lease_from_it(manual: Lab) -> None:
    """As the primary does before it starts: a power cut of it then must not find the standby without leases."""
    given(manual, 7)
    leases = "grep -c ^lease /var/lib/dhcp/dhcpd.leases"
    wait_until("the lease was copied", lambda: says(manual, "server2", leases), within_s=10)
    before = int(says(manual, "server2", leases))
    says(manual, "server1", "nc -vz -w 1 192.168.1.2 6470")
    idle = "[ $(systemctl list-units --all --no-legend 'lab-leases@*' | grep -c running) = 0 ]"
    wait_until("it was looked at", lambda: manual.run("server2", idle).ok, within_s=10)
    assert int(says(manual, "server2", leases)) >= before


@pytest.mark.parametrize("automatic", ["isc"], indirect=True)
def test_a_pair_whose_journals_were_vacuumed_is_well_and_up_changes_nothing(automatic: Lab) -> None:
    """Its state is asked of dhcpd: what a journal has lost turns nothing red."""
    proven_again(automatic)
    for server in ("server1", "server2"):
        says(automatic, server, "journalctl -q --rotate; journalctl -q --vacuum-size=1; rm -f /run/log/journal/*/*@*")
        assert not automatic.run(server, "journalctl -q -u isc-dhcp-server | grep -q 'I move from'").ok
    automatic.verify().raise_for_failures()
    automatic.up()
    assert automatic.outcome is not None
    assert "failover" not in {change.service for change in automatic.outcome.changes}


def test_manual_a_takeover_is_refused_while_the_partner_answers_and_says_why(manual: Lab) -> None:
    with pytest.raises(MachineError, match="takeover refused: server1 still answers") as caught:
        ordered(manual, failover.takeover, "server2")
    state = {"isc": "serving", "kea": "hot-standby"}[manual.spec.dhcp.failover.engine]
    assert caught.value.details == (
        f"server1 answers server2's ping at {ONE} and is {state}\n"
        "Two servers that don't know of each other hand out the same addresses."
    )
    assert caught.value.resolution == "stop server1 first, or say --force"
    assert serving(manual) == ["server1"]
    manual.verify().raise_for_failures()


def test_manual_a_forced_takeover_silences_the_partner_first(manual: Lab) -> None:
    ordered(manual, failover.takeover, "server2", force=True)
    assert serving(manual) == ["server2"]
    address, server = given(manual, 3)
    assert server == TWO
    manual.up(verify=False)
    assert serving(manual) == ["server2"], "up took the takeover back"
    ordered(manual, failover.giveback)
    assert serving(manual) == ["server1"]
    assert given(manual, 3, address=address) == (address, ONE)
    ordered(manual, failover.giveback)  # said twice, nothing happens
    manual.verify().raise_for_failures()


def test_manual_after_a_power_cut_the_primary_comes_back_and_both_never_serve(manual: Lab) -> None:
    address, _ = given(manual, 4)
    provider = manual.session().provider
    provider.kill("server1")
    dead = f"! ping -q -c 1 -W 1 {ONE}"
    wait_until("it answers no ping", lambda: manual.run("server2", dead).ok, within_s=20)
    if manual.spec.dhcp.failover.engine == "kea":
        wait_until("the partner counts as down", lambda: states(manual)[1].state == "partner-down", within_s=30)
    assert states(manual)[0].state == "unreachable"
    ordered(manual, failover.takeover, "server2")
    assert given(manual, 4, address=address) == (address, TWO)
    provider.start("server1")
    provider.wait_ready("server1")
    seen = [serving(manual)]
    wait_until(
        "one of them serves, long after the boot",
        lambda: seen.append(serving(manual)) or len(seen) > 30,  # type: ignore[func-returns-value]
        within_s=60,
        every_s=0.2,
    )
    assert ["server1", "server2"] not in seen
    ordered(manual, failover.giveback)
    assert given(manual, 4, address=address) == (address, ONE)
    manual.up()


def test_automatic_partner_down_is_refused_then_taken_and_read_back(automatic: Lab) -> None:
    with pytest.raises(MachineError, match="partner-down refused: server1 still answers"):
        ordered(automatic, failover.partner_down, "server2")
    well = {"isc": "normal", "kea": "hot-standby"}[automatic.spec.dhcp.failover.engine]
    assert [peer.state for peer in states(automatic)] == [well, well]
    says(automatic, "server1", f"systemctl stop {unit(automatic)}")
    assert ordered(automatic, failover.partner_down, "server2").state == "partner-down"
    if automatic.spec.dhcp.failover.engine == "isc":
        assert "local-state = 00:00:00:04" in says(automatic, "server2", omapi.failover_state())
    else:
        said = says(automatic, "server2", f'echo \'{{"command": "status-get"}}\' | {KEA}')
        assert re.search(r'"local": {[^}]*"state": "partner-down"', said)
    assert given(automatic, 5)[1] == TWO
    automatic.up()
    proven_again(automatic)


def test_automatic_the_operator_can_insist(automatic: Lab) -> None:
    """On Kea while the partner lives: it falls silent. On ISC when only their connection is cut: both live."""
    isc = automatic.spec.dhcp.failover.engine == "isc"
    cut = "iptables -{0} INPUT -p tcp --dport 647 -j DROP; iptables -{0} INPUT -p tcp --sport 647 -j DROP"
    if isc:
        with pytest.raises(MachineError, match="dhcpd on server2 did not stay in partner-down"):
            ordered(automatic, failover.partner_down, "server2", force=True)
        wait_until("they are back to normal", lambda: {p.state for p in states(automatic)} == {"normal"}, within_s=10)
        says(automatic, "server1", cut.format("I"))
        wait_until("it is missed", lambda: states(automatic)[1].state == "communications-interrupted", within_s=20)
        with pytest.raises(MachineError, match="partner-down refused: server1 still answers"):
            ordered(automatic, failover.partner_down, "server2")
        says(automatic, "server1", "systemctl kill -s STOP isc-dhcp-server")  # else it serves too
    said = ordered(automatic, failover.partner_down, "server2", force=True)
    assert said.state == ("partner-down" if isc else "partner-in-maintenance")
    assert said.serving
    assert given(automatic, 6)[1] == TWO
    mend = f"{cut.format('D')}; systemctl kill -s CONT isc-dhcp-server" if isc else f"systemctl restart {UNIT['kea']}"
    says(automatic, "server1", mend)
    automatic.up()


def test_what_belongs_to_another_mode_or_machine_is_refused_with_the_right_command(manual: Lab, automatic: Lab) -> None:
    refused: list[tuple[Lab, Callable[..., PeerStatus], tuple[str, ...], str]] = [
        (automatic, failover.takeover, ("server2",), "takes over by itself: its mode is hot-standby"),
        (automatic, failover.giveback, (), "in mode hot-standby the primary comes back by itself"),
        (automatic, failover.partner_down, ("client1",), "client1 is no server of the lab"),
        (manual, failover.partner_down, ("server2",), "in manual mode nothing is told to the engine"),
        (manual, failover.takeover, ("server1",), "server1 is the primary"),
        (manual, failover.takeover, ("nobody",), "nobody is no server of the lab"),
    ]
    for lab, what, machine, told in refused:
        with pytest.raises(SpecError, match=told) as caught:
            ordered(lab, what, *machine)
        assert caught.value.resolution
    manual.verify().raise_for_failures()
    proven_again(automatic)


def test_one_server_has_no_failover(home: Home) -> None:
    with Lab("alone", home=home).add_server().up() as alone:
        for what in (failover.status, failover.giveback):
            with alone.session() as session, pytest.raises(SpecError, match="has one server, so there is no failover"):
                what(session)


def test_a_lab_that_is_down_says_so(manual: Lab) -> None:
    session = manual.session()
    for machine in ("server1", "server2"):
        session.provider.kill(machine)
    assert [peer.state for peer in states(manual)] == ["unreachable", "unreachable"]
    with pytest.raises(TransportError, match="server2 is stopped") as caught:
        ordered(manual, failover.takeover, "server2")
    assert caught.value.resolution
    manual.up()
    with pytest.raises(SpecError, match="there is no lab named gone"):
        Lab("gone", home=session.home).session()


def test_the_command_tells_the_status_in_words_and_json(manual: Lab) -> None:
    def command(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "labbuilder", "failover", *words, "--lab", manual.name]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    shown = command("status").stdout.splitlines()
    assert shown[0].split() == ["machine", "role", "state", "partner", "serves"]
    assert (shown[1].split()[-1], shown[2].split()[-1]) == ("yes", "no")
    told = json.loads(command("status", "--json").stdout)
    assert [(peer["machine"], peer["role"], peer["serving"]) for peer in told] == [
        ("server1", "primary", True),
        ("server2", "secondary", False),
    ]
    refused = command("takeover", "server2")
    assert refused.returncode == 4
    assert "takeover refused: server1 still answers" in refused.stderr
    assert command("takeover", "server2", "--force").returncode == 0
    assert command("giveback").returncode == 0
    manual.verify().raise_for_failures()


def test_the_clients_gateway_is_the_server_that_renewed_its_lease(automatic: Lab) -> None:
    """Debian's own script, told what dhclient tells it; the second time the kernel ended the address just before."""
    address = says(automatic, "client1", "ip -4 -o addr show dev enp0s3 | awk '{print $4}' | cut -d/ -f1")
    known = f"interface=enp0s3 old_ip_address={address} new_ip_address={address} new_subnet_mask=255.255.255.0"

    def renewed_by(server: str, reason: str) -> str:
        environment = f"{known} new_dhcp_lease_time=600 reason={reason} new_routers={server}"
        return says(automatic, "client1", f"env {environment} /sbin/dhclient-script; ip -4 route show default")

    for ended in ("true", "ip -4 addr flush dev enp0s3"):
        for reason, server in (("REBIND", TWO), ("RENEW", ONE)):
            says(automatic, "client1", ended)
            assert renewed_by(server, reason) == f"default via {server} dev enp0s3"


def test_the_proof_waits_for_a_pair_on_its_way_back(automatic: Lab) -> None:
    """The second daemon stands still until the first has missed it: nothing is broken once it goes on."""
    daemon = f"$(systemctl show -P MainPID {unit(automatic)})"
    says(automatic, "server2", f"kill -STOP {daemon}")
    try:
        wait_until("it is missed", lambda: states(automatic)[0].state not in ("normal", "hot-standby"), within_s=60)
    finally:
        says(automatic, "server2", f"kill -CONT {daemon}")
    automatic.verify().raise_for_failures()
