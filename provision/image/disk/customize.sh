
# A virtual machine, beyond what a container needs.
mkdir -p "$units/sysinit.target.wants" "$root/var/lib/labbuilder"
ln -sf ../lab-seed.service "$units/sysinit.target.wants/lab-seed.service"
ln -sf /lib/systemd/system/systemd-networkd.service "$units/multi-user.target.wants/systemd-networkd.service"
for unit in systemd-networkd-wait-online.service systemd-resolved.service; do
    ln -sf /dev/null "$units/$unit"
done
