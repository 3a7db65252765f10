"""kea-dhcp4-server: alone, or in the modes of its High Availability hook (Kea's manual, "libdhcp_ha.so")."""

from __future__ import annotations

from typing import Any

from labbuilder.host.render import render
from labbuilder.plan.model import RenderedFile, Service
from labbuilder.plan.probes import FAILOVER_STATES, KEA, kea_partner_states
from labbuilder.plan.systemd import ENABLE, RELOAD, RESTART, off
from labbuilder.spec.models import AddressRange, LabSpec

UNIT = "kea-dhcp4-server"
CONF = "/etc/kea/kea-dhcp4.conf"
HA_PORT = 8000
_OTHER = "isc-dhcp-server"
_LIMIT_S = 60.0

# ld.so(8) reads $LIB as the machine's own lib/x86_64-linux-gnu or the like, and Kea 2.2 looks nowhere by itself.
# Kea 2.6 does, and takes no other path.
_HOOKS = {"bookworm": "/usr/$LIB/kea/hooks/", "trixie": ""}

# A partner-down that was forced on a living pair ends by command alone, and not while the partner starts.
_END_MAINTENANCE = (
    f'n=0; while [ $n -lt 100 ]; do case "$({FAILOVER_STATES["kea"]})" in partner-in-m*) ;; *) break ;; esac; '
    f'echo \'{{"command": "ha-maintenance-cancel"}}\' | {KEA}; n=$((n+1)); sleep 0.1; done'
)


def ha_mode(spec: LabSpec) -> str:
    """Kea's word for the mode; it is also the name of the state in which both peers are well."""
    return "load-balancing" if spec.dhcp.failover.mode in ("load-balancing", "round-robin") else "hot-standby"


def pools(spec: LabSpec) -> tuple[tuple[AddressRange, str | None], ...]:
    """The pool, with the server whose clients get it.

    Load balancing halves it by class: one pool for both was measured to hand out addresses twice.
    """
    whole = spec.pool
    if not spec.pool_is_halved:
        return ((whole, None),)
    half = whole.start + len(whole) // 2
    first, second = (server.name for server in spec.servers)
    return (AddressRange(start=whole.start, end=half - 1), first), (AddressRange(start=half, end=whole.end), second)


def kea_services(spec: LabSpec, values: dict[str, Any]) -> tuple[Service, ...]:
    """What makes one server serve DHCP by Kea."""
    failover, mode, pair = spec.dhcp.failover, ha_mode(spec), len(spec.servers) > 1
    values = values | {
        "failover": failover,
        "ha_mode": mode,
        "second_role": "secondary" if mode == "load-balancing" else "standby",
        "auto_failover": "false" if failover.mode == "manual" else "true",
        "pools": pools(spec),
        "port": HA_PORT,
        "hooks": _HOOKS[spec.suite],
    }
    listens = f"[ -n \"$(ss -Hltn 'sport = :{HA_PORT}')\" ]" if pair else "true"
    dropin = "/etc/systemd/system/kea-dhcp4-server.service.d/labbuilder.conf"
    dhcp = Service(
        name="dhcp",
        title="DHCP server (kea-dhcp4-server)",
        files=(
            RenderedFile(CONF, render("kea-dhcp4.conf", **values)),
            RenderedFile(dropin, render("kea-dhcp4-server.conf", **values)),
        ),
        validate=((CONF, "kea-dhcp4 -t {new}"),),
        holds=f"systemctl -q is-active {UNIT} && systemctl -q is-enabled {UNIT} && {listens} && "
        f"! systemctl -q is-active {_OTHER}",
        apply=f"{off(_OTHER)}; {ENABLE} {UNIT}; {RELOAD.format(UNIT)}; {RESTART.format(UNIT)}",
    )
    if not pair:
        return (dhcp,)
    together = Service(
        name="failover",
        title=f"DHCP failover, both peers {mode}",
        holds=f'[ "$({FAILOVER_STATES["kea"]})" = {mode}/{mode} ] && '
        f'[ "$({kea_partner_states(values["peer"], HA_PORT)})" = {mode}/{mode} ]',
        apply=_END_MAINTENANCE,
        settle_s=_LIMIT_S,
        after=tuple(f"{server.name}:dhcp" for server in spec.servers),
    )
    return dhcp, together
