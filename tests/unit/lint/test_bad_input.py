"""What is no configuration: told in words and in time, without a line that nobody meant to show."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from labbuilder.errors import LintError
from labbuilder.lint import Config, lint_server
from labbuilder.lint.source import MAX_BYTES

SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="


def refused(given: Path | Config) -> str:
    with pytest.raises(LintError) as error:
        lint_server(given)
    assert error.value.file
    return str(error.value)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_a_device_is_not_even_opened(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setattr(os, "open", None)
    assert "it is neither a file nor a pipe" in refused(Path(device))


def test_a_fifo_that_nobody_writes_into_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "nobody writes into it" in refused(tmp_path / "fifo")


@contextmanager
def writer(fifo: Path, *parts: bytes) -> Iterator[None]:
    def write() -> None:
        with fifo.open("wb", buffering=0) as target:
            for part in parts:
                target.write(part)
                time.sleep(0.05)

    thread = Thread(target=write)
    thread.start()
    yield
    thread.join()


def test_a_fifo_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with writer(tmp_path / "fifo", b"option routers", b" 1.2.3.4", b" x }"):
        assert "fifo:1:" in refused(tmp_path / "fifo")
    with writer(tmp_path / "fifo", b"# one\n", b"authoritative;\n" * 10_000):
        assert lint_server(tmp_path / "fifo") == ()


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 100_000_000])
def test_what_is_too_long_is_not_read(tmp_path: Path, size: int) -> None:
    with (tmp_path / "long").open("wb") as file:
        file.truncate(size)
    assert "is too long" in refused(tmp_path / "long")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(tmp_path: Path, encoding: str) -> None:
    text = "authoritative;\n" if encoding == "utf-16" else "\ufeffauthoritative;\n"
    (tmp_path / "x").write_bytes(text.encode(encoding))
    assert "iconv -f UTF-16" in refused(tmp_path / "x")


def test_windows_1252_is_no_mistake_in_a_comment_and_one_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"# D\xe4mon \x96 \x81\nauthoritative;\n")
    assert lint_server(tmp_path / "x") == ()
    (tmp_path / "x").write_bytes(b"option domain-name \x93x\x94;\n")
    assert "U+201C" in refused(tmp_path / "x")


@pytest.mark.parametrize("text", ["a {" * 10_000 + "}" * 10_000, '{"Dhcp4":' + '{"a":' * 10_000 + "1" + "}" * 10_001])
def test_ten_thousand_braces_are_no_traceback(text: str) -> None:
    assert "x:1:" in refused(Config("x", text))


@pytest.mark.parametrize("text", ["[" * 10_000, '{"Dhcp4": ' + "[" * 10_000, "{" * 10_000, '"' + "[" * 10_000])
def test_ten_thousand_brackets_are_no_traceback(text: str) -> None:
    assert "x:1:" in refused(Config("x", text))


@pytest.mark.parametrize("suffix", ["conf", "json"])
def test_a_line_of_a_file_outside_is_not_shown(tmp_path: Path, suffix: str) -> None:
    inside, outside = tmp_path / "repository", tmp_path / "shadow"
    inside.mkdir()
    outside.write_text("admin:$6$abc:19000:0:::\nother:x }\n")
    (inside / "link").symlink_to(outside)
    statement = {"conf": 'include "{}";', "json": '{{"Dhcp4": <?include "{}"?>}}'}[suffix]
    for name in (outside, inside / "link", f"{inside}/../shadow"):
        (inside / f"a.{suffix}").write_text(statement.format(name))
        said = refused(inside / f"a.{suffix}")
        assert "The line is not shown" in said
        assert f"{name}:1:" in said or f"{name}:2:" in said
        assert not any(part in said for part in ("admin", "$6$", "19000", "other"))
    (inside / f"a.{suffix}").unlink()
    (inside / f"a.{suffix}").symlink_to(outside)
    assert "admin" not in refused(inside / f"a.{suffix}")


def test_a_line_of_a_file_beside_the_named_one_is_shown(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/hosts").write_text("host a { hardware ethernet }\n")
    (tmp_path / "a").write_text(f'include "{tmp_path}/more/hosts";')
    assert "host a { hardware ethernet }" in refused(tmp_path / "a")


def test_a_line_that_a_pipe_gave_is_shown() -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"host a { hardware ethernet }\n")
    os.close(theirs)
    assert "host a { hardware ethernet }" in refused(Path(f"/dev/fd/{ours}"))
    os.close(ours)


@pytest.mark.parametrize(
    "text",
    [
        f"key k {{ algorithm hmac-md5; secret {SECRET} }}",
        f'key k {{ algorithm hmac-md5; secret "{SECRET}" }}',
        f"key k {{ algorithm hmac-md5;\n secret # of ours\n  {SECRET}\n}}",
        f"key k {{ algorithm hmac-md5; secret {SECRET}; ",
        f"key k {{ algorithm hmac-md5; secret {SECRET}; }} }}",
        f'{{"Dhcp4": {{"password": "{SECRET}" 3}}}}',
        f'{{"Dhcp4": {{"a": {{"basic-auth-password":\n  "{SECRET}"; }}}}}}',
        f'{{"Dhcp4": {{"a": [{{"secret": "{SECRET}"], }}]}}}}',
    ],
)
def test_a_secret_is_not_shown_whatever_is_wrong_beside_it(text: str) -> None:
    said = refused(Config("x", text))
    assert not any(SECRET[i : i + 6] in said for i in range(len(SECRET) - 6))
