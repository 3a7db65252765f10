"""The seed: a small CD by which a virtual machine learns who it is, before anyone connects to it.

Label CIDATA, the layout of cloud-init's NoCloud source and one file more:

    meta-data, user-data, network-config   for a disk with cloud-init: one that the user names
    seed.tar                               for our own disks: unpacked over / by provision/image/disk/seed
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labbuilder.model.step import RenderedFile
from labbuilder.providers.disks import cloudinit

MANAGEMENT_NIC = "enp0s9"  # also in provision/image/disk/management.conf
_LINK = """\
# Written by labbuilder: the NIC's name, wherever the chipset puts it.
[Match]
MACAddress={mac}

[Link]
Name={name}
"""
_NETWORK = """\
# Written by labbuilder: the management NIC gets an address and nothing else: no route, no DNS, no name.
[Match]
MACAddress={mac}

[Link]
RequiredForOnline=no

[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no

[DHCPv4]
UseDNS=no
UseDomains=no
UseGateway=no
UseHostname=no
UseNTP=no
UseRoutes=no
SendHostname=no
"""


@dataclass(frozen=True)
class SeedNic:
    """A NIC as the guest shall know it."""

    name: str
    mac: str  # 52:54:00:12:34:56


@dataclass(frozen=True)
class Seed:
    """Who a machine is.

    Attributes:
        hostname: Its name.
        authorized_key: The line for root's authorized_keys; there is no other way in.
        host_private: Its SSH host key, OpenSSH's text form.
        host_public: The public half: type and key.
        nics: The NICs of the lab, without the management one.
        management_mac: Of the NIC by which labbuilder reaches it, called `MANAGEMENT_NIC`.
    """

    hostname: str
    authorized_key: str
    host_private: str
    host_public: str
    nics: tuple[SeedNic, ...]
    management_mac: str

    @property
    def _cards(self) -> tuple[SeedNic, ...]:
        return (*self.nics, SeedNic(MANAGEMENT_NIC, self.management_mac))

    @property
    def files(self) -> tuple[RenderedFile, ...]:
        """What is unpacked over a disk of ours."""
        links = [_link(nic) for nic in self._cards]
        return (
            RenderedFile("/etc/hostname", f"{self.hostname}\n"),
            RenderedFile("/etc/ssh/lab_host_ed25519", self.host_private, 0o600),
            RenderedFile("/etc/ssh/lab_authorized_keys", f"{self.authorized_key.strip()}\n"),
            RenderedFile(
                "/etc/systemd/network/10-management.network", _NETWORK.format(mac=self.management_mac.lower())
            ),
            *links,
        )

    @property
    def documents(self) -> dict[str, bytes]:
        """The files of the CD by name; the same for the same seed."""
        tar = pack(self.files)
        identity = hashlib.sha256(tar).hexdigest()[:12]
        lab = {nic.mac: nic.name for nic in self.nics}
        return {
            "meta-data": cloudinit.meta_data(f"labbuilder-{identity}", self.hostname).encode(),
            "user-data": cloudinit.machine_user_data(
                authorized_key=self.authorized_key,
                host_private=self.host_private,
                host_public=self.host_public,
                links=[_link(nic) for nic in self._cards],
                names={nic.mac: nic.name for nic in self._cards},
            ).encode(),
            "network-config": cloudinit.network_config(lab, (self.management_mac, MANAGEMENT_NIC)).encode(),
            "seed.tar": tar,
        }


def _link(nic: SeedNic) -> RenderedFile:
    return RenderedFile(f"/etc/systemd/network/10-{nic.name}.link", _LINK.format(mac=nic.mac.lower(), name=nic.name))


def pack(files: tuple[RenderedFile, ...]) -> bytes:
    """A tar whose bytes depend on the files alone: no dates, no users of this host."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file in files:
            data = file.text.encode()
            about = tarfile.TarInfo(file.path.lstrip("/"))
            about.mode, about.size = file.mode, len(data)
            tar.addfile(about, io.BytesIO(data))
    return buffer.getvalue()


def write_seed(seed: Seed, path: Path) -> None:
    """Write the machine's seed CD, readable by its owner alone: there is a private key on it."""
    write_cd(seed.documents, path)


def write_cd(documents: Mapping[str, bytes], path: Path) -> None:
    """Write an ISO 9660 image, label CIDATA, with these files in its root. In place when whole."""
    import pycdlib  # noqa: PLC0415  slow, and only new machines need it

    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, vol_ident=cloudinit.LABEL, rock_ridge="1.09", joliet=3)
    try:
        for index, (name, data) in enumerate(sorted(documents.items())):
            short = f"/FILE{index}.;1"
            iso.add_fp(io.BytesIO(data), len(data), short, rr_name=name, joliet_path=f"/{name}")
        part = path.with_name(f".{path.name}.part")
        with open(part, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
            iso.write_fp(file)
        part.replace(path)
    finally:
        iso.close()
