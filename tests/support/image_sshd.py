"""Hosts that ssh reaches without a network: for each connection an sshd of the lab's image, over a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from labbuilder.host.store import Home

_SERVE = """set -e
tree={tree}; folder={folder}/$1
mount --bind "$tree" "$tree"; mount -o remount,bind,ro "$tree"
mount -t tmpfs tmpfs "$tree/run"; mkdir -m 755 "$tree/run/sshd"
mount -t tmpfs tmpfs "$tree/mnt"; cp {folder}/hostkey {folder}/key.pub {folder}/sshd_config "$tree/mnt"
mount --rbind /dev "$tree/dev"
for name in dhcp kea; do
  mkdir -p "$folder/etc/$name"; mount --bind "$folder/etc/$name" "$tree/etc/$name"
done
exec chroot "$tree" /usr/sbin/sshd -i -f /mnt/sshd_config
"""
_SSHD = """HostKey /mnt/hostkey
AuthorizedKeysFile /mnt/key.pub
StrictModes no
UsePAM no
PrintMotd no
"""
_CLIENT = """Host *
  ProxyCommand unshare --mount --net --pid --fork --propagation private sh {folder}/serve %n
  User root
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known
  StrictHostKeyChecking accept-new
  LogLevel ERROR
"""


def image_tree(home: Home) -> Path:
    """The root tree of the image with which labs are made; built if it is not there."""
    env = os.environ | {"LABBUILDER_HOME": str(home.path)}
    subprocess.run([sys.executable, "-m", "labbuilder", "image", "build"], env=env, cwd="/", check=True)
    return max(home.images.glob("[!.]*/root"), key=lambda tree: tree.stat().st_mtime)


def hosts(tree: Path, folder: Path, files: Mapping[str, Mapping[str, bytes]]) -> Path:
    """Make hosts that have these files below /etc/dhcp or /etc/kea; the folder for PATH, whose ssh knows them."""
    for key in ("hostkey", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    (folder / "serve").write_text(_SERVE.format(tree=tree, folder=folder))
    (folder / "sshd_config").write_text(_SSHD)
    (folder / "client").write_text(_CLIENT.format(folder=folder))
    for host, contents in files.items():
        for path, content in contents.items():
            target = folder / host / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    (folder / "bin").mkdir()
    (folder / "bin/ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {folder}/client "$@"\n')
    (folder / "bin/ssh").chmod(0o755)
    return folder / "bin"
