"""Debian's cloud image, from the address to the CD that prepares it; that it boots is tested in QEMU."""

from __future__ import annotations

import hashlib
import io
import platform
import random
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from faulty_http import Web, serving

from labbuilder.errors import HostError, MachineError
from labbuilder.host.store import Home
from labbuilder.plan.image import image_recipe
from labbuilder.providers.disks import cloud
from labbuilder.providers.disks.store import DISK, cloud_disk_name, ensure_cloud_disk
from labbuilder.providers.images import ImageCache
from labbuilder.spec.models import LabSpec

NAME = "debian-12-generic-amd64.tar.xz"
FOLDER = "/bookworm/latest"
RAW = bytes(3 << 20) + random.Random(7).randbytes(300_000) + bytes(1 << 20)
RECIPE = image_recipe(LabSpec())


def archive(name: str = "disk.raw") -> bytes:
    packed, about = io.BytesIO(), tarfile.TarInfo(name)
    about.size = len(RAW)
    with tarfile.open(fileobj=packed, mode="w:xz") as tar:
        tar.addfile(about, io.BytesIO(RAW))
    return packed.getvalue()


@pytest.fixture(autouse=True)
def amd64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


@pytest.fixture
def server() -> Iterator[Web]:
    data = archive()
    sums = f"{hashlib.sha512(data).hexdigest()}  {NAME}\n".encode()
    with serving(Web({f"{FOLDER}/{NAME}": data, f"{FOLDER}/SHA512SUMS": sums})) as web:
        yield web


@pytest.fixture
def cache(tmp_path: Path) -> ImageCache:
    return ImageCache(Home(tmp_path))


def booting(says: str) -> cloud.Boot:
    """A hypervisor whose machine says this on its console."""

    def boot(disk: Path, cd: Path, console: Path, look: Callable[[], None]) -> None:
        assert disk.read_bytes() == RAW
        assert cd.exists()
        console.write_text(says)
        look()

    return boot


PREPARED = booting("Unpacking a\nSetting up a\nlabbuilder: this disk is prepared\n")


def to_vdi(raw: Path, vdi: Path) -> None:
    vdi.write_bytes(raw.read_bytes())


def made(cache: ImageCache, server: Web, boot: cloud.Boot = PREPARED) -> Path:
    return ensure_cloud_disk(cache, RECIPE, server.url, to_vdi, boot)


def asked(server: Web) -> list[str]:
    return [path.rpartition("/")[2] for path, *_ in server.asked]


def test_it_is_downloaded_unpacked_and_prepared_once(cache: ImageCache, server: Web) -> None:
    disk = made(cache, server)
    assert disk.read_bytes() == RAW
    assert made(cache, server) == disk
    assert asked(server) == ["SHA512SUMS", NAME]
    assert {path.name for path in disk.parent.iterdir()} == {DISK, "image.json"}
    assert not list(cache.folder.glob(".*.download"))


def test_what_was_downloaded_outlives_a_preparation_that_failed(cache: ImageCache, server: Web) -> None:
    with pytest.raises(MachineError, match="could not be prepared") as raised:
        made(cache, server, booting("Err:1 no mirror\nlabbuilder: this disk could not be prepared\n"))
    assert "Err:1 no mirror" in (raised.value.details or "")
    assert not list(cache.folder.glob(".*.part"))
    made(cache, server)
    assert asked(server) == ["SHA512SUMS", NAME, "SHA512SUMS"]


def test_a_newer_build_takes_the_place_of_what_was_downloaded(cache: ImageCache, server: Web) -> None:
    kept = cache.downloads(cloud_disk_name(RECIPE, server.url))
    kept.mkdir(parents=True)
    (kept / NAME).write_bytes(b"of yesterday")
    assert made(cache, server).read_bytes() == RAW


def test_a_mirror_without_the_image_is_told_and_leaves_nothing(cache: ImageCache, server: Web) -> None:
    del server.files[f"{FOLDER}/{NAME}"]
    with pytest.raises(HostError, match=rf"{NAME} can't be downloaded"):
        made(cache, server)
    assert not [path for path in cache.folder.iterdir() if not path.name.startswith(".")]


def test_a_wrong_sum_is_told(cache: ImageCache, server: Web) -> None:
    server.files[f"{FOLDER}/SHA512SUMS"] = f"{'0' * 128}  {NAME}\n".encode()
    with pytest.raises(HostError, match="not the file that was published"):
        made(cache, server)


def test_an_archive_without_a_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(archive("readme.txt"))
    with pytest.raises(HostError, match="holds no disk"):
        cloud.unpack(tmp_path / NAME, tmp_path / "disk.raw")


def test_a_disk_is_unpacked_to_the_last_byte_and_takes_no_room_for_nothing(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(archive())
    cloud.unpack(tmp_path / NAME, tmp_path / "disk.raw")
    assert (tmp_path / "disk.raw").read_bytes() == RAW
    assert (tmp_path / "disk.raw").stat().st_blocks * 512 < len(RAW)


@pytest.mark.parametrize("place", [ImageCache.downloads, ImageCache.part])
def test_pruning_takes_what_was_left_but_none_that_goes_on(
    cache: ImageCache, place: Callable[[ImageCache, str], Path]
) -> None:
    going, left = place(cache, "going"), place(cache, "left")
    for folder in (going, left):
        folder.mkdir(parents=True)
    with cache.unused("going") as alone:
        assert alone
        cache.prune(frozenset())
    assert going.exists()
    assert not left.exists()


def test_the_name_changes_with_what_would_be_in_it() -> None:
    url = "https://example.org"
    names = {
        cloud_disk_name(RECIPE, url),
        cloud_disk_name(RECIPE, f"{url}/other"),
        cloud_disk_name(image_recipe(LabSpec(suite="trixie")), url),
    }
    assert len(names) == 3


@pytest.mark.parametrize(("processor", "name"), [("AMD64", "amd64"), ("arm64", "arm64"), ("aarch64", "arm64")])
def test_each_host_gets_the_image_of_its_processor(monkeypatch: pytest.MonkeyPatch, processor: str, name: str) -> None:
    monkeypatch.setattr(platform, "machine", lambda: processor)
    image = cloud.cloud_image("https://example.org/cloud/", "trixie")
    assert f"{image.folder}/{image.name}" == f"https://example.org/cloud/trixie/latest/debian-13-generic-{name}.tar.xz"


def test_a_processor_that_debian_has_no_image_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(HostError, match=r"no cloud image for this processor \(riscv64\)"):
        cloud.cloud_image("https://example.org", "bookworm")


def test_cloud_init_is_told_to_run_what_is_on_the_cd_and_to_make_no_user() -> None:
    documents = cloud._documents(RECIPE)
    told = yaml.safe_load(documents["user-data"])
    assert told["users"] == []
    assert "/prepare.sh" in told["runcmd"][0][-1]
    assert set(documents["packages"].decode().split()) == set(RECIPE.packages)
    assert not any(name.startswith("linux-image") for name in documents["packages"].decode().split())
    with tarfile.open(fileobj=io.BytesIO(documents["files.tar"])) as tar:
        assert "usr/local/lib/labbuilder/seed" in tar.getnames()
