#!/bin/bash
# mk-guest.sh CACHE_DIR: the guests' base disk, CACHE/guest.vdi: the product's own tree, slimmed for emulation. PYTHON has labbuilder.
. "$(dirname "$0")/common.sh" "$@"
need=(); for p in mmdebstrap grub-pc-bin grub-common busybox-static fdisk cpio; do dpkg -s "$p" >/dev/null 2>&1 || need+=("$p"); done
[ ${#need[@]} -eq 0 ] || { apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${need[@]}" >/dev/null; }
R=$CACHE/guest-root; SIZE=${GUEST_DISK:-2100M}   # from 2 GiB on the BIOS says 63 sectors a track, and GRUB reads by tracks
stamp=$CACHE/guest-$("$PYTHON" "$HERE/guest-tree.py")-$(cat "$HERE"/{mk-guest,guest-setup}.sh | sha256sum | cut -c1-12).done
[ ! -f "$stamp" ] || exit 0
say "guest root"
rm -rf "$R"; "$PYTHON" "$HERE/guest-tree.py" "$R"
say "guest configuration"
chroot "$R" bash -s < "$HERE/guest-setup.sh"
# NIC names by PCI slot and the management address already in the initrd (what VirtualBox's NAT hands out first), so ssh need not wait for udev
cat > "$CACHE/initrd-extra" <<'X'
/bin/busybox mount -t sysfs s /sys
for s in 3 8 9; do for d in /sys/bus/pci/devices/0000:00:0$s.0/virtio*/net/*; do
  [ -d "$d" ] && /bin/busybox ip link set "${d##*/}" name enp0s$s; done; done
/bin/busybox ip link set lo up; /bin/busybox ip addr add 10.0.99.15/24 dev enp0s9; /bin/busybox ip link set enp0s9 up
/bin/busybox umount /sys
X
export INITRD_EXTRA=$CACHE/initrd-extra
v=$(ls "$R/lib/modules" | sort -V | tail -1); rm -f "$R"/boot/initrd.img-* "$R/initrd.img"*
cp "${KERNEL:-$R/boot/vmlinuz-$v}" "$R/boot/k"
mini_initrd "$R" "$R/boot/i" "${ROOTDEV:-/dev/sda1}" virtio_pci virtio_scsi sd_mod virtio_net sr_mod isofs
say "disk"
W=$(mktemp -d "$CACHE/w.XXXX"); truncate -s "$SIZE" "$W/d"; truncate -s $(( $(stat -c %s "$W/d") - 1048576 )) "$W/p"
mke2fs -q -t ext4 -O ^has_journal,^metadata_csum -E lazy_itable_init=1,nodiscard -m 0 -L root -d "$R" "$W/p"
echo '2048,,L,*' | sfdisk -q "$W/d"
cat > "$W/cfg" <<C
set root=(hd0,msdos1)
linux /boot/k root=${ROOTDEV:-/dev/sda1} rw console=tty0 console=ttyS0,115200 quiet loglevel=3 mitigations=off nokaslr audit=0 apparmor=0 selinux=0 nowatchdog nosmap nosmep panic=-1 oops=panic no_timer_check tsc=reliable random.trust_cpu=on random.trust_bootloader=on cryptomgr.notests rcupdate.rcu_expedited=1 noresume 8250.nr_uarts=1 i8042.noaux i8042.nopnp i8042.dumbkbd ${GUEST_CMDLINE:-}
initrd /boot/i
boot
C
grub-mkimage -O i386-pc -p /boot -c "$W/cfg" -o "$W/core" biosdisk part_msdos ext2 linux
dd if=/usr/lib/grub/i386-pc/boot.img of="$W/d" bs=440 count=1 conv=notrunc status=none
dd if="$W/core" of="$W/d" bs=512 seek=1 conv=notrunc status=none
dd if="$W/p" of="$W/d" bs=1M seek=1 conv=notrunc,sparse status=none
q qemu-img convert -O vdi "$W/d" "$CACHE/guest.vdi"; rm -rf "$W"
say "guest.vdi $(du -h "$CACHE/guest.vdi" | cut -f1)"
rm -f "$CACHE"/guest-*.done; touch "$stamp"
