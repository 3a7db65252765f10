"""What an error may show of a configuration: no secret, and no line of a file that nobody meant to show."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from labbuilder.errors import LintError
from labbuilder.lint.source import Config, printable

_BETWEEN = r"(?:\s|#[^\n]*\n)"
_SECRET = re.compile(
    rf"""\bsecret{_BETWEEN}+"?([^\s";{{}}]+)|"[\w-]*(?:secret|password)"{_BETWEEN}*:{_BETWEEN}*"((?:[^"\\\n]|\\.)+)""",
    re.IGNORECASE,
)
_PART = 6
"""So much of a secret is hidden where a message was cut in the middle of it."""


def discreet(error: LintError, config: Config, texts: Iterable[str | bytes]) -> LintError:
    """The error as it may stand in a log that others read.

    Args:
        error: What was said of the configuration.
        config: The configuration.
        texts: All that was read for it, for the secrets in it.
    """
    if error.file and not config.may_show(error.file):
        return LintError(
            brief=f"{error.file}:{error.line}:{error.column}: its daemon would refuse this",
            details="The line is not shown: it is not of a file below the folder of the one that was named.",
            resolution="look at the line, or at what includes the file",
            file=error.file,
            line=error.line,
            column=error.column,
        )
    secrets = {secret for text in texts for secret in _secrets(text)}
    return replace(error, brief=_without(error.brief, secrets), details=_without(error.details or "", secrets) or None)


def _secrets(text: str | bytes) -> Iterable[str]:
    decoded = text if isinstance(text, str) else text.decode("utf-8", errors="replace")
    return (printable(match[1] or match[2]) for match in _SECRET.finditer(decoded))


def _without(text: str, secrets: Iterable[str]) -> str:
    """The same text, as long, with stars for each word that holds a secret or a good part of one."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "*" * len(secret))
    parts = {secret[i : i + _PART] for secret in secrets for i in range(len(secret) - _PART + 1)}
    return re.sub(r"[^\s';\"]{6,}", lambda word: _starred(word[0], parts), text) if parts else text


def _starred(word: str, parts: set[str]) -> str:
    held = any(word[i : i + _PART] in parts for i in range(len(word) - _PART + 1))
    return "*" * len(word) if held else word
