"""Whether a Kea configuration is built as kea-dhcp4's grammar wants it: known parameters, of the right types, once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from labbuilder.lint.kea import Document, Value
from labbuilder.lint.kea_words import OBJECTS
from labbuilder.lint.model import Fault
from labbuilder.lint.source import printable
from labbuilder.lint.versions import RELEASES, Release

RULE = "kea-syntax"
_NEEDS, _EMPTY = "needs", "may be empty"
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class _Type:
    kind: str
    """As of `Value.kind`."""
    object: str | None = None
    """The name of the object that it is, or of those in the list."""
    entry: _Type | None = None
    """Of a list's entries that are no objects."""
    words: tuple[str, ...] = ()
    any_case: bool = False
    filled: bool = False
    """A list of at least one."""

    def __str__(self) -> str:
        if self.words:
            return " or ".join(f'"{word}"' for word in self.words)
        a = "an" if self.kind[0] in "aeiou" else "a"
        return {"map": "an object", "float": "a number with a point"}.get(self.kind, f"{a} {self.kind}")


@dataclass(frozen=True)
class _Object:
    members: Mapping[str, tuple[tuple[_Type, frozenset[Release]], ...]]
    needs: tuple[str, ...]
    may_be_empty: bool


_ALL = frozenset(RELEASES)


def faults(document: Document) -> tuple[Fault, ...]:
    """What the grammar refuses; of each fault, in which releases."""
    found = [
        Fault(RULE, twice.place, f"{printable(twice.name)} stands twice in one object", _ALL, twice.first)
        for twice in document.twice
    ]
    return (*found, *_of_object(document.root, "", _ALL))


def _of_object(value: Value, name: str, where: frozenset[Release]) -> Iterator[Fault]:
    known, called = _object(name), name or "the file"
    data = value.data
    if not isinstance(data, dict):
        return
    for key, member in data.items():
        types = known.members.get(key)
        if types is None:
            near = get_close_matches(key, known.members, 1)
            meant = f": {near[0]} is meant?" if near else ""
            yield Fault(RULE, member.key_place, f"{printable(key)} is no parameter of {called}{meant}", where)
            continue
        if len(types) == 1 and types[0][1] == _ALL:
            yield from _of_type(member, key, types[0][0], where)
            continue
        yield from _of_some(member, key, called, types, where)
    if lacking := [need for need in known.needs if need not in data]:
        yield Fault(RULE, value.place, f"{called} without {' and '.join(lacking)}", where)
    elif not data and not known.may_be_empty:
        yield Fault(RULE, value.place, f"{called} is empty", where)


def _of_some(
    member: Value,
    key: str,
    called: str,
    types: Iterable[tuple[_Type, frozenset[Release]]],
    where: frozenset[Release],
) -> Iterator[Fault]:
    """A parameter that some releases don't have, or have with another type."""
    unknown = where
    for kind, having in types:
        unknown -= having
        yield from _of_type(member, key, kind, where & having)
    if unknown:
        yield Fault(RULE, member.key_place, f"{printable(key)} is no parameter of {called}", unknown)


def _of_type(value: Value, key: str, wanted: _Type, where: frozenset[Release]) -> Iterator[Fault]:
    if value.kind != wanted.kind:
        seen = "an object" if value.kind == "map" else f"{value.kind} {_text(value)}".strip()
        yield Fault(RULE, value.place, f"{printable(key)} is {seen}, where Kea takes {wanted}", where)
    elif wanted.kind == "map":
        if wanted.object is not None:
            yield from _of_object(value, wanted.object, where)
    elif wanted.kind == "list":
        yield from _of_list(value, key, wanted, where)
    elif wanted.words and not _is_one_of(str(value.data), wanted):
        near = get_close_matches(str(value.data), wanted.words, 1)
        meant = f": {near[0]} is meant?" if near else ""
        yield Fault(RULE, value.place, f"{printable(key)} is {_text(value)}, where Kea takes {wanted}{meant}", where)


def _of_list(value: Value, key: str, wanted: _Type, where: frozenset[Release]) -> Iterator[Fault]:
    if wanted.filled and not value.data:
        yield Fault(RULE, value.place, f"the list {printable(key)} is empty", where)
    for entry in value.data if isinstance(value.data, tuple) else ():
        if wanted.object is None:
            yield from _of_type(entry, f"an entry of {key}", wanted.entry or _type("string"), where)
        elif entry.kind == "map":
            yield from _of_object(entry, wanted.object, where)
        else:
            what = f"an entry of {printable(key)} is {entry.kind} {_text(entry)}".strip()
            yield Fault(RULE, entry.place, f"{what}, where Kea takes an object", where)


def _is_one_of(text: str, wanted: _Type) -> bool:
    return (text.lower() if wanted.any_case else text) in wanted.words


def _text(value: Value) -> str:
    return (
        printable(repr(value.data[:_SHOWN]) if value.kind == "string" else str(value.data)[:_SHOWN])
        if (isinstance(value.data, str))
        else ""
    )


@cache
def _object(name: str) -> _Object:
    told = dict(OBJECTS[name])
    needs, may_be_empty = tuple(told.pop(_NEEDS, "").split()), told.pop(_EMPTY, None) is not None
    found: dict[str, tuple[tuple[_Type, frozenset[Release]], ...]] = {}
    for spelled, names in told.items():
        kind, _, when = spelled.partition(" ")
        for key in names.split():
            found[key] = (*found.get(key, ()), (_type(kind), _when(when)))
    return _Object(found, needs, may_be_empty)


@cache
def _type(spelled: str) -> _Type:
    if spelled.startswith("["):
        inner = spelled.rstrip("+").removeprefix("[").removesuffix("]")
        filled = spelled.endswith("+")
        if inner.startswith("{"):
            return _Type("list", object=inner.strip("{}"), filled=filled)
        return _Type("list", entry=_type(inner), filled=filled)
    if spelled.startswith("{"):
        return _Type("map", object=spelled.strip("{}"))
    if "|" in spelled:
        return _Type("string", words=tuple(spelled.strip("~|").split("|")), any_case=spelled.startswith("~"))
    return _Type(spelled)


def _when(spelled: str) -> frozenset[Release]:
    since, dash, until = spelled.partition("-")
    first, last = _release(since) or RELEASES[0], _release(until) or RELEASES[-1]
    return frozenset(release for release in RELEASES if not dash or first <= release <= last)


def _release(text: str) -> Release | None:
    major, dot, minor = text.partition(".")
    return (int(major), int(minor)) if dot else None
