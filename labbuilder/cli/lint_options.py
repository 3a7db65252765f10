"""The options of `labbuilder lint`, read by argparse: typer takes longer to start than the lint takes to run."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from labbuilder.cli import output
from labbuilder.errors import LintError
from labbuilder.lint.formats import FORMATS, Format
from labbuilder.lint.words import LANGUAGES, language_of

_ABOUT = """\
Say what is wrong between the two configurations of a failover pair, of ISC
dhcpd or Kea, or in one by itself; also ones written by hand. No lab, no root
and no daemon is needed; files are only read."""
_END = """\
HOST: or HOST:PATH is a file of a running host, read by ssh; without PATH its
dhcpd.conf or kea-dhcp4.conf is looked for.

Exit status: 0 no errors; 1 errors (with --strict: or warnings); 2 a file can't
be read, or its daemon would refuse its syntax.

Examples:
  labbuilder lint one/dhcpd.conf two/dhcpd.conf --clients 100
  labbuilder lint /etc/dhcp/dhcpd.conf
  labbuilder lint server1: server2:
  labbuilder lint --pair a.json b.json --pair c.json d.json --format sarif
  labbuilder lint a.conf b.conf --fix --write
  labbuilder lint --explain mclt-missing"""
_REMOTE = re.compile(r"(?:[^/:@]+@)?(?:[^/:]+|\[[^]/]+\]):")


@dataclass(frozen=True)
class Options:
    """What was asked for: pairs and servers that are to be looked at, and how.

    Attributes:
        targets: Each two files, or one; as they were named.
        explain: Of this rule everything is told, and nothing is looked at.
        rules: All rules are listed, and nothing is looked at.
        daemon: The real daemon is asked too.
        fix: What has one right answer is shown as a diff.
        write: And written.
    """

    targets: tuple[tuple[str, ...], ...]
    clients: int | None
    cold_standby: bool
    engine_version: str | None
    strict: bool
    format: Format
    language: str
    explain: str | None
    rules: bool
    daemon: bool
    fix: bool
    write: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """A usage error is one of ours: in words, or as JSON where that was asked for.

        Raises:
            LintError: Always.
        """
        raise LintError(brief=message, resolution="labbuilder lint --help has examples")


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("labbuilder lint", description=_ABOUT, epilog=_END, formatter_class=_Help, allow_abbrev=False)
    add = parser.add_argument
    add("files", nargs="*", metavar="FILE", help="dhcpd.conf or kea-dhcp4.conf: of both peers, or of one server")
    add("--pair", nargs=2, action="append", default=[], metavar="FILE", help="one more pair; as often as you like")
    add("--alone", action="store_true", help="each FILE is a server by itself, however many there are")
    add("--clients", type=_count, metavar="N", help="so many clients are expected")
    add("--cold-standby", action="store_true", help="one dhcpd is off until it is needed: no failover is wanted")
    add("--engine-version", metavar="KEA", help="the release of Kea, such as kea-2.6; default: the installed one's")
    add("--strict", action="store_true", help="warnings count as errors do")
    add("--daemon", action="store_true", help="ask dhcpd -t or kea-dhcp4 -t too: of this host, or of the lab's image")
    add("--fix", action="store_true", help="show, as a diff, what mends findings that have one right answer")
    add("--write", action="store_true", help="and write it")
    add("--format", choices=FORMATS, default="text", help="for people, programs, code scanning, GitHub's annotations")
    add("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    add("--language", choices=LANGUAGES, help="default: as LANG says, for text")
    add("--explain", metavar="RULE", help="tell all of one rule, with an example, and look at nothing")
    add("--rules", action="store_true", help="list all rules, and look at nothing")
    return parser


def read(words: Sequence[str]) -> Options:
    """Read the words after `lint`.

    Raises:
        LintError: They don't go together.
        SystemExit: Help was asked for, and is printed.
    """
    output.settings["json"] = "--json" in words  # how an error in the words themselves is told
    parser = _parser()
    said = parser.parse_intermixed_args(list(words))
    if any(word.startswith("--") for pair in said.pair for word in pair):  # Python 3.13 takes an option for a file
        parser.error("argument --pair: expected 2 arguments")
    output.settings["json"] = said.format == "json"
    if (said.fix or said.write) and (said.format != "text" or said.daemon):
        raise LintError(
            brief="--fix shows a diff: it goes with no --format and no --daemon", resolution="leave one out"
        )
    language = said.language or (language_of(dict(os.environ)) if said.format == "text" else "en")
    looks = not (said.explain or said.rules)
    return Options(
        targets=_targets(said.files, said.pair, alone=said.alone) if looks else (),
        clients=said.clients,
        cold_standby=said.cold_standby,
        engine_version=said.engine_version,
        strict=said.strict,
        format=said.format,
        language=language,
        explain=said.explain,
        rules=said.rules,
        daemon=said.daemon,
        fix=said.fix or said.write,
        write=said.write,
    )


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of clients")
    return int(text)


def _targets(files: list[str], pairs: list[list[str]], *, alone: bool) -> tuple[tuple[str, ...], ...]:
    more = tuple((a, b) for a, b in pairs)
    if alone:
        return (*((file,) for file in files), *more)
    if len(files) > 2:  # noqa: PLR2004
        raise LintError(
            brief=f"which of these {len(files)} files belong together?",
            resolution="name each pair with --pair FILE FILE, or look at each file by itself with --alone",
        )
    if not files and not more:
        raise LintError(brief="no file is named", resolution="labbuilder lint FILE FILE, or labbuilder lint FILE")
    return (*([tuple(files)] if files else []), *more)


def host_and_path(name: str) -> tuple[str, str] | None:
    """A file of a running host, as `scp` names it: ``user@host:path``, the path may be left out; None: a file here."""
    if not _REMOTE.match(name) or Path(name).exists():
        return None
    at = name.index("]:") + 1 if name.partition("@")[2].startswith("[") or name.startswith("[") else name.index(":")
    return name[:at], name[at + 1 :]
