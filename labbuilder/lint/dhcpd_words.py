"""The words of one statement of dhcpd.conf, taken one after the other as dhcpd's parser takes its tokens."""

from __future__ import annotations

import re
from difflib import get_close_matches

NAME = re.compile(r"(?!-?[0-9]*$)[A-Za-z0-9-][A-Za-z0-9_-]*")
_NUMBER = re.compile(r"-[0-9]*|[0-9]+")  # a hyphen alone is one for dhcpd
CONVERTED = re.compile(r"-?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_OCTET = r"0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_ADDRESS = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_FOUR = re.compile(r"[0-9]+(\.[0-9]+){3}")
_HOST = re.compile(r"[A-Za-z0-9-][A-Za-z0-9_-]*(\.[A-Za-z0-9-][A-Za-z0-9_-]*)*\.?")
_IPV6 = re.compile(r"[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")
_HEX = re.compile(r"(?:-[0-9]+|[0-9a-fA-F]+)(?::(?:-[0-9]+|[0-9a-fA-F]+))*")
_LONG = re.compile(r"[0-9a-fA-F]{3}")
_DOTTED = re.compile(r"[0-9]+\.-?[0-9]+(?:\.|$)")  # else it is a name to dhcpd: 10.1-0.1
_BYTE = 255
_U32 = 2**32


class Wrong(Exception):  # noqa: N818  it is told as a LintError with its place, by who knows the file
    """A word that dhcpd would refuse: which one, and what it would take there, or what is wrong with it."""

    def __init__(self, at: int, expected: str = "", said: str = "") -> None:
        super().__init__(said or expected)
        self.at = at
        self.expected = expected
        self.said = said


class Words:
    """A cursor over the words of a statement; those that begin with a quote are strings."""

    __slots__ = ("at", "depth", "words")

    def __init__(self, words: tuple[str, ...], at: int = 0) -> None:
        self.words = words
        self.at = at
        self.depth = 0

    def peek(self) -> str:
        """The next word in small letters; empty if there is none."""
        return self.words[self.at].lower() if self.at < len(self.words) else ""

    def wrong(self, expected: str, said: str = "") -> Wrong:
        """The error for the next word."""
        return Wrong(self.at, expected, said)

    def end(self) -> None:
        """Nothing may follow: the commonest mistake of all is that a semicolon is missing."""
        if self.at < len(self.words):
            raise Wrong(self.at, "';'")

    def skip(self, *words: str) -> bool:
        """Take these words, if they come next."""
        if tuple(w.lower() for w in self.words[self.at : self.at + len(words)]) == words:
            self.at += len(words)
            return True
        return False

    def keyword(self, *choices: str) -> str:
        """Take one of these words."""
        word = self.peek()
        if word not in choices:
            meant = close(word, choices)
            shown = meant or " or ".join(choices[:6]) + (" or another" if len(choices) > 6 else "")  # noqa: PLR2004
            raise self.wrong(shown)
        self.at += 1
        return word

    def _matched(self, pattern: re.Pattern[str], expected: str) -> str:
        word = self.words[self.at] if self.at < len(self.words) else ""
        if not pattern.fullmatch(word):
            raise Wrong(self.at, expected)
        self.at += 1
        return word

    def name(self, expected: str = "a name") -> str:
        """Take a word of letters, digits and hyphens that is no number."""
        return self._matched(NAME, expected)

    def string(self, expected: str = "a string in quotes") -> str:
        """Take a string; it is returned with its quotes."""
        word = self.words[self.at] if self.at < len(self.words) else ""
        if word[:1] != '"':
            raise Wrong(self.at, expected)
        self.at += 1
        return word

    def string_or_name(self, expected: str = "a string or a name") -> str:
        """Take either of them."""
        return self.string() if self.peek()[:1] == '"' else self.name(expected)

    def number(self) -> str:
        """Take decimal digits."""
        return self._matched(_NUMBER, "a number")

    def integer(self, bits: int) -> None:
        """Take a number as dhcpd converts it: 0x10 and 010 are 16 and 8."""
        most = 2**bits - 1
        word = self._matched(CONVERTED, "a number")
        value = converted(word)
        if (-value > 2 ** (bits - 1)) if value < 0 else (value % _U32 > most):
            raise Wrong(self.at - 1, f"a number of at most {most}")

    def address(self) -> str:
        """Take an IPv4 address."""
        word = self.words[self.at] if self.at < len(self.words) else ""
        if not _ADDRESS.fullmatch(word):
            if _FOUR.fullmatch(word):
                raise Wrong(self.at, said=f"no address: {word}")
            raise Wrong(self.at, "an address such as 192.168.1.1")
        self.at += 1
        return word

    def host(self) -> None:
        """Take an IPv4 address, or a name that dhcpd looks up."""
        word = self.words[self.at] if self.at < len(self.words) else ""
        if _DOTTED.match(word):
            self.address()
        else:
            self._matched(_HOST, "an address or a host name")

    def hosts(self) -> None:
        """Take one or more of them, with commas between."""
        self.host()
        while self.comma():
            self.host()

    def domain(self) -> None:
        """Take a host name without quotes."""
        self._matched(_HOST, "a name")

    def ipv6(self) -> None:
        """Take an IPv6 address."""
        self._matched(_IPV6, "an IPv6 address")

    def hexadecimal(self) -> int:
        """Take bytes in hexadecimal, with colons between; return how many."""
        word = self._matched(_HEX, "hexadecimal bytes such as 0:1a:2b")
        if _LONG.search(word) and max(int(part, 16) for part in word.split(":")) > _BYTE:
            raise Wrong(self.at - 1, "hexadecimal bytes, of two digits each")
        return word.count(":") + 1

    def comma(self) -> bool:
        """Take a comma, if there is one."""
        return self.sign(",")

    def sign(self, sign: str) -> bool:
        """Take this sign, if it comes next."""
        if self.at < len(self.words) and self.words[self.at] == sign:
            self.at += 1
            return True
        return False

    def need(self, sign: str) -> None:
        """Take this sign."""
        if not self.sign(sign):
            raise self.wrong(f"'{sign}'")

    def rest(self) -> None:
        """Take all that is left."""
        self.at = len(self.words)


def converted(word: str) -> int:
    """A number as dhcpd converts it (convert_num of common/parse.c)."""
    digits = word.lstrip("-")
    base = 16 if digits[:2].lower() == "0x" else 8 if digits[:1] == "0" else 10
    return int(digits, base) * (-1 if word.startswith("-") else 1)


def close(word: str, choices: tuple[str, ...]) -> str:
    """The choice that was meant, if one is near; hyphens and blanks are often mixed up."""
    plain = {choice.replace("-", " "): choice for choice in choices}
    near = get_close_matches(word.lower().replace("-", " ").replace("_", " "), plain, n=1, cutoff=0.75)
    return plain[near[0]] if near else ""
