"""Breaks of what a machine starts from, and of what keeps alive what runs: most of them are felt at the next boot."""

from __future__ import annotations

from breaks import Break

ETC = "/etc/systemd/system"
NAMED_WANTED = f"{ETC}/multi-user.target.wants/named.service"
RELOAD = "systemctl daemon-reload"
AGAIN = "ifdown --force enp0s3; ifup enp0s3"
READ_ONLY = "mount --bind /var/lib/dhcp /var/lib/dhcp && mount -o remount,bind,ro /var/lib/dhcp"


def kept(path: str, command: str) -> tuple[str, str]:
    """What breaks a file of Debian's, and what puts it back as it was."""
    return f"cp -a {path} /root/kept; {command}", f"rm -rf {path}; mv /root/kept {path}"


def on_disk(machine: str, path: str, command: str, *checks: str) -> Break:
    """Only the file is another; what runs is as it was."""
    broken, mend = kept(path, command)
    return Break(machine, broken, set(checks), mend)


def unit(machine: str, unit: str, path: str, command: str, *more: str) -> Break:
    """What lies over a unit, on disk."""
    return Break(machine, command, {f"{unit}.enabled", *more}, f"rm -rf {path}; {RELOAD}")


def extended(name: str, text: str, folder: str = ETC) -> str:
    return f"mkdir -p {folder}/{name}; printf '{text}' >{folder}/{name}/x.conf"


FILES = {
    "routers changed on disk": Break(
        "server1", "sed -i 's/routers .*/routers 192.168.1.77;/' /etc/dhcp/dhcpd.conf", {"files"}
    ),
    "the client's own resolvers": Break(
        "client1", "echo 'supersede domain-name-servers 9.9.9.9;' >>/etc/dhcp/dhclient.conf", {"files"}
    ),
    "another address at boot": Break("server1", "sed -i s,1.1/24,1.9/24, /etc/network/interfaces", {"files"}),
    "a card less at boot": Break("client1", "sed -i '/^auto enp0s3/d' /etc/network/interfaces", {"files"}),
    "named.conf.local": Break("server2", "echo 'garbage {' >>/etc/bind/named.conf.local", {"files", "named.syntax"}),
    "a name more, loaded": Break("server2", "echo 'www A 192.168.1.66' >>/etc/bind/db.lab; rndc reload", {"files"}),
    "FORWARD dropped at boot": Break(
        "server2", "printf '*filter\\n:FORWARD DROP [0:0]\\nCOMMIT\\n' >>/etc/iptables/rules.v4", {"files"}
    ),
    "a mode": Break("client1", "chmod 600 /etc/hosts", {"files"}),
    "an owner": Break("server1", "chown bind /etc/bind/named.conf.options", {"files"}),
    "a link in a file's place": Break(
        "server2", "cp /etc/resolv.conf /run/resolv.conf; ln -sf /run/resolv.conf /etc/resolv.conf", {"files"}
    ),
    "a hook gone": Break("client1", "rm /etc/dhcp/dhclient-exit-hooks.d/lab-gateway", {"files"}),
    "the unit of dhcpd gone": Break("server2", f"rm {ETC}/isc-dhcp-server.service", {"files"}),
    "sysctl's file gone": Break("server1", "rm /etc/sysctl.d/90-labbuilder.conf", {"files", "forwarding.kept"}),
    "a key that all can read": Break("server1", "chmod 644 /etc/dhcp/omapi.conf", {"files"}),
}

NAMES = {
    "host name": Break("server2", "hostname evil; echo evil >/etc/hostname", {"hostname", "files"}),
    "host name, live alone": Break("client1", "hostname evil", {"hostname"}),
    "its own name": Break("server1", "sed -i /^127.0.1.1/d /etc/hosts", {"files", "names"}),
    "nsswitch without DNS": on_disk(
        "client1", "/etc/nsswitch.conf", "sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf", "names"
    ),
    "nsswitch without files": on_disk(
        "server1", "/etc/nsswitch.conf", "sed -i 's/^hosts:.*/hosts: dns/' /etc/nsswitch.conf", "names"
    ),
}

