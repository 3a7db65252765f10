"""Mends findings that have one right answer: each change is tried, and kept only if its finding goes and none comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import unified_diff

from labbuilder.errors import LintError
from labbuilder.lint.edit import Edit, addition, offset, removal, replacement
from labbuilder.lint.model import Finding, Pair, Peer, Relation
from labbuilder.lint.pair import findings_of, read_pair
from labbuilder.lint.source import Config, Place, printable

_SECONDS = "3"  # of load balance max seconds, as in dhcpd.conf(5)
_LEASE_CMDS, _HA = "libdhcp_lease_cmds.so", "libdhcp_ha.so"


@dataclass(frozen=True)
class Change:
    """Some edits of one named file that mend one finding, in their order."""

    file: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Mended:
    """What mending has made of the configurations.

    Attributes:
        configs: With their new texts, in the order in which they were given.
        mended: The findings that are gone.
        left: Those that are still there.
    """

    configs: tuple[Config, ...]
    mended: tuple[Finding, ...]
    left: tuple[Finding, ...]


Fixer = Callable[[Finding, Pair, Mapping[str, str]], Iterator[Change]]


def mend(
    configs: tuple[Config, ...],
    *,
    clients: int | None = None,
    cold_standby: bool = False,
    engine_version: str | None = None,
) -> Mended:
    """Mend what can be mended in the files that were named; what they include stays as it is.

    Raises:
        LintError: One can't be read or parsed.
    """
    mended: list[Finding] = []

    def look(them: tuple[Config, ...]) -> tuple[Pair, tuple[Finding, ...]]:
        pair = read_pair(*them, clients=clients, cold_standby=cold_standby, engine_version=engine_version)
        return pair, findings_of(pair)

    pair, found = look(configs)
    tried: set[tuple[str, str]] = set()
    while finding := next((f for f in found if f.rule in _FIXERS and (f.rule, f.what) not in tried), None):
        tried.add((finding.rule, finding.what))
        texts = {printable(config.name): text_of(config) for config in configs}
        for change in _FIXERS[finding.rule](finding, pair, texts):
            changed = tuple(_with(config, change) for config in configs)
            try:
                new_pair, left = look(changed)
            except LintError:
                continue
            before, after = (Counter(f.rule for f in some) for some in (found, left))
            if after[finding.rule] < before[finding.rule] and not after - before:
                mended += [f for f in found if f.rule == finding.rule][: before[finding.rule] - after[finding.rule]]
                configs, pair, found = changed, new_pair, left
                break
    return Mended(configs, tuple(mended), found)


def text_of(config: Config) -> str:
    """The text, so that each character is one of the daemon's columns and is written back as it was."""
    return config.text if isinstance(config.text, str) else config.text.decode(_encoding(config.text))


