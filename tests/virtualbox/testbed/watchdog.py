"""Resets guests that the emulation has hung: running, and no SSH banner for so many seconds. Runs beside the tests."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from labbuilder.errors import LabError
from labbuilder.providers.virtualbox.vboxmanage import VBoxManage, parse_machine_readable
from labbuilder.transport import Endpoint, banner_ready
from labbuilder.wait import pause_until

LIMIT_S = 150.0
EVERY_S = 10.0


class Watchdog:
    """It knows of each running machine since when it has been silent; None once it has answered."""

    def __init__(self) -> None:
        self.vboxmanage = VBoxManage()
        self.silent_since: dict[str, float | None] = {}

    def look(self) -> None:
        """Ask the silent ones, and reset who has been silent for too long."""
        running = re.findall(r"\{([0-9a-f-]{36})\}", self.vboxmanage.ask("list", "runningvms"))
        self.silent_since = {uuid: self.silent_since.get(uuid, time.monotonic()) for uuid in running}
        for uuid, since in self.silent_since.items():
            if since is None:
                continue
            seen = parse_machine_readable(self.vboxmanage.ask("showvminfo", uuid, "--machinereadable"))
            forwarded = re.search(r"ssh,tcp,127\.0\.0\.1,(\d+),", "".join(seen.values()))
            if seen["VMState"] != "running" or forwarded is None:
                continue
            port = int(forwarded[1])
            if banner_ready(Endpoint(uuid, "", Path(), port=port), within_s=EVERY_S):
                self.silent_since[uuid] = None
            elif time.monotonic() - since > LIMIT_S:
                print(f"{time.strftime('%T')} reset {seen['name']}: silent for {LIMIT_S:g} s", flush=True)
                self.vboxmanage.change("controlvm", uuid, "reset")
                self.silent_since[uuid] = time.monotonic()


def main() -> None:
    """Look until it is ended."""
    watchdog = Watchdog()

    def look() -> None:
        try:
            watchdog.look()
        except LabError as error:  # the machine went away between two questions
            print(f"{time.strftime('%T')} {error}", file=sys.stderr, flush=True)

    pause_until(float("inf"), look, every_s=EVERY_S)


if __name__ == "__main__":
    main()
