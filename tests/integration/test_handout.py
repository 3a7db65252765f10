"""The script of the standalone Vagrantfile, run in real machines that labbuilder made and did not configure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labbuilder.host.store import Home
from labbuilder.lab import Lab
from labbuilder.lifecycle import proof, up
from labbuilder.lifecycle.compare import compare
from labbuilder.lifecycle.handout import provision_script, up_order
from labbuilder.lifecycle.session import Session

pytestmark = [pytest.mark.needs_root, pytest.mark.slow]
WAYS = [("isc", "load-balancing"), ("isc", "manual"), ("kea", "hot-standby")]


@pytest.fixture(params=WAYS, ids="-".join)
def bare(request: pytest.FixtureRequest, home: Home) -> Iterator[Session]:
    """Machines that run, and that nobody has configured."""
    way = dict(zip(("engine", "mode"), request.param, strict=True))
    lab = Lab("handout", home=home).add_server().add_server().add_client().set(provider="nspawn").failover(**way)
    with up.decided(lab.spec, home) as work:
        work.carry_out((up.refuse, up.write_down, *up.SWITCH_ON))
        for machine in work.plan.machines:
            work.session.provider.wait_ready(machine.name)
        yield work.session
    lab.down()


def scripts(session: Session) -> dict[str, str]:
    """Each machine's, in the order in which Vagrant brings them up."""
    order = up_order(session.plan.machines)
    names = [machine.name for machine in order]
    return {m.name: provision_script(session.plan, m, set(names[:i])) for i, m in enumerate(order)}


def provision(session: Session, machine: str, script: str) -> str:
    """As Vagrant does: the script is put into the machine and run there; in /run, since /tmp is mounted as it boots."""
    shell = session.shell(machine)
    shell.put(script.encode(), "/run/provision.sh")
    done = shell.run("bash -l -c 'chmod +x /run/provision.sh && /run/provision.sh'", timeout_s=180)
    assert done.ok, f"{machine}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_each_machine_is_configured_by_its_own_script_one_after_the_other(bare: Session) -> None:
    written = scripts(bare)
    for machine, script in written.items():
        provision(bare, machine, script)
    proof.verify(bare, within_s=proof.SETTLE_AFTER_REBOOT_S).raise_for_failures()
    left = compare(bare.spec, bare.home)
    assert (left.files, set(left.services) - {"server1: failover"}) == ((), set())  # up would look at it, no more
    for machine, script in written.items():
        assert "@labbuilder" not in provision(bare, machine, script)  # a second run applies nothing
    bare.shell("server1").run("echo '# broken' >>/etc/bind/db.lab; iptables -t nat -F; systemctl stop named")
    assert not proof.verify(bare).passed
    provision(bare, "server1", written["server1"])
    proof.verify(bare, within_s=proof.SETTLE_AFTER_REBOOT_S).raise_for_failures()


def test_a_script_that_fails_says_so(bare: Session) -> None:
    machine, script = next(iter(scripts(bare).items()))
    shell = bare.shell(machine)
    shell.put(script.replace("ifup ", "false ").encode(), "/run/provision.sh")
    done = shell.run("sh /run/provision.sh")
    assert not done.ok
    assert f"{machine} is not configured" in done.stderr
