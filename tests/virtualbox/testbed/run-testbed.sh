#!/bin/bash
# run-testbed.sh CACHE_DIR [--fresh]: start L1 in the background, wait for ssh. --fresh throws away what earlier runs wrote, and goes on from
# L1 as it was when it had booted and had the guest's disk: that state is saved once, and resumed in a tenth of the time of a boot.
. "$(dirname "$0")/common.sh" "$@"
mode=${2:-}
if [ -f "$CACHE/l1.pid" ] && kill -0 "$(cat "$CACHE/l1.pid")" 2>/dev/null; then say "already running, pid $(cat "$CACHE/l1.pid")"; exit 0; fi
guest=$([ -f "$CACHE/guest.vdi" ] && stat -c %s.%Y "$CACHE/guest.vdi" || echo none)
# what the state was saved of: this program with its variables, QEMU, L1's disk and the guest's
of=$({ cat "$0"; echo "$L1_CPUS $L1_MEM ${L1_CPU:-} ${L1_CMDLINE:-} ${TB_SIZE:-} $guest"; stat -c '%n %s %Y' "$QROOT/usr/bin/qemu-system-x86_64" "$CACHE/l1-base.qcow2"; } | sha256sum | cut -c1-12)
SAVED=$CACHE/l1-saved-$of

boot() {  # boot DISK [ARGUMENT...]
  local disk=$1; shift
  rm -f "$CACHE/mon.sock" "$CACHE"/cm-*
  q qemu-system-x86_64 -L "$QROOT/usr/share/qemu" -L "$QROOT/usr/share/seabios" -nodefaults -no-user-config -display none \
    -M q35,hpet=off,vmport=off,smm=off -accel tcg,thread=multi,tb-size=${TB_SIZE:-2047} -cpu "${L1_CPU:-EPYC-Rome,+svm,+npt}" \
    -smp "$L1_CPUS" -m "$L1_MEM" -kernel "$CACHE/l1-vmlinuz" -initrd "$CACHE/l1-initrd" \
    -append "root=/dev/vda rw console=ttyS0 quiet loglevel=3 mitigations=off nokaslr audit=0 apparmor=0 selinux=0 nowatchdog no_timer_check tsc=reliable clocksource=tsc random.trust_cpu=on transparent_hugepage=always net.ifnames=0 ${L1_CMDLINE:-}" \
    -drive "file=$disk,if=virtio,format=qcow2,cache=unsafe,aio=threads,discard=unmap" \
    -netdev "user,id=n0,hostfwd=tcp:127.0.0.1:$SSH_PORT-:22${HOSTFWD:-}" -device virtio-net-pci,netdev=n0,romfile= \
    -device virtio-rng-pci -serial "file:$CACHE/l1-console.log" -monitor "unix:$CACHE/mon.sock,server=on,wait=off" \
    -pidfile "$CACHE/l1.pid" -daemonize "$@" 2> "$CACHE/qemu.log" || { cat "$CACHE/qemu.log"; exit 1; }
}

answers() {  # L1 can be used: it answers, knows the time, and has the guest's disk
  for i in $(seq 1 300); do
    kill -0 "$(cat "$CACHE/l1.pid")" 2>/dev/null || { say "QEMU ended"; cat "$CACHE/qemu.log"; exit 1; }
    if l1 true 2>/dev/null; then say "L1 answers ssh on 127.0.0.1:$SSH_PORT"; break; fi; sleep 1
  done; l1 true || { say "no ssh after 300 tries"; exit 1; }
  l1 "date -s @$(date +%s) >/dev/null"
  if [ -f "$CACHE/guest.vdi" ] && ! l1 "grep -qx $guest /root/guest.stamp 2>/dev/null"; then
    zstd -1 -T2 -q -c "$CACHE/guest.vdi" | l1 "zstd -dq -c > /root/guest.vdi; echo $guest > /root/guest.stamp"; say "guest.vdi copied into L1"; fi
}

monitor() { python3 - "$CACHE/mon.sock" "$@" <<'PYTHON'
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
def prompt():
    said = b""
    while not said.endswith(b"(qemu) "):
        more = s.recv(65536)
        if not more: break
        said += more
    return said.decode(errors="replace")
prompt()
for command in sys.argv[2:]:
    s.sendall(command.encode() + b"\n"); print(prompt())
PYTHON
}

save() {  # L1 as it is now, its memory and its disk, under the name that says of what it was saved; it ends
  rm -rf "$CACHE"/l1-saved-* "$SAVED.part"; mkdir "$SAVED.part"
  l1 "sync; echo 1 > /proc/sys/vm/drop_caches; cat /root/guest.vdi /usr/bin/python3 > /dev/null"
  rm -f "$CACHE"/cm-*
  monitor "migrate_set_parameter max-bandwidth 10G" "migrate -d \"exec:zstd -1 -T2 -q > $SAVED.part/memory.zst\"" >/dev/null
  until monitor "info migrate" | grep -qE 'Migration status: (completed|failed)|Status: *(completed|failed)'; do sleep 0.5; done
  if monitor "info migrate" | grep -qE '[Ss]tatus: *completed'; then
    pid=$(cat "$CACHE/l1.pid"); monitor quit >/dev/null 2>&1 || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
    mv "$CACHE/l1.qcow2" "$SAVED.part/disk.qcow2"; mv "$SAVED.part" "$SAVED"; say "L1 saved: $(du -sh "$SAVED" | cut -f1)"
  else say "L1 could not be saved: $(monitor "info migrate")"; exit 1; fi
  rm -f "$CACHE/l1.pid"
}

[ "$mode" != --fresh ] || rm -f "$CACHE/l1.qcow2"
if [ ! -f "$CACHE/l1.qcow2" ] && [ ! -d "$SAVED" ]; then
  q qemu-img create -q -f qcow2 -F qcow2 -b "$CACHE/l1-base.qcow2" -o lazy_refcounts=on "$CACHE/l1.qcow2"
  boot "$CACHE/l1.qcow2"; answers; save
fi
if [ -f "$CACHE/l1.qcow2" ]; then boot "$CACHE/l1.qcow2"
else
  q qemu-img create -q -f qcow2 -F qcow2 -b "$SAVED/disk.qcow2" -o lazy_refcounts=on "$CACHE/l1.qcow2"
  boot "$CACHE/l1.qcow2" -incoming "exec:zstd -dq -c $SAVED/memory.zst"
fi
answers
