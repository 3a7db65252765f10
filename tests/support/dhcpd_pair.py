"""Real pairs of dhcpd, many at once, each in a network namespace of its own; nothing of them is left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dhcpd_tree import daemon

FIRST, SECOND = "10.9.0.2", "10.9.0.3"
MORE = "10.8.0.2", "10.8.0.3"
# Both in one namespace: each has an end of a cable and an address. The second listens before the first one connects:
# dhcpd tries again only after 90 s.
_SETUP = f"""\
start() {{ ("$DHCPD" -4 -f -d -cf $1.conf -lf $1.leases -pf $1.pid $1 >$1.log 2>&1; echo $? >$1.code) & }}
ip link set lo up
ip link add one type veth peer two
for end in "one {FIRST}" "one {MORE[0]}" "two {SECOND}" "two {MORE[1]}"; do
  set -- $end; ip address add $2/24 dev $1; ip link set $1 up
done
start two
until [ -e two.code ] || grep -q "Server starting service" two.log; do sleep 0.05; done
start one
wait
"""


@dataclass(frozen=True)
class Pair:
    """Two daemons, `one` and `two`, and what they say."""

    folder: Path

    def ended(self, name: str) -> bool:
        """The daemon has ended by itself."""
        code = self.folder / f"{name}.code"
        return code.exists() and code.read_text().strip() not in {"", "0"}

    def log(self, name: str) -> str:
        """All that it said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def states(self, name: str) -> dict[str, str]:
        """Its state in each failover relation, as it was written last."""
        text = (self.folder / f"{name}.leases").read_text(errors="replace")
        return dict(re.findall(r'failover peer "(\w+)" state \{\s*my state ([\w-]+)', text))

    @property
    def normal(self) -> bool:
        """Whether both serve together, in all relations."""
        one, two = self.states("one"), self.states("two")
        return one.keys() == two.keys() and {*one.values(), *two.values()} == {"normal"}


@contextmanager
def running(pairs: Mapping[str, tuple[str, str]], folder: Path) -> Iterator[dict[str, Pair]]:
    """Start all pairs; end them in the end.

    Args:
        pairs: The two configurations of each, by its name.
        folder: An empty one.
    """
    environment = {"PATH": os.environ["PATH"], "DHCPD": str(daemon())}
    found: dict[str, Pair] = {}
    with ExitStack() as stack:
        for name, texts in pairs.items():
            own = folder / name
            own.mkdir()
            for end, text in zip(("one", "two"), texts, strict=True):
                (own / f"{end}.conf").write_text(text)
                (own / f"{end}.leases").touch()
                (own / f"{end}.log").touch()
            command = ["unshare", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", _SETUP]
            shell = subprocess.Popen(command, cwd=own, env=environment, stdin=subprocess.DEVNULL)
            stack.callback(shell.wait)
            stack.callback(shell.send_signal, signal.SIGKILL)
            found[name] = Pair(own)
        yield found
