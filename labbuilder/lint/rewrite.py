"""A file gets a new content in one step, and keeps its mode, its owner and the link that leads to it."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from labbuilder.errors import LintError


def rewrite(path: Path, old: bytes, new: bytes) -> None:
    """Put the new content in the place of the old.

    Raises:
        LintError: It can't be written, or is no longer what it was.
    """
    target = Path(os.path.realpath(path))
    try:
        if not target.is_file():
            raise OSError(0, "it is no regular file")  # noqa: TRY301
        if target.read_bytes() != old:
            raise OSError(0, "it has changed meanwhile")  # noqa: TRY301
        _replace(target, new)
    except OSError as error:
        raise LintError(
            brief=f"{path} can't be written: {error.strerror}",
            resolution="without --write the change is shown: apply it with patch -p0",
            file=str(path),
        ) from error


def _replace(target: Path, content: bytes) -> None:
    there = target.stat()
    number, part = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(number, "wb") as file:
            file.write(content)
            with suppress(PermissionError):  # a file of another's in a folder of ours
                os.fchown(number, there.st_uid, there.st_gid)
            os.fchmod(number, there.st_mode & 0o7777)
            file.flush()
            os.fsync(number)
        Path(part).replace(target)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
