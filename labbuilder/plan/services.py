"""What each machine does: its services, with the files and commands of each."""

from __future__ import annotations

from typing import Any

from labbuilder.host.render import render
from labbuilder.plan import dhcp_isc, dhcp_kea
from labbuilder.plan.dhcp_isc import isc_services
from labbuilder.plan.dhcp_kea import kea_services
from labbuilder.plan.model import RenderedFile, Service
from labbuilder.plan.probes import NAT_RULES, nat_rule
from labbuilder.plan.systemd import ENABLE, RESTART
from labbuilder.spec.models import LabSpec

FAILOVER_PORTS = {"isc": dhcp_isc.FAILOVER_PORT, "kea": dhcp_kea.HA_PORT}  # TCP, between the servers


def server_services(spec: LabSpec, index: int) -> tuple[Service, ...]:
    """The services of a server; the order is that in which they are applied."""
    me = spec.servers[index].name
    values = _values(spec, me) | {
        "internal": spec.internal_address(index),
        "bridged": spec.bridged_address(index),
        "gateway": spec.gateway,
        "me": spec.internal_address(index).ip,
        "peer": spec.internal_address(1 - index).ip if len(spec.servers) > 1 else None,
    }
    isc = spec.dhcp.failover.engine == "isc"
    return (
        _identity(values),
        _server_network(values),
        *(isc_services(spec, index, values) if isc else kea_services(spec, values)),
        _resolver(values),
        _forwarding(values),
        _nat(values),
        _dns(values),
    )


def client_services(spec: LabSpec, name: str) -> tuple[Service, ...]:
    """The services of a client: it asks for an address when those who answer are ready."""
    values = _values(spec, name)
    nic = values["internal_nic"]
    ready = "failover" if len(spec.servers) > 1 and not spec.dhcp.failover.cold_standby else "dhcp"
    answering = tuple(f"{server.name}:{ready}" for server in spec.servers)
    network = Service(
        name="network",
        title="address by DHCP (ifupdown, dhclient)",
        files=(
            RenderedFile("/etc/network/interfaces", render("interfaces-client", **values)),
            RenderedFile("/etc/dhcp/dhclient.conf", render("dhclient.conf", **values)),
            RenderedFile("/etc/dhcp/dhclient-exit-hooks.d/lab-gateway", render("dhclient-gateway", **values)),
        ),
        holds=f"ip -4 -o addr show dev {nic} | grep -q dynamic && ip route show default | grep -q {nic} && "
        "systemctl -q is-enabled networking",
        apply=f"{ENABLE} networking; {_bring_up(nic)}",
        settle_s=60.0,  # dhclient asks for 30 s, and then again
        after=answering,
        given=_leased(spec),
    )
    return _identity(values), network


def _leased(spec: LabSpec) -> str:
    """All that a lease says: who has one keeps it until it ends, however the servers are configured meanwhile."""
    dhcp, servers = spec.dhcp, [spec.internal_address(i) for i in range(len(spec.servers))]
    times = (dhcp.default_lease_s, dhcp.max_lease_s, dhcp.failover.mclt_s)
    return " ".join(str(it) for it in (spec.networks.internal.subnet, spec.pool, *times, spec.dns.domain, *servers))


def _values(spec: LabSpec, machine: str) -> dict[str, Any]:
    return {
        "lab": spec.name,
        "machine": machine,
        "domain": spec.dns.domain,
        "servers": [(s.name, spec.internal_address(i).ip) for i, s in enumerate(spec.servers)],
        "internal_nic": spec.networks.internal.nic,
        "bridged_nic": spec.networks.bridged.nic,
        "subnet": spec.networks.internal.subnet,
        "forwarders": spec.dns.forwarders,
        "dhcp": spec.dhcp,
        "pool": spec.pool,
    }


def _identity(values: dict[str, Any]) -> Service:
    return Service(
        name="identity",
        title="names (/etc/hosts)",
        files=(RenderedFile("/etc/hosts", render("hosts", **values)),),
        holds="true",
        apply="true",
    )


def _server_network(values: dict[str, Any]) -> Service:
    pairs = [(values["internal_nic"], values["internal"]), (values["bridged_nic"], values["bridged"])]
    addresses = " && ".join(
        f'[ "$(ip -4 -o addr show dev {nic} | awk \'{{print $4}}\')" = "{address}" ]' for nic, address in pairs
    )
    return Service(
        name="network",
        title="interfaces (ifupdown)",
        files=(RenderedFile("/etc/network/interfaces", render("interfaces-server", **values)),),
        holds=f"{addresses} && ip route show default | grep -q 'via {values['gateway']} ' && "
        "systemctl -q is-enabled networking",
        apply=f"{ENABLE} networking; {_bring_up(*(nic for nic, _ in pairs))}",
    )


def _bring_up(*nics: str) -> str:
    """Shell that makes the NICs what ifupdown's file says; one that was never up needs no ifdown, which is slow."""
    names = " ".join(nics)
    return (
        f"for nic in {names}; do ! grep -qs ^$nic= /run/network/ifstate || ifdown --force $nic 2>/dev/null || true; "
        f"ip addr flush dev $nic; done; ifup {names}"
    )


def _resolver(values: dict[str, Any]) -> Service:
    text = render("resolv.conf", **values)
    return Service(
        name="resolver",
        title="resolver (/etc/resolv.conf)",
        files=(RenderedFile("/etc/resolv.conf", text),),
        holds="true",
        apply="true",
    )


def _forwarding(values: dict[str, Any]) -> Service:
    path = "/etc/sysctl.d/90-labbuilder.conf"
    return Service(
        name="forwarding",
        title="forwarding (net.ipv4.ip_forward)",
        files=(RenderedFile(path, render("sysctl.conf", **values)),),
        holds='[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]',
        apply=f"sysctl -q -p {path}",
    )


def _nat(values: dict[str, Any]) -> Service:
    path = "/etc/iptables/rules.v4"
    rule = nat_rule(values["bridged_nic"])
    return Service(
        name="nat",
        title="NAT (iptables-persistent)",
        files=(RenderedFile(path, render("rules.v4", rule=rule, **values)),),
        validate=((path, "iptables-restore --test {new}"),),
        holds=f'[ "$({NAT_RULES})" = "{rule}" ] && systemctl -q is-enabled netfilter-persistent',
        apply=f"{ENABLE} netfilter-persistent; iptables-restore {path}",
    )


def _dns(values: dict[str, Any]) -> Service:
    zone, options, local = "/etc/bind/db.lab", "/etc/bind/named.conf.options", "/etc/bind/named.conf.local"
    return Service(
        name="dns",
        title="DNS server (BIND)",
        files=(
            RenderedFile(zone, render("db.lab", **values)),
            RenderedFile(options, render("named.conf.options", **values)),
            RenderedFile(local, render("named.conf.local", **values)),
        ),
        validate=(
            (zone, f"named-checkzone -q {values['domain']} {{new}}"),
            (options, "named-checkconf {new}"),
            (local, "named-checkconf {new}"),
        ),
        holds="systemctl -q is-active named && systemctl -q is-enabled named && "
        f"dig +short +time=1 +tries=1 @{values['me']} {values['domain']} SOA | grep -q .",
        apply=f"{ENABLE} named; {RESTART.format('named')}",
        after=(f"{values['machine']}:dhcp",),  # clients wait for DHCP, and BIND is slow to start
    )
