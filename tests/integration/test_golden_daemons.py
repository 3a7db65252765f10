"""The golden files are right: the daemons that will read them say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from labbuilder.lab import Lab

pytestmark = pytest.mark.needs_root

GOLDEN = Path(__file__).parents[1] / "golden"
# The file's name, and what reads it without acting on it; {} is where it lies in the machine.
READERS = {
    "dhcpd.conf": "dhcpd -4 -t -cf {}",
    "kea-dhcp4.conf": "kea-dhcp4 -t {}",
    "named.conf.options": "named-checkconf {}",
    "named.conf.local": "named-checkconf {}",
    "db.lab": "named-checkzone -i local {domain} {}",
    "rules.v4": "iptables-restore --test {}",
    "interfaces": "ifup --no-act --all --interfaces {}",
    "isc-dhcp-server.service": "systemd-analyze verify --man=no {}",
    "lab-leases.service": "systemd-analyze verify --man=no {}",
    "lab-leases@.service": "systemd-analyze verify --man=no {}",
}
FILES = sorted(path for path in GOLDEN.rglob("*") if path.name in READERS)


def read(lab: Lab, name: str, text: str, domain: str = "lab.test") -> tuple[bool, str]:
    """Whether the reader of such a file takes this text, and what it says."""
    lab.run("server1", "mkdir -p /run/golden")
    path = f"/run/golden/{name}"
    lab.session().shell("server1").put(text.encode(), path)
    said = lab.run("server1", READERS[name].replace("{}", path).replace("{domain}", domain))
    return said.ok, said.stdout + said.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(GOLDEN)))
def test_its_reader_takes_it(lab: Lab, file: Path) -> None:
    case = next(folder for folder in file.parents if folder.name == "expected").parent / "lab.yaml"
    taken, said = read(lab, file.name, file.read_text(), Lab.from_file(case).spec.dns.domain)
    assert taken, said


@pytest.mark.parametrize("name", sorted(name for name in READERS if not name.endswith(".service")))
def test_its_reader_can_say_no(lab: Lab, name: str) -> None:
    taken, said = read(lab, name, "nonsense { here\n")
    assert not taken, said
