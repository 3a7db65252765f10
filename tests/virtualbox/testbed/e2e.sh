#!/bin/bash
# e2e.sh PATH...: run these tests in L1, on this checkout. PYTHON has labbuilder. Everything that is built once lies in the cache.
# Each path has a fresh L1, so that what one left behind is nothing to the next.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd); TOP=$(cd "$HERE/../../.." && pwd)
export PYTHON=${PYTHON:-$TOP/.venv/bin/python}
CACHE=${LABBUILDER_TEST_CACHE:-$HOME/.cache/labbuilder-tests}/testbed-$(cat "$HERE"/{common,mk-testbed}.sh | sha256sum | cut -c1-12)
SSH_PORT=$("$PYTHON" -c 'from labbuilder.providers.virtualbox.ports import free_port; print(free_port())'); export SSH_PORT
mkdir -p "$CACHE"; exec 9> "$CACHE/.lock"; flock 9   # one run at a time; the next waits
bash "$HERE/mk-testbed.sh" "$CACHE"; bash "$HERE/mk-guest.sh" "$CACHE"
trap 'bash "$HERE/stop-testbed.sh" "$CACHE" 9>&-' EXIT
paths=("$@"); set -- "$CACHE"; . "$HERE/common.sh"
# HostHzMax: a machine that is behind asks its host for more and more timer interrupts, here thousands in a second, which put it further behind
settings='{"bridged": "br-lan", "image": "/root/guest.vdi", "memory_mib": 320,
  "extradata": {"VBoxInternal/TM/TSCMode": "RealTSCOffset", "VBoxInternal/TM/HostHzMax": "300"},
  "modifyvm": ["--paravirt-provider", "kvm", "--large-pages", "on", "--hpet", "off", "--bios-logo-fade-in", "off", "--bios-logo-fade-out", "off",
  "--bios-logo-display-time", "0", "--bios-boot-menu", "disabled", "--mouse", "ps2", "--keyboard", "ps2"]}'

for path in "${paths[@]}"; do
  bash "$HERE/stop-testbed.sh" "$CACHE" 9>&-; bash "$HERE/run-testbed.sh" "$CACHE" --fresh 9>&-
  git -C "$TOP" ls-files -z --cached --others --exclude-standard | tar -C "$TOP" --null --ignore-failed-read -T - -cz | l1 'mkdir -p /srv/labbuilder; tar -C /srv/labbuilder -xzm'
  l1 'echo /srv/labbuilder > $(echo /opt/venv/lib/python3*/site-packages)/labbuilder.pth'
  # its version, which reports name
  (cd "$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"; tar -c labbuilder-*.dist-info) |
    l1 'tar -C $(echo /opt/venv/lib/python3*/site-packages) -x --no-same-owner'
  # the reports come back also when a test failed
  l1 "cd /srv/labbuilder && export LC_ALL=C.UTF-8 PATH=/opt/venv/bin:\$PATH
    LABBUILDER_CONTRACT='${LABBUILDER_CONTRACT:-virtualbox vagrant}' LABBUILDER_TEST_VIRTUALBOX='$settings' PYTEST_ADDOPTS='${PYTEST_ADDOPTS:-}' \
      taskset -c $VM_CPUS pytest -v -p no:cacheprovider --durations=0 --durations-min=5 --tb=short -rfE \
      --junitxml=build/tests/vbox-$(basename "$path" .py).xml $path" || failed=$?
  mkdir -p "$TOP/build/tests"; l1 'tar -C /srv/labbuilder/build/tests -c .' | tar -C "$TOP/build/tests" -x --no-same-owner
done
exit "${failed:-0}"
