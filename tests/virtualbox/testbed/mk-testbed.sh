#!/bin/bash
# mk-testbed.sh CACHE_DIR: QEMU, the L1 root, its disk, kernel and small initrd. Each finished step leaves a stamp.
. "$(dirname "$0")/common.sh" "$@"
need=(); for p in mmdebstrap debian-archive-keyring e2fsprogs busybox-static cpio xz-utils rsync openssh-client binutils zstd \
  gcc ninja-build pkg-config libglib2.0-dev libpixman-1-dev libslirp-dev libfdt-dev flex bison patch python3-venv; do
  dpkg -s "$p" >/dev/null 2>&1 || need+=("$p"); done
if [ ${#need[@]} -gt 0 ]; then apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${need[@]}" >/dev/null; fi
[ -f "$CACHE/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C testbed -f "$CACHE/id_ed25519"

# trixie's QEMU 10.0 emulates the machines several times faster than sid's 11.1 does; Debian's package gives its firmware, libraries and tools
qemu=qemu-$(cat "$HERE"/qemu-*.patch | sha256sum | cut -c1-12).done
if [ ! -f "$CACHE/$qemu" ]; then say "QEMU from trixie, unpacked only"
  rm -rf "$QROOT" "$CACHE"/qemu-*.done "$CACHE"/src.*
  $MMD --variant=extract --include=qemu-system-x86,qemu-utils trixie "$QROOT" "deb $MIRROR trixie main"
  say "QEMU's program once more, from trixie's source with our patches"
  S=$(mktemp -d "$CACHE/src.XXXX"); mkdir -p "$S"/{lists,archives}/partial; chmod 755 "$S"; echo "deb-src $MIRROR trixie main" > "$S/sources.list"
  (cd "$S"
    apt=(apt-get -qq -o "Dir::Etc::SourceList=$S/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$S/lists"
      -o "Dir::Cache=$S" -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root)
    "${apt[@]}" update; "${apt[@]}" source --download-only qemu
    mkdir qemu; tar -xf qemu_*.orig.tar.xz -C qemu --strip-components=1; tar -xf qemu_*.debian.tar.xz -C qemu; cd qemu
    cat debian/patches/skip-unpack-edk2-blobs.patch "$HERE"/qemu-*.patch | patch -p1 -s
    python3 -m venv "$S/venv"; "$S/venv/bin/pip" install -q --disable-pip-version-check meson==1.5.0 pycotap distlib
    env -u PYTHON ./configure --python="$S/venv/bin/python" --target-list=x86_64-softmmu --without-default-features --enable-system --enable-tcg \
      --enable-slirp --enable-fdt=system --disable-werror --disable-docs --disable-install-blobs \
      --enable-lto --disable-qom-cast-debug --disable-debug-info > "$S/log" 2>&1 &&
      ninja -C build qemu-system-x86_64 >> "$S/log" 2>&1 || { tail -30 "$S/log"; exit 1; })
  cp "$S/qemu/build/qemu-system-x86_64" "$QROOT/usr/bin/qemu-system-x86_64"; rm -rf "$S"
  q qemu-system-x86_64 --version | head -1 | tee "$CACHE/$qemu"
fi

if [ ! -f "$CACHE/l1-root.done" ]; then say "L1 root: sid, kernel, VirtualBox, its modules built by dkms"
  rm -rf "$CACHE/l1-root"
  pk=linux-image-amd64,linux-headers-amd64,virtualbox,virtualbox-dkms,gcc,make,passwd,systemd-sysv,udev,dbus,kmod,iproute2
  pk=$pk,iputils-ping,iputils-arping,openssh-server,openssh-client,python3,python3-venv,python3-pip,rsync,ca-certificates,procps
  pk=$pk,qemu-utils,genisoimage,git,sudo,less,tcpdump,socat,zstd
  $MMD --variant=minbase --components=main,contrib --aptopt="$UNSTALE" --include=$pk sid "$CACHE/l1-root" "deb $MIRROR sid main contrib"
  find "$CACHE/l1-root/lib/modules" -name 'vboxdrv.ko*' | grep -q . || { say "vboxdrv was not built"; exit 1; }
  touch "$CACHE/l1-root.done"
fi

# Debian's package says that it breaks VirtualBox 7.1 and later, which it refuses; the tests give it one that reports 7.0
if [ ! -f "$CACHE/l1-vagrant.done" ]; then say "Vagrant in L1"
  R=$CACHE/l1-root; cp -L /etc/resolv.conf "$R/etc/resolv.conf"
  DEBIAN_FRONTEND=noninteractive chroot "$R" sh -ec 'cd /root; apt-get -qq -o Acquire::Check-Valid-Until=false update
    needs=$(apt-cache depends vagrant | sed -n "s/^ *Depends: \([^<]\)/\1/p")
    apt-get -qq -y --no-install-recommends install $needs >/dev/null
    apt-get -qq -o APT::Sandbox::User=root download vagrant; dpkg --force-breaks -i vagrant_*.deb >/dev/null; rm vagrant_*.deb
    apt-get clean; rm -rf /var/lib/apt/lists/*'
  rm -f "$CACHE/l1-disk.done"; touch "$CACHE/l1-vagrant.done"
fi

needs=$("$PYTHON" -c 'import sys, tomllib
of = tomllib.load(open(sys.argv[1], "rb")); print(*of["project"]["dependencies"], *of["dependency-groups"]["dev"], sep="\n")' "$HERE/../../../pyproject.toml")
python=l1-python-$(sha256sum <<< "$needs" | cut -c1-12).done
if [ ! -f "$CACHE/$python" ]; then say "what labbuilder and its tests need of PyPI"
  R=$CACHE/l1-root
  # certificates and name servers of L0, and no other setting of it
  cp -L /etc/ssl/certs/ca-certificates.crt "$R/etc/ssl/certs/ca-certificates.crt"; cp -L /etc/resolv.conf "$R/etc/resolv.conf"
  echo "$needs" > "$R/root/needs"
  chroot "$R" env -i PATH=/usr/sbin:/usr/bin HOME=/root PIP_CERT=/etc/ssl/certs/ca-certificates.crt bash -ec '
    rm -rf /opt/venv; python3 -m venv /opt/venv
    /opt/venv/bin/pip install -q --disable-pip-version-check -r /root/needs'
  rm -f "$CACHE"/l1-python-*.done "$CACHE/l1-disk.done"; touch "$CACHE/$python"
fi

if [ ! -f "$CACHE/l1-disk.done" ]; then say "L1 configuration and disk"
  R=$CACHE/l1-root
  echo l1 > "$R/etc/hostname"; printf '127.0.0.1 localhost l1\n' > "$R/etc/hosts"; : > "$R/etc/fstab"
  echo 'nameserver 10.0.2.3' > "$R/etc/resolv.conf"
  mkdir -p "$R/root/.ssh" "$R/etc/systemd/network" "$R/srv/host" "$R/etc/vbox"; chmod 700 "$R/root/.ssh"
  cp "$CACHE/id_ed25519.pub" "$R/root/.ssh/authorized_keys"
  printf '[Match]\nDriver=virtio_net\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\n' > "$R/etc/systemd/network/10-up.network"
  printf '[NetDev]\nName=br-lan\nKind=bridge\n' > "$R/etc/systemd/network/20-br.netdev"
  printf '[Match]\nName=br-lan\n[Link]\nRequiredForOnline=no\n[Network]\nAddress=172.26.0.1/16\nAddress=8.8.8.8/32\nAddress=8.8.4.4/32\nConfigureWithoutCarrier=yes\nLinkLocalAddressing=no\n' > "$R/etc/systemd/network/20-br.network"
  # a bridge without a port has no carrier: a dummy port keeps it up, which VirtualBox asks for
  printf '[NetDev]\nName=lan0\nKind=dummy\n' > "$R/etc/systemd/network/15-lan0.netdev"
  printf '[Match]\nName=lan0\n[Network]\nBridge=br-lan\n' > "$R/etc/systemd/network/15-lan0.network"
  printf 'vboxdrv\nvboxnetflt\nvboxnetadp\n' > "$R/etc/modules-load.d/vbox.conf"
  printf '* 10.0.0.0/8\n* 192.168.0.0/16\n' > "$R/etc/vbox/networks.conf"
  printf 'LC_ALL=C.UTF-8\n' >> "$R/etc/environment"
  for u in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer e2scrub_reap.service \
    systemd-pstore.service getty@.service systemd-timesyncd.service systemd-networkd-wait-online.service sshd-keygen.service \
    systemd-hwdb-update.service ldconfig.service systemd-journal-catalog-update.service systemd-random-seed.service \
    systemd-networkd-persistent-storage.service sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount; do
    ln -sfn /dev/null "$R/etc/systemd/system/$u"; done
  chroot "$R" systemctl -q enable systemd-networkd ssh
  chroot "$R" ssh-keygen -A >/dev/null
  printf 'UseDNS no\nPermitRootLogin yes\n' > "$R/etc/ssh/sshd_config.d/t.conf"
  v=$(ls "$R/lib/modules" | sort -V | tail -1)
  cp "$R/boot/vmlinuz-$v" "$CACHE/l1-vmlinuz"; rm -f "$R"/boot/initrd.img-*
  mini_initrd "$R" "$CACHE/l1-initrd" /dev/vda virtio_blk ext4 virtio_net
  rm -f "$CACHE/l1.raw" "$CACHE/l1.qcow2"; truncate -s "$L1_DISK" "$CACHE/l1.raw"
  mke2fs -q -t ext4 -O ^has_journal,^orphan_file -E lazy_itable_init=1,nodiscard -m 0 -d "$R" "$CACHE/l1.raw" 2>/dev/null ||
    mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1,nodiscard -m 0 -d "$R" "$CACHE/l1.raw"
  say "raw -> qcow2"; q qemu-img convert -O qcow2 -W -m 4 "$CACHE/l1.raw" "$CACHE/l1-base.qcow2"; rm -f "$CACHE/l1.raw"
  touch "$CACHE/l1-disk.done"
fi
say "ready: $(du -sh "$CACHE" | cut -f1) in $CACHE"
