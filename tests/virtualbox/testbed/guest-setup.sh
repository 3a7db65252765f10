# Runs in the guests' root tree: what the product has no reason to leave out, and emulation no time for.
set -e
: > /etc/fstab
printf '[Manager]\nDefaultTimeoutStartSec=600s\nDefaultDeviceTimeoutSec=600s\nLogLevel=warning\nShowStatus=no\n' > /etc/systemd/system.conf
printf '[Journal]\nStorage=volatile\nAudit=no\n' > /etc/systemd/journald.conf.d/testbed.conf
for u in getty@tty1.service systemd-timesyncd.service systemd-random-seed.service systemd-pstore.service \
  systemd-journal-flush.service sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount dev-mqueue.mount \
  systemd-binfmt.service proc-sys-fs-binfmt_misc.automount modprobe@configfs.service modprobe@dm_mod.service \
  modprobe@drm.service modprobe@efi_pstore.service modprobe@fuse.service modprobe@loop.service kmod-static-nodes.service \
  systemd-machine-id-commit.service systemd-hwdb-update.service ldconfig.service systemd-user-sessions.service \
  systemd-fsck-root.service systemd-logind.service systemd-repart.service systemd-pcrphase.service \
  systemd-pcrphase-sysinit.service; do ln -sfn /dev/null /etc/systemd/system/$u; done
# each of some two hundred devices costs an event, and the seed waits for all of them; only disks and NICs matter here
mkdir -p /etc/systemd/system/systemd-udev-trigger.service.d
printf '[Service]\nExecStart=\nExecStart=udevadm trigger --action=add --subsystem-match=block --subsystem-match=net\n' \
  > /etc/systemd/system/systemd-udev-trigger.service.d/testbed.conf
mkdir -p /etc/systemd/system-generators
for g in systemd-getty-generator systemd-gpt-auto-generator systemd-hibernate-resume-generator systemd-rc-local-generator \
  systemd-run-generator systemd-cryptsetup-generator systemd-veritysetup-generator systemd-integritysetup-generator \
  systemd-debug-generator systemd-bless-boot-generator systemd-system-update-generator; do
  ln -sfn /dev/null /etc/systemd/system-generators/$g; done
rm -rf /var/cache/apt/* /var/lib/apt/lists/* /usr/share/locale/* /var/cache/debconf/*-old