def diff(old: Config, new: Config) -> str:
    """What changes, as `diff -u` shows it; empty if nothing does."""
    before, after = (text_of(config).splitlines(keepends=True) for config in (old, new))
    lines = unified_diff(before, after, old.name, new.name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _encoding(content: bytes) -> str:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _with(config: Config, change: Change) -> Config:
    if printable(config.name) != change.file:
        return config
    text = text_of(config)
    for edit in sorted(change.edits, key=lambda edit: edit.start, reverse=True):
        text = edit.of(text)
    return replace(config, text=text.encode(_encoding(config.text)) if isinstance(config.text, bytes) else text)


def _in(texts: Mapping[str, str], place: Place) -> tuple[str, int] | None:
    """The text that a place is in and where; none if it is of no named file."""
    text = texts.get(place.file)
    return (text, offset(text, place)) if text is not None else None


def _take_out(finding: Finding, pair: Pair, texts: Mapping[str, str]) -> Iterator[Change]:
    """The statement that is told should not be there at all."""
    del pair
    if (found := _in(texts, finding.where)) and (edit := removal(*found)):
        yield Change(finding.where.file, (edit,))


def _swap_addresses(finding: Finding, pair: Pair, texts: Mapping[str, str]) -> Iterator[Change]:
    return _swapped(finding, pair, texts, ("address", "peer address"))


def _swap_ports(finding: Finding, pair: Pair, texts: Mapping[str, str]) -> Iterator[Change]:
    return _swapped(finding, pair, texts, ("port", "peer port"))


def _swapped(finding: Finding, pair: Pair, texts: Mapping[str, str], names: tuple[str, str]) -> Iterator[Change]:
    """A copy of the primary's declaration: the secondary's own value and its peer's change places."""
    del finding
    for a, b in pair.relations:
        values = [tuple(end.get(name) for name in names) for end in (a, b)]
        roles = {end.get("role"): end for end in (a, b)}
        if values[0] != values[1] or None in values[0] or set(roles) != {"primary", "secondary"}:
            continue
        secondary = roles["secondary"]
        edits = []
        for name, other in (names, names[::-1]):
            found = _in(texts, secondary.at(name))
            edits.append(found and replacement(*found, secondary.get(name) or "", secondary.get(other) or ""))
        if all(edits):
            yield Change(secondary.place.file, tuple(edit for edit in edits if edit))


def _add_load_balance(finding: Finding, pair: Pair, texts: Mapping[str, str]) -> Iterator[Change]:
    """As the partner says it, else as the manual does; where 0 is said somebody meant it."""
    name = "load balance max seconds"
    ends: list[Relation] = [end for _, end, _ in pair.ends]
    for end in (end for end in ends if name not in end.settings and end.place == finding.where):
        said = [other.get(name) for other in ends if other.name == end.name and other.get(name, "0") != "0"]
        if (found := _in(texts, end.place)) and (edit := addition(*found, f"{name} {(said or [_SECONDS])[0]};")):
            yield Change(end.place.file, (edit,))


def _name_the_relation(finding: Finding, pair: Pair, texts: Mapping[str, str]) -> Iterator[Change]:
    """The pool refers to a failover peer that neither server declares, and there is one that both do: it is meant."""
    names = [{relation.name for relation in peer.relations} for peer in pair.peers]
    meant = names[0] & names[1]
    refers = [pool.relation for peer in pair.peers for pool in peer.pools if pool.relation]
    for said in (setting for setting in refers if setting.place == finding.where):
        if len(meant) != 1 or pair.alone or said.value in names[0] | names[1]:
            continue
        found = _in(texts, said.place)
        edit = found and replacement(*found, f'"{said.value}"', f'"{next(iter(meant))}"')
        if edit:
            yield Change(said.place.file, (edit,))


def _load_lease_cmds(finding: Finding, pair: Pair, texts: Mapping[str, str]) -> Iterator[Change]:
    """From the folder of libdhcp_ha.so, before it."""
    for peer in _of_file(pair, finding.where.file):
        library = peer.libraries.get(_HA)
        if library and _LEASE_CMDS not in peer.libraries and (found := _in(texts, library.place)):
            text, at = found
            path = library.value.replace(_HA, _LEASE_CMDS)
            line = text[text.rfind("\n", 0, at) + 1 : at]
            between = f"\n{line}" if not line.strip() else " "
            yield Change(library.place.file, (Edit(at, at, f'{{"library": "{path}"}},{between}'),))


def _of_file(pair: Pair, file: str) -> list[Peer]:
    return [peer for peer in pair.peers if peer.place.file == file]


_FIXERS: Mapping[str, Fixer] = {
    "addresses-mirrored": _swap_addresses,
    "ports-mirrored": _swap_ports,
    "mclt-on-secondary": _take_out,
    "split-on-secondary": _take_out,
    "load-balance-off": _add_load_balance,
    "pool-relation-unknown": _name_the_relation,
    "ha-lease-cmds": _load_lease_cmds,
}
FIXABLE = frozenset(_FIXERS)
