"""`labbuilder lint --fix`: the changes as a diff, and written where that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labbuilder.cli.lint_options import Options, host_and_path
from labbuilder.errors import LintError
from labbuilder.lint import Config, Finding
from labbuilder.lint.fix import Mended, diff, mend
from labbuilder.lint.rewrite import rewrite


@dataclass(frozen=True)
class Fixed:
    """What came of it.

    Attributes:
        diff: Of all files, as `diff -u` shows it.
        told: How many findings are mended, or would be.
        findings: Those that are there now.
    """

    diff: str
    told: str
    findings: tuple[Finding, ...]


def fixed(configs: Sequence[Config], options: Options) -> Fixed:
    """Mend what has one right answer.

    Raises:
        LintError: A file can't be read, parsed or written.
    """
    mended = mend(
        tuple(configs),
        clients=options.clients,
        cold_standby=options.cold_standby,
        engine_version=options.engine_version,
    )
    changes = "".join(diff(old, new) for old, new in zip(configs, mended.configs, strict=True))
    if options.write:
        for old, new in zip(configs, mended.configs, strict=True):
            _write(old, new)
    return Fixed(changes, _told(mended, written=options.write), mended.left if options.write else _all(mended))


def _all(mended: Mended) -> tuple[Finding, ...]:
    return (*mended.mended, *mended.left)


def _write(old: Config, new: Config) -> None:
    if old.text == new.text:
        return
    if host_and_path(old.name):
        raise LintError(
            brief=f"{old.name} is only read",
            resolution="without --write the change is shown: apply it there with patch",
            file=old.name,
        )
    rewrite(Path(old.name), _bytes(old), _bytes(new))


def _bytes(config: Config) -> bytes:
    return config.text.encode() if isinstance(config.text, str) else config.text


def _told(mended: Mended, *, written: bool) -> str:
    count = len(mended.mended)
    what = f"{count} finding{'' if count == 1 else 's'}"
    if not count:
        return "Nothing has one right answer that could be written."
    return f"Mended: {what}." if written else f"This mends {what}; --write writes it."
