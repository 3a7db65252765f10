"""The seed CD and the user's own disk, read back; that a machine becomes whom its seed says is tested by booting."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pycdlib
import pytest
import yaml

from labbuilder.errors import HostError
from labbuilder.providers.disks.seed import Seed, SeedNic, write_seed
from labbuilder.providers.disks.user import DiskFormat, user_disk

SEED = Seed(
    hostname="server1",
    authorized_key="ssh-ed25519 AAAA user\n",
    host_private="-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n",
    host_public="ssh-ed25519 BBBB",
    nics=(SeedNic("enp0s3", "02:00:00:00:00:0A"), SeedNic("enp0s8", "02:00:00:00:00:0b")),
    management_mac="02:00:00:00:00:0c",
)


@pytest.fixture
def documents(tmp_path: Path) -> dict[str, bytes]:
    path = tmp_path / "seed.iso"
    write_seed(SEED, path)
    assert path.stat().st_mode & 0o777 == 0o600
    iso = pycdlib.PyCdlib()
    iso.open(str(path))
    assert iso.pvd.volume_identifier.decode().strip() == "CIDATA"
    found = {}
    for child in iso.list_children(joliet_path="/"):
        name = child.file_identifier().decode("utf-16-be")
        if child.is_file():
            data = io.BytesIO()
            iso.get_file_from_iso_fp(data, joliet_path=f"/{name}")
            found[name] = data.getvalue()
    iso.close()
    return found


def test_the_cd_holds_what_cloud_init_and_our_own_disks_look_for(documents: dict[str, bytes]) -> None:
    assert set(documents) == {"meta-data", "user-data", "network-config", "seed.tar"}
    assert documents == SEED.documents


def test_our_own_disks_get_the_names_by_mac_and_keys_nobody_else_reads() -> None:
    with tarfile.open(fileobj=io.BytesIO(SEED.documents["seed.tar"])) as tar:
        files = {member.name: member for member in tar.getmembers()}
        link = tar.extractfile("etc/systemd/network/10-enp0s3.link")
        assert link is not None
        assert b"MACAddress=02:00:00:00:00:0a\n\n[Link]\nName=enp0s3" in link.read()
    assert files["etc/ssh/lab_host_ed25519"].mode == 0o600
    assert "etc/systemd/network/10-enp0s9.link" in files


def test_cloud_init_gets_the_same_identity() -> None:
    user: dict[str, Any] = yaml.safe_load(SEED.documents["user-data"])
    network: dict[str, Any] = yaml.safe_load(SEED.documents["network-config"])
    assert SEED.documents["user-data"].startswith(b"#cloud-config\n")
    assert user["ssh_keys"]["ed25519_private"] == SEED.host_private
    written = {file["path"]: file["content"] for file in user["write_files"]}
    assert written["/etc/ssh/lab_authorized_keys"] == SEED.authorized_key
    assert "useradd" in user["bootcmd"][0][-1]
    assert set(network["ethernets"]) == {"enp0s3", "enp0s8", "enp0s9"}
    assert network["ethernets"]["enp0s9"]["dhcp4-overrides"]["use-routes"] is False
    assert "dhcp4" not in network["ethernets"]["enp0s3"]
    waited_for = [name for name, card in network["ethernets"].items() if not card.get("optional")]
    assert waited_for == ["enp0s9"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"<<< any text >>>".ljust(0x40, b"\0") + b"\x7f\x10\xda\xbe" + bytes(500), DiskFormat.VDI),
        (b"KDMV" + bytes(600), DiskFormat.VMDK),
        (b"# Disk DescriptorFile\nversion=1\n", DiskFormat.VMDK),
        (b"conectix" + bytes(600), DiskFormat.VHD),
        (bytes(1024) + b"conectix" + bytes(504), DiskFormat.VHD),
        (b"QFI\xfb" + bytes(600), None),
        (b"", None),
        (b"\x7f\x10\xda\xbe", None),
    ],
)
def test_a_users_disk_is_known_by_its_content(tmp_path: Path, content: bytes, found: DiskFormat | None) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(content)
    if found is None:
        with pytest.raises(HostError, match="no disk of a known format"):
            user_disk(path)
    else:
        assert user_disk(path) == (path, found)


def test_a_users_disk_that_is_a_folder_or_missing_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.vdi"):
        with pytest.raises(HostError, match="can't be read"):
            user_disk(path)
