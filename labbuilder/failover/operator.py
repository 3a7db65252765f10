"""What the operator of a failover pair sees and says: its state, takeover, giveback, partner-down."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from labbuilder.errors import MachineError, SpecError, TransportError
from labbuilder.host import progress
from labbuilder.host.wait import wait_until
from labbuilder.lifecycle.session import Session
from labbuilder.plan.dhcp_isc import CONF, FENCED, LEASES, TAKEN_OVER
from labbuilder.plan.dhcp_isc import UNIT as ISC_UNIT
from labbuilder.plan.dhcp_kea import UNIT as KEA_UNIT
from labbuilder.plan.dhcp_kea import ha_mode
from labbuilder.plan.probes import FAILOVER_STATES, KEA, omapi
from labbuilder.plan.systemd import DISABLE_NOW, ENABLE_NOW

_PARTNER_DOWN = 4  # local-state of dhcpd's failover-state object
_NOT_ACTIVE = 3  # what is-active itself says of a unit that does not run
_SETTLE_S = 20.0
_KEA_GIVES_UP_S = 30.0  # measured: 10 s for the exchange with a partner that is silent, and a heartbeat


@dataclass(frozen=True)
class PeerStatus:
    """One server of the pair, as it sees itself.

    Attributes:
        role: primary or secondary.
        state: The failover state in the engine's own word; of a cold standby, "serving" or "standby"; "down" when its
            daemon does not run, "silent" when it runs and does not answer, "unreachable" when the machine does not run.
        partner: The partner's last state that it knows of; empty where there is none.
        serving: It answers new clients, all of them or its share.
    """

    machine: str
    role: str
    state: str
    partner: str
    serving: bool


def status(session: Session) -> tuple[PeerStatus, ...]:
    """Both servers, primary first.

    Raises:
        SpecError: The lab has one server.
    """
    _pair(session)
    return tuple(peer(session, index) for index in range(2))


def _pair(session: Session) -> None:
    if len(session.plan.servers) == 1:
        raise SpecError(
            brief=f"the lab {session.lab.name} has one server, so there is no failover",
            resolution="labbuilder up --servers 2 --reconfigure gives it a partner",
        )


def peer(session: Session, index: int) -> PeerStatus:
    """One server of the pair: 0 is the primary."""
    name, role = session.plan.servers[index].name, ("primary", "secondary")[index]
    failover = session.spec.dhcp.failover
    if not session.provider.is_awake(name):  # a question to one that is not would hang
        return PeerStatus(name, role, "unreachable", "", serving=False)
    asked = FAILOVER_STATES["isc"] if failover.engine == "isc" else ""
    try:
        said = session.shell(name).run(f"systemctl -q is-active {unit(session)} || exit {_NOT_ACTIVE}; {asked}")
        if said.code == _NOT_ACTIVE:
            off = "standby" if failover.cold_standby else "down"
            return PeerStatus(name, role, off, "", serving=False)
        if failover.cold_standby:
            return PeerStatus(name, role, "serving", "", serving=True)
        if failover.engine == "kea":
            return _kea_peer(session, name, role)
    except TransportError:
        session.drop(name)
        return PeerStatus(name, role, "unreachable", "", serving=False)
    state, _, partner = said.stdout.strip().partition("/")
    return PeerStatus(
        name, role, state, partner, serving=state in ("normal", "communications-interrupted", "partner-down")
    )


def _kea_peer(session: Session, name: str, role: str) -> PeerStatus:
    try:
        (pair,) = _tell_kea(session, name, "status-get")["high-availability"]
    except MachineError:  # it starts, or ends
        return PeerStatus(name, role, "silent", "", serving=False)
    local, remote = pair["ha-servers"]["local"], pair["ha-servers"]["remote"]
    return PeerStatus(name, role, local["state"], remote.get("last-state", ""), serving=bool(local["scopes"]))


def _tell_kea(session: Session, machine: str, command: str, **arguments: Any) -> dict[str, Any]:
    """One command on Kea's control socket.

    Raises:
        MachineError: Kea did not answer, or refused.
    """
    asked = json.dumps({"command": command} | ({"arguments": arguments} if arguments else {}))
    said = session.shell(machine).run(f"echo {shlex.quote(asked)} | {KEA}")
    try:
        answer = json.loads(said.stdout)
    except json.JSONDecodeError as error:
        raise MachineError(
            brief=f"Kea on {machine} does not answer on its control socket",
            details=said.stdout + said.stderr,
            resolution=f"labbuilder logs {machine} {KEA_UNIT} shows why",
        ) from error
    if answer["result"] != 0:
        raise MachineError(brief=f"Kea on {machine} refuses {command}", details=answer.get("text"))
    found: dict[str, Any] = answer.get("arguments", {})
    return found


def takeover(session: Session, machine: str, *, force: bool = False) -> PeerStatus:
    """Manual mode: let the second server serve.

    Args:
        session: The running lab.
        machine: The second server.
        force: Even while the partner answers; it is told to be silent first.

    Raises:
        SpecError: The mode is another one, or the machine is not the second server.
        MachineError: The partner still answers, and ``force`` is not set.
    """
    index, primary = _server(session, machine), session.plan.servers[0].name
    if session.spec.dhcp.failover.mode != "manual":
        raise SpecError(
            brief=f"the lab {session.lab.name} takes over by itself: its mode is {session.spec.dhcp.failover.mode}",
            resolution=f"labbuilder failover partner-down {machine} says for good that the partner is gone",
        )
    if index == 0:
        raise SpecError(
            brief=f"{machine} is the primary: it serves by itself", resolution="labbuilder failover giveback"
        )
    alive = _answers(session, 0, seen_by=1)
    if alive and not force:
        raise _still_answers(session, 0, alive, "takeover")
    with session.journal.effect("takeover", machine), progress.step("takeover", machine):
        if session.spec.dhcp.failover.engine == "kea":
            _serve_alone(session, partner_lives=bool(alive) and session.provider.is_awake(primary))
        else:
            _start_standby(session)
    return peer(session, 1)


def _start_standby(session: Session) -> None:
    primary, second = (server.name for server in session.plan.servers)
    try:
        if session.provider.is_awake(primary):
            session.sure(primary, f"touch {FENCED}; {DISABLE_NOW} {ISC_UNIT}; systemctl stop lab-leases.service")
    except TransportError:
        session.drop(primary)  # it asks its partner before it serves again
    session.sure(second, f"touch {TAKEN_OVER}; systemctl stop lab-leases.socket; {ENABLE_NOW} {ISC_UNIT}")


def _serve_alone(session: Session, *, partner_lives: bool) -> None:
    """Kea: silence the primary, where it can be told, and let the second server serve its scope.

    While Kea waits for a silent partner it keeps every ACK back, and when it gives up it sets its scopes anew: so that
    moment is waited for.
    """
    primary, second = (server.name for server in session.plan.servers)
    if session.provider.is_awake(primary):
        with suppress(MachineError, TransportError):  # its daemon is dead, or it just went away
            _tell_kea(session, primary, "dhcp-disable", origin="user")  # it would take its scope back in partner-down
            _tell_kea(session, primary, "ha-scopes", scopes=[])
    if not partner_lives:
        wait_until(
            f"Kea on {second} has given its partner up",
            lambda: peer(session, 1).state == "partner-down",
            within_s=_KEA_GIVES_UP_S + session.spec.dhcp.failover.silence_s,
            every_s=0.1,
            resolution="labbuilder failover status shows both servers",
        )
    _tell_kea(session, second, "ha-scopes", scopes=[primary])


def _serve_again(session: Session) -> None:
    """Kea: when both know the same leases, the primary serves its scope."""
    primary, second = (server.name for server in session.plan.servers)
    await_well(session)
    _tell_kea(session, second, "ha-scopes", scopes=[])
    _tell_kea(session, primary, "ha-scopes", scopes=[primary])
    _tell_kea(session, primary, "dhcp-enable", origin="user")


def giveback(session: Session) -> PeerStatus:
    """Manual mode: the primary serves again, with the leases that the second server gave meanwhile.

    Raises:
        SpecError: The mode is another one.
        MachineError: The primary can't.
    """
    _pair(session)
    failover = session.spec.dhcp.failover
    if failover.mode != "manual":
        raise SpecError(
            brief=f"in mode {failover.mode} the primary comes back by itself",
            resolution="labbuilder failover status shows it",
        )
    primary, second = (server.name for server in session.plan.servers)
    with session.journal.effect("giveback"), progress.step("giveback", primary):
        if failover.engine == "kea":
            _serve_again(session)
        else:
            session.shell(primary).run("true")  # the primary must be there before the second falls silent
            if session.shell(second).run(f"test -e {TAKEN_OVER}").ok:
                _take_leases_back(session)
            session.sure(primary, f"rm -f {FENCED}; {ENABLE_NOW} {ISC_UNIT}; systemctl start lab-leases.service")
    return peer(session, 0)


def _take_leases_back(session: Session) -> None:
    """Let the second server fall silent, and give the primary the leases that it gave meanwhile.

    A second server that did not take over has an older copy: what the primary has is never replaced by that.
    """
    primary, second = (server.name for server in session.plan.servers)
    if peer(session, 1).serving or not peer(session, 0).serving:
        session.sure(second, f"{DISABLE_NOW} {ISC_UNIT}")
        leases = base64.b64decode(session.sure(second, f"base64 -w0 {LEASES}"))
        session.shell(primary).put(leases, f"{LEASES}.new")
        readable = f"dhcpd -4 -T -q -cf {CONF} -lf {LEASES}.new"
        session.sure(primary, f"test -s {LEASES}.new\n{readable}\n{DISABLE_NOW} {ISC_UNIT}\nmv {LEASES}.new {LEASES}")
    session.sure(second, f"rm -f {TAKEN_OVER}; systemctl start lab-leases.socket")


def partner_down(session: Session, machine: str, *, force: bool = False) -> PeerStatus:
    """Automatic modes: tell a server that its partner is gone for good, so that it uses the whole pool.

    Args:
        session: The running lab.
        machine: The server that stays.
        force: Even while the partner answers.

    Raises:
        SpecError: The mode is manual, or the machine is no server.
        MachineError: The partner still answers and ``force`` is not set, or the engine refused.
        WaitError: The server did not say of itself that it is in that state.
    """
    index = _server(session, machine)
    failover = session.spec.dhcp.failover
    if failover.mode == "manual":
        raise SpecError(
            brief="in manual mode nothing is told to the engine", resolution=f"labbuilder failover takeover {machine}"
        )
    alive = _answers(session, 1 - index, seen_by=index)
    if alive and not force:
        raise _still_answers(session, 1 - index, alive, "partner-down")
    with session.journal.effect("partner-down", machine), progress.step("partner-down", machine):
        if failover.engine == "kea":
            _tell_kea(session, machine, "ha-maintenance-start")
        else:
            _tell_dhcpd(session, machine)
        states = ("partner-down", "partner-in-maintenance")
        wait_until(
            f"{machine} says of itself that its partner is down",
            lambda: peer(session, index).state in states,
            within_s=_SETTLE_S,
            every_s=0.1,
        )
    return peer(session, index)


def _tell_dhcpd(session: Session, machine: str) -> None:
    """Set local-state by OMAPI and read it back: omshell's exit status tells nothing."""
    tell = omapi(f"set local-state = {_PARTNER_DOWN}", "update")
    said = session.shell(machine).run(f"{tell} >/dev/null; {omapi()} | grep local-state")
    if f"{_PARTNER_DOWN:02x}" not in said.stdout.split(":")[-1]:
        raise MachineError(
            brief=f"dhcpd on {machine} did not stay in partner-down",
            details=f"While its partner is connected, the two find back to normal at once.\n{said.stdout}{said.stderr}",
            resolution="stop dhcpd on the partner, or its machine, and say it again",
        )


