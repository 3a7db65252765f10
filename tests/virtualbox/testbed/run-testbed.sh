#!/bin/bash
# run-testbed.sh CACHE_DIR [--fresh]: start L1 in the background, wait for ssh. --fresh throws away what earlier runs wrote.
. "$(dirname "$0")/common.sh" "$@"
mode=${2:-}
if [ -f "$CACHE/l1.pid" ] && kill -0 "$(cat "$CACHE/l1.pid")" 2>/dev/null; then say "already running, pid $(cat "$CACHE/l1.pid")"; exit 0; fi
[ "$mode" != --fresh ] || rm -f "$CACHE/l1.qcow2"
[ -f "$CACHE/l1.qcow2" ] || q qemu-img create -q -f qcow2 -F qcow2 -b l1-base.qcow2 -o lazy_refcounts=on "$CACHE/l1.qcow2"
rm -f "$CACHE/mon.sock" "$CACHE"/cm-*
q qemu-system-x86_64 -L "$QROOT/usr/share/qemu" -L "$QROOT/usr/share/seabios" -nodefaults -no-user-config -display none \
  -M q35,hpet=off,vmport=off,smm=off -accel tcg,thread=multi,tb-size=${TB_SIZE:-2047} -cpu "${L1_CPU:-EPYC-Rome,+svm,+npt}" \
  -smp "$L1_CPUS" -m "$L1_MEM" -kernel "$CACHE/l1-vmlinuz" -initrd "$CACHE/l1-initrd" \
  -append "root=/dev/vda rw console=ttyS0 quiet loglevel=3 mitigations=off nokaslr audit=0 apparmor=0 selinux=0 nowatchdog no_timer_check tsc=reliable clocksource=tsc random.trust_cpu=on transparent_hugepage=always net.ifnames=0 ${L1_CMDLINE:-}" \
  -drive "file=$CACHE/l1.qcow2,if=virtio,format=qcow2,cache=unsafe,aio=threads,discard=unmap" \
  -netdev "user,id=n0,hostfwd=tcp:127.0.0.1:$SSH_PORT-:22${HOSTFWD:-}" -device virtio-net-pci,netdev=n0,romfile= \
  -device virtio-rng-pci -serial "file:$CACHE/l1-console.log" -monitor "unix:$CACHE/mon.sock,server=on,wait=off" \
  -pidfile "$CACHE/l1.pid" -daemonize 2> "$CACHE/qemu.log" || { cat "$CACHE/qemu.log"; exit 1; }
for i in $(seq 1 300); do
  kill -0 "$(cat "$CACHE/l1.pid")" 2>/dev/null || { say "QEMU ended"; exit 1; }
  if l1 true 2>/dev/null; then say "L1 answers ssh on 127.0.0.1:$SSH_PORT"; break; fi; sleep 1
done; l1 true || { say "no ssh after 300 tries"; exit 1; }
l1 "date -s @$(date +%s) >/dev/null"
if [ -f "$CACHE/guest.vdi" ]; then
  s=$(stat -c %s.%Y "$CACHE/guest.vdi")
  if ! l1 "grep -qx $s /root/guest.stamp 2>/dev/null"; then
    zstd -1 -T2 -q -c "$CACHE/guest.vdi" | l1 "zstd -dq -c > /root/guest.vdi; echo $s > /root/guest.stamp"; say "guest.vdi copied into L1"; fi
fi