UNITS = {
    "sysctl masked": unit(
        "server2", "systemd-sysctl", f"{ETC}/systemd-sysctl.service", "systemctl mask systemd-sysctl"
    ),
    "rules masked": unit(
        "server1", "netfilter-persistent", f"{ETC}/netfilter-persistent.service", "systemctl mask netfilter-persistent"
    ),
    "masked, and systemd does not know": unit(
        "server1", "named", f"{ETC}/named.service", f"ln -s /dev/null {ETC}/named.service"
    ),
    "a condition": unit(
        "server2",
        "isc-dhcp-server",
        f"{ETC}/isc-dhcp-server.service.d",
        extended("isc-dhcp-server.service.d", "[Unit]\\nConditionPathExists=/nope\\n") + f"; {RELOAD}",
    ),
    "a drop-in, and systemd does not know": unit(
        "server1", "named", f"{ETC}/named.service.d", extended("named.service.d", "[Service]\\nExecStart=\\n")
    ),
    "a drop-in of all services": unit(
        "client1", "networking", f"{ETC}/service.d", extended("service.d", "[Unit]\\nAssertPathExists=/nope\\n")
    ),
    "a unit in Debian's place": unit(
        "client1",
        "networking",
        f"{ETC}/networking.service",
        f"sed s,/sbin/ifup,/bin/true, /usr/lib/systemd/system/networking.service >{ETC}/networking.service",
    ),
    "no target wants it": Break(
        "server2", f"rm {NAMED_WANTED}", {"named.enabled"}, f"ln -s /lib/systemd/system/named.service {NAMED_WANTED}"
    ),
    "not started again": unit(
        "server1",
        "named",
        "/run/systemd/system/named.service.d",
        extended("named.service.d", "[Service]\\nRestart=no\\n", folder="/run/systemd/system") + f"; {RELOAD}",
        "named.restart",
    ),
    "dhcpd is not started again": unit(
        "server1",
        "isc-dhcp-server",
        f"{ETC}/isc-dhcp-server.service.d",
        extended("isc-dhcp-server.service.d", "[Service]\\nRestart=no\\n") + f"; {RELOAD}",
        "isc-dhcp-server.restart",
    ),
    "boots to rescue": Break(
        "server2",
        f"ln -sf /lib/systemd/system/rescue.target {ETC}/default.target",
        {"boot"},
        f"rm {ETC}/default.target",
    ),
    "boots to nothing": Break(
        "client1", f"ln -s /dev/null {ETC}/multi-user.target", {"boot"}, f"rm {ETC}/multi-user.target"
    ),
}

DEBIANS = {
    "interfaces are left out at boot": on_disk(
        "server2", "/etc/default/networking", "echo CONFIGURE_INTERFACES=no >>/etc/default/networking", "packages"
    ),
    "named on another port": on_disk(
        "server2", "/etc/default/named", "sed -i 's/-u bind/& -p 5353/' /etc/default/named", "packages"
    ),
    "rules are not restored": on_disk(
        "server1",
        "/usr/share/netfilter-persistent/plugins.d/15-ip4tables",
        "echo exit >/usr/share/netfilter-persistent/plugins.d/15-ip4tables",
        "packages",
    ),
    "Debian's unit changed": on_disk(
        "server1",
        "/usr/lib/systemd/system/named.service",
        "sed -i s/notify/oneshot/ /usr/lib/systemd/system/named.service",
        "packages",
    ),
    "dhclient's script changed": on_disk(
        "client1", "/sbin/dhclient-script", "echo exit 0 >/sbin/dhclient-script", "packages"
    ),
    "no program": on_disk("server2", "/usr/sbin/named", "rm /usr/sbin/named", "packages", "named.syntax"),
    "a program that can't be run": on_disk("server1", "/usr/sbin/named", "chmod -x /usr/sbin/named", "named.syntax"),
    "no user": on_disk("server2", "/etc/passwd", "sed -i s/^bind:/dnib:/ /etc/passwd", "named.syntax"),
    "named.conf includes what is not there": on_disk(
        "server1",
        "/etc/bind/named.conf",
        "echo 'include \"/nope\";' >>/etc/bind/named.conf",
        "packages",
        "named.syntax",
    ),
}

