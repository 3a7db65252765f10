"""The releases of Kea that may run a configuration: what it takes, and what it does, depends on them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from labbuilder.errors import LintError

Release = tuple[int, int]

RELEASES: tuple[Release, ...] = ((2, 2), (2, 4), (2, 6), (3, 0), (3, 2))
"""Those whose differences the lint knows: Debian 12 has 2.2, Debian 13 has 2.6."""
_OF_SUITE: dict[str, str] = {"bookworm": "kea-2.2", "trixie": "kea-2.6"}
_VERSION = re.compile(r"(?:kea-)?([0-9]{1,3})\.([0-9]{1,3})(?:\.[0-9]{1,4})?(?:-[-+.~\w]*)?")


def releases(version: str | None) -> tuple[Release, ...]:
    """The releases that may be meant.

    Args:
        version: Such as ``kea-2.6``; None: any.

    Raises:
        LintError: It is no version of Kea, or older than the first that the lint knows.
    """
    if version is None:
        return RELEASES
    match = _VERSION.fullmatch(version.strip())
    wanted = (int(match[1]), int(match[2])) if match else (0, 0)
    if wanted < RELEASES[0]:
        raise LintError(
            brief=f"{version!r} is no version of Kea that the lint knows",
            resolution=f"name {', '.join(f'kea-{shown(r)}' for r in RELEASES)}; another is taken for the one before",
        )
    return (max(release for release in RELEASES if release <= wanted),)


def of_suite(suite: str) -> str:
    """The version that a suite of Debian has."""
    return _OF_SUITE[suite]


def shown(release: Release) -> str:
    """A release as people write it."""
    return f"{release[0]}.{release[1]}"


def named(found: Iterable[Release]) -> str:
    """Releases as people name them: ``Kea 2.2 and 2.4``, ``Kea 2.4 to 3.2``."""
    several = sorted(found)
    first, last = shown(several[0]), shown(several[-1])
    return f"Kea {first}" if len(several) == 1 else f"Kea {first} {'and' if len(several) == 2 else 'to'} {last}"  # noqa: PLR2004
