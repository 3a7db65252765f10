#!/bin/sh
# Run by labbuilder with the new root tree as its argument: what a machine of any role starts from.
set -eu
root=$1
units=$root/etc/systemd/system

# Identity belongs to a machine, and name servers to its plan.
rm -f "$root"/etc/hostname "$root"/etc/ssh/ssh_host_* "$root"/etc/resolv.conf
: > "$root/etc/machine-id"
: > "$root/etc/resolv.conf"

# Services are off until provisioning switches them on.
rm -f "$root"/etc/rc?.d/[SK]*isc-dhcp-server
for unit in kea-dhcp4-server.service named.service ssh.service netfilter-persistent.service networking.service; do
    rm -f "$units"/*.wants/"$unit"
done
rm -f "$units/bind9.service" "$units/iptables.service" "$units/sshd.service"
mkdir -p "$units/sockets.target.wants" "$units/multi-user.target.wants" "$root/var/log/journal"
ln -s ../lab-ssh.socket "$units/sockets.target.wants/lab-ssh.socket"

# What a lab machine has no use for; the rest stays as Debian ships it.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer systemd-tmpfiles-clean.timer \
    e2scrub_all.timer fstrim.timer console-getty.service getty.target ifupdown-pre.service \
    systemd-remount-fs.service dev-hugepages.mount sys-fs-fuse-connections.mount systemd-update-utmp.service \
    systemd-update-utmp-runlevel.service systemd-sysusers.service systemd-network-generator.service \
    systemd-firstboot.service systemd-ask-password-console.path systemd-ask-password-wall.path; do
    ln -sf /dev/null "$units/$unit"
done

chroot "$root" usermod -p '*' root
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
