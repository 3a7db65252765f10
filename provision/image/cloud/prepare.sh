#!/bin/sh
# Run once by the cloud image's own cloud-init, from the CD that is its argument: makes of it what a lab's machines start from.
set -eu
cd=$1
exec >/dev/console 2>&1
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
trap 'echo "labbuilder: this disk could not be prepared"; sync; systemctl --no-block poweroff' EXIT

# Nothing else runs apt meanwhile, and what is installed is not started; nothing of it belongs in the initrd, which takes long.
systemctl mask --now apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service unattended-upgrades.service
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
initrd=/etc/initramfs-tools/update-initramfs.conf
if [ -e "$initrd" ]; then sed -i 's/^update_initramfs=yes/update_initramfs=no/' "$initrd"; fi

rm -rf /etc/apt/sources.list.d/*
cp "$cd/sources.list" /etc/apt/sources.list
for version in 4 6; do
    echo "iptables-persistent iptables-persistent/autosave_v$version boolean false"
done | debconf-set-selections
apt-get -o DPkg::Lock::Timeout=300 update
xargs apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends < "$cd/packages"
apt-get clean
rm /usr/sbin/policy-rc.d
if [ -e "$initrd" ]; then sed -i 's/^update_initramfs=no/update_initramfs=yes/' "$initrd"; fi

tar -xf "$cd/files.tar" -C / --no-overwrite-dir --touch
sh "$cd/customize.sh" /

# The image mounts its root read-only and names NICs by itself; of what configured this one boot nothing stays.
mkdir -p /etc/default/grub.d
cat > /etc/default/grub.d/labbuilder.cfg <<'END'
# Written by labbuilder: root is mounted by the initrd; no NIC is named before the seed's .link files are there.
GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX rw net.ifnames=0"
GRUB_TIMEOUT=0
END
if command -v update-grub; then update-grub; fi
touch /etc/cloud/cloud-init.disabled
rm -rf /etc/netplan/* /etc/network/interfaces.d/* /etc/systemd/network/* /etc/udev/rules.d/70-persistent-net.rules

trap - EXIT
echo "labbuilder: this disk is prepared"
sync
systemctl --no-block poweroff
