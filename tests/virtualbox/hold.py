"""Hold a machine as the settings window of VirtualBox's GUI does, until standard input ends."""

from __future__ import annotations

import importlib
import sys

manager = importlib.import_module("vboxapi").VirtualBoxManager(None, None)  # Debian's, for the tree's Python alone
session = manager.getSessionObject(None)
manager.getVirtualBox().findMachine(sys.argv[1]).lockMachine(session, manager.constants.LockType_Write)
print("held", flush=True)
sys.stdin.read()
session.unlockMachine()
