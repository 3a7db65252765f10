"""Large files over HTTP: gone on with after a cut, checked by SHA-512, in place only when whole. On any system."""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx

from labbuilder.errors import HostError
from labbuilder.host.progress import logger
from labbuilder.host.wait import wait_until

TRIES = 5
"""Tries in succession that bring nothing; one that brings a byte starts the count afresh."""
_LIMIT_S = 4 * 3600.0
_SUM = re.compile(r"^([0-9a-fA-F]{128})[ *]+(.+)$", re.MULTILINE)
T = TypeVar("T")


class _TryAgainError(Exception):
    """The server said so, or what we have does not fit what it has."""


def client() -> httpx.Client:
    """The client of all downloads: follows mirrors, and the proxies that the environment names."""
    return httpx.Client(follow_redirects=True, timeout=30.0, headers={"Accept-Encoding": "identity"})


def sha512_of(web: httpx.Client, sums_url: str, name: str, *, retry_s: float = 2.0) -> str:
    """The sum that a SHA512SUMS file gives for ``name``.

    Raises:
        HostError: No such file, no network, or it does not list the name.
    """

    def ask() -> str:
        answer = web.get(sums_url)
        _refuse(answer, sums_url)
        return answer.text

    sums: dict[str, str] = {
        file: found.lower() for found, file in _SUM.findall(_persist(sums_url, ask, lambda: 0, retry_s))
    }
    if name not in sums:
        raise HostError(
            brief=f"{name} is not in {sums_url}",
            details=f"It lists {', '.join(sorted(sums)[:8]) or 'nothing'}",
            resolution="choose another suite, or name a disk of your own",
        )
    return sums[name]


def download(
    web: httpx.Client, url: str, target: Path, *, sha512: str, note: Callable[[float], None], retry_s: float = 2.0
) -> None:
    """Download ``url`` to ``target``, unless it is there; go on where an earlier try, of any process, was cut.

    Args:
        web: From `client`.
        url: What to download.
        target: Where it is put when it is whole and its sum is right.
        sha512: What its sum must be.
        note: Told the fraction that is there.
        retry_s: Seconds between tries.

    Raises:
        HostError: Not there, no network, cut again and again, no room, or another sum.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        if target.exists() and _sum(target) == sha512.lower():
            return
        _persist(url, lambda: _go_on(web, url, part, note), lambda: _size(part), retry_s)
        seen = _sum(part)
        if seen != sha512.lower():
            part.unlink()
            raise HostError(
                brief=f"{target.name} was downloaded, but it is not the file that was published",
                details=f"From: {url}\nSHA-512 expected: {sha512.lower()}\nSHA-512 seen: {seen}",
                resolution="try again; when it stays so, a proxy or mirror on the way changes the file",
            )
        part.replace(target)
        _validator(part).unlink(missing_ok=True)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise HostError(
            brief=f"no room for {target.name} in {target.parent}",
            details=f"{_size(part) // 1_000_000} MB of it are there",
            resolution="make room and try again: it goes on where it ended",
        ) from error


def _sum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()


def _persist(url: str, attempt: Callable[[], T], size: Callable[[], int], retry_s: float) -> T:
    """Try until it is done, or until `TRIES` in succession have brought nothing."""
    most, vain = size(), 0

    def once() -> tuple[T] | None:
        nonlocal most, vain
        try:
            return (attempt(),)
        except (httpx.TransportError, _TryAgainError) as error:
            logger.debug("%s: %r, %d bytes are there", url, error, size())
            vain = 0 if size() > most else vain + 1
            most = max(most, size())
            if vain < TRIES:
                return None
            raise HostError(
                brief=f"{url} can't be downloaded: {TRIES} tries in succession brought nothing",
                details=f"{type(error).__name__}: {error}\n{size() // 1_000_000} MB of it are there",
                resolution="look at the network (http_proxy, https_proxy) and try again: it goes on where it ended",
            ) from error

    return wait_until(f"{url} is downloaded", once, within_s=_LIMIT_S, every_s=retry_s)[0]  # type: ignore[index]


def _go_on(web: httpx.Client, url: str, part: Path, note: Callable[[float], None]) -> bool:
    """One try; what it brought stays for the next."""
    have, validator = _size(part), _validator(part)
    headers = {}
    if have and validator.exists():
        headers = {"Range": f"bytes={have}-", "If-Range": validator.read_text(encoding="utf-8")}
    with web.stream("GET", url, headers=headers) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()
            raise _TryAgainError(f"the server has no byte {have} of it")
        _refuse(answer, url)
        resumed = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        have = have if resumed else 0
        total = have + int(answer.headers.get("Content-Length", 0))
        _remember(validator, answer)
        with open(part, "ab" if resumed else "wb") as file:
            for chunk in answer.iter_raw():  # no chunk size: a chunk that is not full would be lost in a cut
                file.write(chunk)
                have += len(chunk)
                note(have / total if total >= have else 0.0)
    return True


def _remember(validator: Path, answer: httpx.Response) -> None:
    """Keep what If-Range needs; a weak ETag does not tell whether bytes are the same."""
    etag = answer.headers.get("ETag", "")
    known = answer.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
    if known:
        validator.write_text(known, encoding="utf-8")
    else:
        validator.unlink(missing_ok=True)


def _refuse(answer: httpx.Response, url: str) -> None:
    """Raise unless the answer is what was asked for."""
    code = answer.status_code
    if answer.is_server_error or code == httpx.codes.TOO_MANY_REQUESTS:
        raise _TryAgainError(f"HTTP {code} {answer.reason_phrase}")
    if not answer.is_success:
        raise HostError(
            brief=f"{url} can't be downloaded",
            details=f"HTTP {code} {answer.reason_phrase} from {answer.url}",
            resolution="look whether the address is right in a browser; name another mirror, or a disk of your own",
        )


def _validator(part: Path) -> Path:
    return part.with_name(f"{part.name}-of")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
