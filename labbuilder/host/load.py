"""How busy this host is: what takes long here may be well."""

from __future__ import annotations

import os


def host_load() -> str:
    """Say how many processes want how many processors, averaged over the last minute."""
    return f"this host's load is {os.getloadavg()[0]:.1f} on {os.cpu_count() or 1} processors"
