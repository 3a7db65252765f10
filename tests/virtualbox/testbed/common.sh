# Shared by the testbed's scripts. CACHE is the first argument of each of them.
# L0 is this machine, L1 a Debian sid in QEMU with VirtualBox, L2 the machines that VirtualBox boots there.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${1:?usage: $0 CACHE_DIR}; mkdir -p "$CACHE"; CACHE=$(cd "$CACHE" && pwd); shift
# the archives this machine's own apt uses; set MIRROR and SECURITY to override
repo() { apt-get indextargets --format '$(REPO_URI)' | sed 's#/$##' | grep -E "/$1\$" | sort -u | head -1; }
MIRROR=${MIRROR:-$(repo debian)}; SECURITY=${SECURITY:-$(repo debian-security)}
SSH_PORT=${SSH_PORT:-2210}            # L0 127.0.0.1:SSH_PORT -> L1 :22
# the first CPU is left to L1's own work; VirtualBox and its machines have the others
L1_CPUS=${L1_CPUS:-3}; VM_CPUS=1-$((L1_CPUS - 1))
L1_MEM=${L1_MEM:-6144}; L1_DISK=${L1_DISK:-12G}

QROOT=$CACHE/qemu-root; LIB=$QROOT/usr/lib/x86_64-linux-gnu
say() { printf '%s [%4ds] %s\n' "$(date +%T)" "$SECONDS" "$*" >&2; }
# Debian's QEMU run with its own libraries: no chroot, no mounts.
q() { local p=$1; shift
  QEMU_MODULE_DIR=$LIB/qemu "$LIB/ld-linux-x86-64.so.2" --library-path "$LIB:$LIB/pulseaudio" "$QROOT/usr/bin/$p" "$@"; }
SSH_OPTS="-i $CACHE/id_ed25519 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=15 -o ServerAliveInterval=30 -o ServerAliveCountMax=20 -o ControlMaster=auto -o ControlPath=$CACHE/cm-%p -o ControlPersist=600"
l1() { ssh $SSH_OPTS -p "$SSH_PORT" root@127.0.0.1 "$@"; }
MMD="mmdebstrap --quiet --dpkgopt=force-unsafe-io --aptopt=APT::Install-Recommends=false
  --dpkgopt=path-exclude=/usr/share/man/* --dpkgopt=path-exclude=/usr/share/doc/* --dpkgopt=path-exclude=/usr/share/locale/*"
UNSTALE='Acquire::Check-Valid-Until "false"'
# mini_initrd ROOT OUT ROOTDEV MODULE...: an uncompressed cpio: static busybox, only the named modules and what they need
mini_initrd() {
  local root=$1 out=$2 dev=$3 d v m f; shift 3
  v=$(ls "$root/lib/modules" | sort -V | tail -1); d=$(mktemp -d)
  mkdir -p "$d"/{bin,dev,proc,sys,m,r}; cp /bin/busybox "$d/bin/"; ln -s busybox "$d/bin/sh"
  for m; do chroot "$root" modprobe -S "$v" --show-depends "$m"; done | awk '$1=="insmod"&&!s[$2]++{print $2}' > "$d/list"
  { echo '#!/bin/sh'; echo '/bin/busybox mount -t devtmpfs d /dev'
    while read -r f; do
      case $f in *.xz) xz -dc "$root$f" > "$d/m/$(basename "$f" .xz)";; *) cp "$root$f" "$d/m/";; esac
      echo "/bin/busybox insmod /m/$(basename "$f" .xz)"
    done < "$d/list"
    [ -z "${INITRD_EXTRA:-}" ] || cat "$INITRD_EXTRA"
    echo "i=0; while [ ! -b $dev ] && [ \$i -lt 300 ]; do /bin/busybox usleep 100000; i=\$((i+1)); done"
    echo "/bin/busybox mount -t ext4 -o rw,noatime $dev /r || exec /bin/sh"
    echo '/bin/busybox mount --move /dev /r/dev; exec /bin/busybox switch_root /r /sbin/init'
  } > "$d/init"; chmod +x "$d/init"; rm "$d/list"
  strip --strip-debug "$d"/m/*.ko 2>/dev/null || true
  (cd "$d" && find . | cpio -o -H newc --quiet) > "$out"; rm -rf "$d"
}
