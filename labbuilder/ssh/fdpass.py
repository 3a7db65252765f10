"""Hands OpenSSH a connected UNIX socket (ssh_config(5), ProxyUseFdpass). Run by path, so it imports nothing of ours."""

from __future__ import annotations

import os
import socket
import stat
import sys

there = os.open(sys.argv[1], os.O_PATH | os.O_NOFOLLOW)  # a path of any length, and no link that a machine put there
if not stat.S_ISSOCK(os.fstat(there).st_mode):
    sys.exit(f"{sys.argv[1]} is no socket")
connection = socket.socket(socket.AF_UNIX)
connection.connect(f"/proc/self/fd/{there}")
with socket.socket(fileno=os.dup(1)) as to_ssh:
    socket.send_fds(to_ssh, [b"s"], [connection.fileno()])
