"""Whose the files of a machine are on the host: nobody's. All machines share one mapping, as they share one image."""

from __future__ import annotations

UID_SHIFT = 524288  # where systemd-nspawn's own range for containers begins (systemd-nspawn(1), --private-users)
UID_COUNT = 65536
