"""Hands OpenSSH a connected UNIX socket (ssh_config(5), ProxyUseFdpass). Run by path, so it imports nothing of ours."""

from __future__ import annotations

import os
import socket
import sys

folder, name = os.path.split(sys.argv[1])
directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
connection = socket.socket(socket.AF_UNIX)
connection.connect(f"/proc/self/fd/{directory}/{name}")  # a path of any length
with socket.socket(fileno=os.dup(1)) as to_ssh:
    socket.send_fds(to_ssh, [b"s"], [connection.fileno()])