def _answers(session: Session, index: int, *, seen_by: int) -> str:
    """Why the server counts as alive; empty when it does not: its daemon is down, or its partner can't reach it."""
    name, asker = session.plan.servers[index].name, session.plan.servers[seen_by].name
    address = session.spec.internal_address(index).ip
    if not session.shell(asker).run(f"ping -q -c 1 -W 1 {address}").ok:
        return ""
    state = peer(session, index).state
    return (
        "" if state in ("down", "standby", "silent") else f"{name} answers {asker}'s ping at {address} and is {state}"
    )


def _still_answers(session: Session, index: int, seen: str, command: str) -> MachineError:
    name = session.plan.servers[index].name
    return MachineError(
        brief=f"{command} refused: {name} still answers",
        details=f"{seen}\nTwo servers that don't know of each other hand out the same addresses.",
        resolution=f"stop {name} first, or say --force",
    )


def _server(session: Session, machine: str) -> int:
    _pair(session)
    names = [server.name for server in session.plan.servers]
    if machine not in names:
        raise SpecError(brief=f"{machine} is no server of the lab", resolution=f"use one of: {', '.join(names)}")
    return names.index(machine)


def is_well(session: Session, peers: Sequence[PeerStatus]) -> bool:
    """Both, as they were seen, are in the state in which all is well."""
    return tuple(server.state for server in peers) == _well(session)


def await_well(session: Session, *, within_s: float = _SETTLE_S) -> None:
    """Return when both peers are in the state in which all is well.

    Raises:
        WaitError: They were not within the limit.
    """
    wait_until(
        f"the peers are {' and '.join(_well(session))}",
        lambda: is_well(session, status(session)),
        within_s=within_s,
        every_s=0.1,
        resolution="labbuilder failover status shows both; labbuilder up starts what is off",
    )


def _well(session: Session) -> tuple[str, str]:
    failover = session.spec.dhcp.failover
    if failover.cold_standby:
        return "serving", "standby"
    well = "normal" if failover.engine == "isc" else ha_mode(session.spec)
    return well, well


def unit(session: Session) -> str:
    """The engine's unit."""
    return ISC_UNIT if session.spec.dhcp.failover.engine == "isc" else KEA_UNIT