FOREIGN = {
    "a rule that lets through": Break(
        "client1", "iptables -A OUTPUT -p udp --dport 53 -j ACCEPT", {"firewall"}, "iptables -F"
    ),
    "a policy": Break("server2", "iptables -P FORWARD DROP", {"firewall"}, "iptables -P FORWARD ACCEPT"),
    "a way around NAT": Break(
        "server1", "iptables -t mangle -A FORWARD -p udp -j DROP", {"firewall"}, "iptables -t mangle -F"
    ),
    "a route that swallows": Break(
        "server1", "ip route add blackhole 10.77.0.0/16", {"routes"}, "ip route del blackhole 10.77.0.0/16"
    ),
    "a route beside": Break("client1", "ip route add 10.77.0.0/16 dev enp0s3", {"routes"}, "ip route del 10.77.0.0/16"),
    "a rule of routing": Break(
        "server2", "ip rule add from 192.168.1.0/24 blackhole", {"routes"}, "ip rule del from 192.168.1.0/24 blackhole"
    ),
    "another table": Break("server1", "ip route add default dev enp0s3 table 7", {"routes"}, "ip route flush table 7"),
    "journald stopped by a signal": Break(
        "client1", "kill -STOP $(pidof systemd-journald)", {"processes"}, "kill -CONT $(pidof systemd-journald)"
    ),
}

ALIVE = {
    "leases can't be written": Break("server1", READ_ONLY, {"dhcp.leases"}, "umount -l /var/lib/dhcp"),
    "the lease can't be noted": Break("client1", READ_ONLY, {"lease.kept"}, "umount -l /var/lib/dhcp"),
    "dhclient killed": Break("client1", "kill -9 $(pidof dhclient)", {"lease.kept"}, AGAIN),
    "dhclient stopped": Break(
        "client1", "kill -STOP $(pidof dhclient)", {"lease.kept"}, "kill -CONT $(pidof dhclient)"
    ),
    "two dhclients": Break(
        "client1",
        "cp /bin/sleep /run/dhclient; (/run/dhclient 60 >/dev/null 2>&1 &)",
        {"lease.kept"},
        "kill $(pidof /run/dhclient); rm /run/dhclient",
    ),
    "named stopped by a signal": Break(
        "server2", "kill -STOP $(pidof named)", {"named.active"}, "kill -CONT $(pidof named)"
    ),
    "no new connection from ordinary ports": Break(
        "server2",
        "iptables -I INPUT -p tcp --dport 647 --sport 1:61000 -m conntrack --ctstate NEW -j DROP",
        {"failover.open"},
        "iptables -F INPUT",
    ),
}

OF_ONE_MACHINE = FILES | NAMES | UNITS | DEBIANS | FOREIGN
START = OF_ONE_MACHINE | ALIVE

KEA_START = {
    "not started again": Break(
        "server1",
        extended("kea-dhcp4-server.service.d", "[Service]\\nRestart=no\\n") + f"; {RELOAD}",
        {"kea-dhcp4-server.restart", "kea-dhcp4-server.enabled"},
        f"rm {ETC}/kea-dhcp4-server.service.d/x.conf; {RELOAD}",
    ),
    "leases of another's": Break("server2", "chown root /var/lib/kea", {"dhcp.leases"}, "chown _kea /var/lib/kea"),
}
