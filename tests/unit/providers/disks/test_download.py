"""Downloads against a server that fails: what is cut is gone on with, what is wrong is thrown away."""

from __future__ import annotations

import errno
import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from faulty_http import Web, serving

from labbuilder.errors import HostError
from labbuilder.providers.disks import download as under_test
from labbuilder.providers.disks.download import TRIES, download, sha512_of

DATA = random.Random(7).randbytes(1_000_000)
SUM = hashlib.sha512(DATA).hexdigest()


@pytest.fixture
def server() -> Iterator[Web]:
    with serving(Web({"/d/disk.xz": DATA, "/d/SHA512SUMS": f"{SUM}  disk.xz\n".encode()})) as web:
        yield web


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with under_test.client() as web:
        yield web


def fetch(client: httpx.Client, server: Web, target: Path, *, sha512: str = SUM) -> list[float]:
    seen: list[float] = []
    download(client, f"{server.url}/d/disk.xz", target, sha512=sha512, note=seen.append, retry_s=0.001)
    return seen


def ranges(server: Web) -> list[str | None]:
    return [asked for _, asked, _ in server.asked]


def test_a_whole_file_comes_at_once_with_its_progress(client: httpx.Client, server: Web, tmp_path: Path) -> None:
    seen = fetch(client, server, tmp_path / "disk.xz")
    assert (tmp_path / "disk.xz").read_bytes() == DATA
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert [path.name for path in tmp_path.iterdir()] == ["disk.xz"]


def test_a_cut_is_gone_on_with_where_it_was(client: httpx.Client, server: Web, tmp_path: Path) -> None:
    server.cuts = 3
    fetch(client, server, tmp_path / "disk.xz")
    assert (tmp_path / "disk.xz").read_bytes() == DATA
    assert ranges(server) == [None, "bytes=100000-", "bytes=200000-", "bytes=300000-"]


def test_more_cuts_than_tries_are_no_matter_while_bytes_come(client: httpx.Client, server: Web, tmp_path: Path) -> None:
    server.cuts = TRIES + 3
    fetch(client, server, tmp_path / "disk.xz")
    assert len(server.asked) == TRIES + 4


def test_another_process_goes_on(client: httpx.Client, server: Web, tmp_path: Path) -> None:
    server.cuts, server.cut_after = 1, 600_000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(under_test, "TRIES", 0)
        with pytest.raises(HostError, match="brought nothing"):
            fetch(client, server, tmp_path / "disk.xz")
    assert (tmp_path / ".disk.xz.part").stat().st_size == 600_000
    fetch(client, server, tmp_path / "disk.xz")
    assert ranges(server) == [None, "bytes=600000-"]


def test_a_file_that_changed_meanwhile_is_begun_afresh(client: httpx.Client, server: Web, tmp_path: Path) -> None:
    (tmp_path / ".disk.xz.part").write_bytes(b"old" * 1000)
    (tmp_path / ".disk.xz.part-of").write_text('"the etag of old"')
    fetch(client, server, tmp_path / "disk.xz")
    assert (tmp_path / "disk.xz").read_bytes() == DATA
    assert server.asked[0][1:] == ("bytes=3000-", '"the etag of old"')


@pytest.mark.parametrize("lack", ["ranges", "etags"])
def test_a_server_that_can_not_go_on_begins_afresh(
    client: httpx.Client, server: Web, tmp_path: Path, lack: str
) -> None:
    setattr(server, lack, False)
    server.cuts = 1
    fetch(client, server, tmp_path / "disk.xz")
    assert (tmp_path / "disk.xz").read_bytes() == DATA
    assert len(server.asked) == 2


def test_a_part_longer_than_the_file_is_thrown_away(client: httpx.Client, server: Web, tmp_path: Path) -> None:
    (tmp_path / ".disk.xz.part").write_bytes(DATA + b"more")
    (tmp_path / ".disk.xz.part-of").write_text(server.etag("/d/disk.xz"))
    fetch(client, server, tmp_path / "disk.xz")
    assert (tmp_path / "disk.xz").read_bytes() == DATA


def test_cut_before_the_first_byte_again_and_again_is_an_error(
    client: httpx.Client, server: Web, tmp_path: Path
) -> None:
    server.cuts, server.cut_after = 99, 0
    with pytest.raises(HostError, match=f"{TRIES} tries in succession brought nothing") as raised:
        fetch(client, server, tmp_path / "disk.xz")
    assert len(server.asked) == TRIES
    assert "it goes on where it ended" in (raised.value.resolution or "")
    assert not (tmp_path / "disk.xz").exists()


def test_a_server_without_ranges_that_always_cuts_is_an_error(
    client: httpx.Client, server: Web, tmp_path: Path
) -> None:
    server.cuts, server.ranges = 99, False
    with pytest.raises(HostError, match="brought nothing"):
        fetch(client, server, tmp_path / "disk.xz")
    assert len(server.asked) == TRIES + 1  # the first one brought something


def test_a_busy_server_is_asked_again(client: httpx.Client, server: Web, tmp_path: Path) -> None:
    server.busy = TRIES - 1
    fetch(client, server, tmp_path / "disk.xz")
    assert (tmp_path / "disk.xz").read_bytes() == DATA


def test_a_wrong_sum_is_said_and_the_file_removed(client: httpx.Client, server: Web, tmp_path: Path) -> None:
    wrong = "0" * 128
    with pytest.raises(HostError, match="not the file that was published") as raised:
        fetch(client, server, tmp_path / "disk.xz", sha512=wrong)
    assert wrong in (raised.value.details or "")
    assert SUM in (raised.value.details or "")
    assert not list(tmp_path.glob("*disk.xz"))
    assert not list(tmp_path.glob(".disk.xz.part"))


def test_404_is_said_at_once(client: httpx.Client, server: Web, tmp_path: Path) -> None:
    del server.files["/d/disk.xz"]
    with pytest.raises(HostError, match="can't be downloaded") as raised:
        fetch(client, server, tmp_path / "disk.xz")
    assert "HTTP 404 Not Found" in (raised.value.details or "")
    assert len(server.asked) == 1


def test_no_server_is_an_error(client: httpx.Client, server: Web, tmp_path: Path) -> None:
    with serving(Web({})) as gone:
        pass
    gone.files["/d/disk.xz"] = DATA
    with pytest.raises(HostError, match="brought nothing") as raised:
        fetch(client, gone, tmp_path / "disk.xz")
    assert "ConnectError" in (raised.value.details or "")


def test_no_room_is_said_and_what_came_stays(
    client: httpx.Client, server: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: float) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(HostError, match="no room for disk") as raised:
        download(client, f"{server.url}/d/disk.xz", tmp_path / "disk.xz", sha512=SUM, note=full)
    assert raised.value.exit_code == 3
    assert (tmp_path / ".disk.xz.part").exists()


def test_the_published_sum_is_found(client: httpx.Client, server: Web) -> None:
    assert sha512_of(client, f"{server.url}/d/SHA512SUMS", "disk.xz") == SUM


def test_sums_that_lack_the_file_are_said(client: httpx.Client, server: Web) -> None:
    with pytest.raises(HostError, match=r"other\.xz is not in .*SHA512SUMS") as raised:
        sha512_of(client, f"{server.url}/d/SHA512SUMS", "other.xz")
    assert raised.value.details == "It lists disk.xz"
