"""isc-dhcp-server: alone, in failover, or as a cold standby (dhcpd.conf(5), "CONFIGURING FAILOVER")."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from labbuilder.host.render import render
from labbuilder.plan.model import RenderedFile, Service
from labbuilder.plan.probes import FAILOVER_STATES, OMAPI_CONF, OMAPI_PORT
from labbuilder.plan.systemd import ENABLE, RELOAD, RESTART, off
from labbuilder.spec.models import LabSpec

UNIT = "isc-dhcp-server"
CONF = "/etc/dhcp/dhcpd.conf"
LEASES = PurePosixPath("/var/lib/dhcp/dhcpd.leases")
FAILOVER_PORT = 647  # IANA's
COPY_PORT = 6470  # on the cold standby: the primary's leases arrive
# One line for each active binding of the lease file; the last word on an address counts.
ACTIVE_LEASES = (
    'awk \'$1 == "lease" {a = $2; state[a] = mac[a] = ends[a] = ""} $1 == "binding" {state[a] = $3} '
    '$1 == "hardware" {mac[a] = $3} $1 == "ends" {ends[a] = $0} '
    f'END {{for (a in state) if (state[a] == "active;") print a, mac[a], ends[a]}}\' {LEASES}'
)
TAKEN_OVER = "/var/lib/lab-taken-over"  # on the cold standby: the operator lets it serve
FENCED = "/run/lab-fenced"  # on its primary: it came back and found the standby serving
_OTHER = "kea-dhcp4-server"
_LIMIT_S = 60.0  # a pair that missed each other retries each 5 s; seen to take 10 s under load

# The key never leaves the machine: omshell runs beside dhcpd.
_HAS_OMAPI = f"grep -qs '^[^#]*omapi-port {OMAPI_PORT};' {OMAPI_CONF}"
_MAKE_OMAPI = (
    f"{_HAS_OMAPI} || ( umask 077; k=$(head -c 32 /dev/urandom | base64 -w0); "
    'echo "key omapi { algorithm hmac-sha256; secret \\"$k\\"; }; omapi-key omapi; '
    f'omapi-port {OMAPI_PORT};" >{OMAPI_CONF} )'
)


def isc_services(spec: LabSpec, index: int, values: dict[str, Any]) -> tuple[Service, ...]:
    """What makes one server serve DHCP by dhcpd."""
    pair = len(spec.servers) > 1
    cold = spec.dhcp.failover.cold_standby and pair
    values = values | {
        "pair": pair and not cold,
        "cold_standby": cold,
        "failover": spec.dhcp.failover,
        "role": ("primary", "secondary")[index],
        "port": FAILOVER_PORT,
        "copy_port": COPY_PORT,
        "leases": LEASES,
        "sent": "/run/lab-leases-sent",
    }
    if cold:
        return _standby(spec, index, values)
    return (_dhcp(spec, index, values), _failover(spec, index)) if pair else (_dhcp(spec, index, values),)


def dhcpd_unit() -> RenderedFile:
    """The native unit of isc-dhcp-server; the image has it too, so that its first start needs no reload of systemd."""
    return RenderedFile("/etc/systemd/system/isc-dhcp-server.service", render("isc-dhcp-server.service", leases=LEASES))


def _files(values: dict[str, Any]) -> tuple[RenderedFile, ...]:
    return (
        RenderedFile(CONF, render("dhcpd.conf", **values)),
        RenderedFile("/etc/default/isc-dhcp-server", render("isc-dhcp-server.default", **values)),
        dhcpd_unit(),
    )


def _dhcp(spec: LabSpec, index: int, values: dict[str, Any]) -> Service:
    cold = values["cold_standby"]
    paired = f"[ -n \"$(ss -Hltn 'sport = :{FAILOVER_PORT}')\" ] && {_HAS_OMAPI}" if values["pair"] else "true"
    primary = f"{spec.servers[0].name}:dhcp"
    return Service(
        name="dhcp",
        title="DHCP server (isc-dhcp-server)",
        files=(*_files(values), *((_fence(values),) if cold else ())),
        own=(RenderedFile(OMAPI_CONF, render("omapi.conf"), 0o600),) if values["pair"] else (),
        prepare=_MAKE_OMAPI if values["pair"] else "true",
        validate=((CONF, "dhcpd -4 -t -cf {new}"),),
        holds=f"systemctl -q is-active {UNIT} && systemctl -q is-enabled {UNIT} && {paired} && "
        f"! systemctl -q is-active {_OTHER}{f' || [ -e {FENCED} ]' if cold else ''}",
        apply=f"{off(_OTHER)}; {ENABLE} {UNIT}; {RELOAD.format(UNIT)}; {RESTART.format(UNIT)}",
        after=(f"{spec.servers[1].name}:standby",) if cold else (primary,) if index and values["pair"] else (),
    )


def _fence(values: dict[str, Any]) -> RenderedFile:
    """The primary of a cold standby serves only while its partner waits for leases: one that serves refuses them."""
    return RenderedFile(
        "/etc/systemd/system/isc-dhcp-server.service.d/standby.conf",
        render("standby.conf", fenced=FENCED, **values),
    )


def _failover(spec: LabSpec, index: int) -> Service:
    """Both peers in state normal. Two dhcpd that missed each other try again only after 5 s: hence the nudge."""
    return Service(
        name="failover",
        title="DHCP failover, both peers normal",
        holds=f'[ "$({FAILOVER_STATES["isc"]})" = normal/normal ]',
        apply="true",
        settle_s=_LIMIT_S,
        nudge=RESTART.format(UNIT) if index else None,
        after=tuple(f"{server.name}:dhcp" for server in spec.servers),
    )


def _standby(spec: LabSpec, index: int, values: dict[str, Any]) -> tuple[Service, ...]:
    """Manual mode: the first server serves and sends its leases; the second is ready and off."""
    names = ("lab-leases.socket", "lab-leases@.service") if index else ("lab-leases.service",)
    marker = TAKEN_OVER if index else FENCED
    units = tuple(RenderedFile(f"/etc/systemd/system/{name}", render(name, **values)) for name in names)
    copy = Service(
        name="standby",
        title="leases are copied to the second server",
        files=units,
        holds=f"systemctl -q is-active {names[0]} && systemctl -q is-enabled {names[0]} || [ -e {marker} ]",
        apply=f"systemctl daemon-reload; {ENABLE} {names[0]}; {RESTART.format(names[0])}",
        after=() if index else (f"{spec.servers[0].name}:dhcp", f"{spec.servers[1].name}:standby"),
    )
    if index == 0:
        return _dhcp(spec, index, values), copy
    ready = Service(
        name="dhcp",
        title="DHCP server, off until the operator says so (isc-dhcp-server)",
        files=_files(values),
        validate=((CONF, "dhcpd -4 -t -cf {new}"),),
        holds=f"[ -e {TAKEN_OVER} ] || {{ ! systemctl -q is-active {UNIT} && ! systemctl -q is-enabled {UNIT}; }}",
        apply=off(_OTHER, UNIT),
    )
    return ready, copy
