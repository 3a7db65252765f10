"""What the lint says in another language: a catalogue from the English text, as gettext has, with holes for values."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

LANGUAGES = ("en", "es")
_HOLE = re.compile(r"\{(\w+)\}")


class Words:
    """The texts of one language; one that is not in its catalogue stays English."""

    def __init__(self, language: str = "en") -> None:
        self.language = language if language in LANGUAGES else "en"

    def __call__(self, text: str) -> str:
        """The text in this language; values in it stay as they are."""
        if self.language == "en":
            return text
        if whole := self._whole.get(text):
            return whole
        for pattern, said in self._holed:
            if match := pattern.fullmatch(text):
                return said.format(**{name: self._value(value) for name, value in match.groupdict().items()})
        return text

    def has(self, text: str) -> bool:
        """Whether the text has a translation, or needs none."""
        return self.language == "en" or text in self._whole

    def _value(self, value: str) -> str:
        return self._whole.get(value, value)

    @cached_property
    def _catalogue(self) -> dict[str, str]:
        import yaml  # noqa: PLC0415  who reads English pays nothing

        found: dict[str, str] = yaml.safe_load(Path(__file__).with_name(f"{self.language}.yaml").read_text("utf-8"))
        return found

    @cached_property
    def _whole(self) -> dict[str, str]:
        return {text: said for text, said in self._catalogue.items() if not _HOLE.search(text)}

    @cached_property
    def _holed(self) -> list[tuple[re.Pattern[str], str]]:
        """The longest first: the holes of a short text take a longer one's words too."""
        holed = sorted((text for text in self._catalogue if _HOLE.search(text)), key=_fixed, reverse=True)
        return [(_pattern(text), self._catalogue[text]) for text in holed]


def _fixed(text: str) -> int:
    return len(_HOLE.sub("", text))


def _pattern(text: str) -> re.Pattern[str]:
    parts = _HOLE.split(text)
    return re.compile("".join(re.escape(part) if i % 2 == 0 else f"(?P<{part}>.+?)" for i, part in enumerate(parts)))


def language_of(environment: dict[str, str]) -> str:
    """What LC_ALL, LC_MESSAGES or LANG ask for, the first that is said; English else."""
    said = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := environment.get(name))), "")
    return "es" if re.match(r"es([_.@]|$)", said) else "en"
