"""What the real daemon says of a configuration: dhcpd -t or kea-dhcp4 -t, of this host or of the lab's image."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labbuilder.errors import HostError
from labbuilder.host.run import Result, run
from labbuilder.host.store import Home
from labbuilder.lint import Config, Engine, Place

_PROGRAMS: Mapping[Engine, str] = {"isc": "dhcpd", "kea": "kea-dhcp4"}
_TEST = {"isc": ("-4", "-t", "-cf"), "kea": ("-t",)}
_VERSION = {"isc": "--version", "kea": "-v"}
_PACKAGES = {"isc": "isc-dhcp-server", "kea": "kea-dhcp4-server"}
_INCLUDE = {
    "isc": re.compile(r'(\binclude\s+")([^"\n]+)(")'),
    "kea": re.compile(r'(<\?\s*include\s+")([^"\n]+)("\s*\?>)'),
}
_TOLD = (
    re.compile(r"/\S*?/(?P<number>\d+)\.conf(?: line |:)(?P<line>\d+)(?:\.(?P<column>\d+)[-\d.]*)?: +(?P<what>.*)"),
    re.compile(r"(?:^Error encountered: )?(?P<what>.*) \(/\S*?/(?P<number>\d+)\.conf:(?P<line>\d+):(?P<column>\d+)\)$"),
)
_NOISE = re.compile(
    r"Internet Systems|Copyright|All rights|For info|Config file:|Database file:|PID file:|^\d{4}-\d\d-\d\d "
)
_FAREWELL = re.compile(r"^(?:If you think you have|Configuration file errors|exiting)", re.MULTILINE)
_LIMIT_S = 60.0
_MOST = 20  # of a daemon's complaints; one missing brace makes hundreds
# Seen by these processes alone, and gone with them: the image stays as it is. Nobody's rights are enough to read.
_IN_IMAGE = """set -e
mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"
mount -t tmpfs -o mode=755,size=64m tmpfs "$1/mnt"; cp "$2"/* "$1/mnt"; chmod a+r "$1"/mnt/*
root=$1; shift 2
exec chroot --userspec=65534:65534 "$root" "$@"
"""


@dataclass(frozen=True)
class Answer:
    """What a daemon said of one configuration.

    Attributes:
        daemon: Which one it was, with its version and where it is from.
        refused: What it complained of, each with its place; empty if it takes the file.
    """

    daemon: str
    refused: tuple[tuple[Place, str], ...]


def ask(config: Config, engine: Engine, home: Home) -> Answer:
    """Give the daemon a copy of the configuration, with its includes, and say what it said.

    Raises:
        HostError: The daemon is not here, and the image is not, or only root may run it.
    """
    program = _PROGRAMS[engine]
    call, origin = _caller(program, home)
    with tempfile.TemporaryDirectory(prefix="labbuilder-lint-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        seen_at, execute = call(folder)
        shown = _copied(config, _INCLUDE[engine], folder, seen_at)
        said = execute(program, *_TEST[engine], f"{seen_at}/0.conf")
        version = execute(program, _VERSION[engine])
    number = re.search(r"\d[\w.-]+", version.stdout + version.stderr)
    return Answer(f"{program} {number[0] if number else ''} {origin}", () if said.ok else _refused(said, shown))


Execute = Callable[..., Result]


def _caller(program: str, home: Home) -> tuple[Callable[[Path], tuple[str, Execute]], str]:
    """How the daemon is run on the files of a folder, and where it sees them; and what people call it."""
    anything = range(256)
    own = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if own:
        return lambda folder: (
            str(folder),
            lambda _, *words: run(own, *words, ok=anything, timeout_s=_LIMIT_S, env={"KEA_LOCKFILE_DIR": "none"}),
        ), "of this host"
    root = _image_with(program, home)

    def enter(folder: Path) -> tuple[str, Execute]:
        own_space = (
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--propagation",
            "private",
            "sh",
            "-c",
            _IN_IMAGE,
        )
        within = (*own_space, "sh", root, folder)
        env = {"KEA_LOCKFILE_DIR": "none"}
        return "/mnt", lambda *words: run(*within, *words, ok=anything, timeout_s=_LIMIT_S, env=env)

    return enter, "of the lab's image"


def _image_with(program: str, home: Home) -> Path:
    trees = sorted(home.images.glob("[!.]*/root"), key=lambda tree: tree.stat().st_mtime, reverse=True)
    found = next((tree for tree in trees if (tree / "usr/sbin" / program).exists()), None)
    engine: Engine = "kea" if program == _PROGRAMS["kea"] else "isc"
    install = f"apt install {_PACKAGES[engine]}"
    if found is None:
        raise HostError(
            brief=f"{program} is not installed, and no image of a lab is here",
            resolution=f"{install}, or labbuilder image build",
        )
    if os.geteuid() != 0:
        raise HostError(
            brief=f"{program} is not installed, and only root may run that of the lab's image",
            resolution=f"sudo labbuilder lint ... --daemon, or {install}",
        )
    return found


def _copied(config: Config, include: re.Pattern[str], folder: Path, seen_at: str) -> list[str]:
    """Write the configuration and all that it includes under numbers; their names, by number, as findings show them."""
    shown = [config.name]
    numbers: dict[str, int] = {}

    def copied(match: re.Match[str]) -> str:
        name = match[2]
        if name not in numbers:
            try:
                content = config.include(name)
            except (OSError, KeyError, ValueError):
                return match[0]  # the daemon says it better, or it stands in a comment
            numbers[name] = len(shown)
            shown.append(config.shown(name))
            write(numbers[name], content)
        return f"{match[1]}{seen_at}/{numbers[name]}.conf{match[3]}"

    def write(number: int, content: str | bytes) -> None:
        text = content if isinstance(content, str) else content.decode("latin-1")
        raw = include.sub(copied, text)
        target = folder / f"{number}.conf"
        target.write_bytes(raw.encode("utf-8" if isinstance(content, str) else "latin-1"))

    write(0, config.text)
    return shown


def _refused(said: Result, shown: list[str]) -> tuple[tuple[Place, str], ...]:
    words = _FAREWELL.split(f"{said.stderr}\n{said.stdout}")[0]
    lines = [line for line in words.splitlines() if line.strip() and not _NOISE.search(line)]
    found = [match for line in lines if (match := next(filter(None, (told.search(line) for told in _TOLD)), None))]
    placed = [match for match in found if int(match["number"]) < len(shown)]
    if not placed:
        return ((Place(shown[0]), " ".join(lines[-3:]) or f"exit status {said.code}"),)
    places = [
        (Place(shown[int(match["number"])], int(match["line"]), int(match["column"] or 1)), match["what"])
        for match in placed[:_MOST]
    ]
    return tuple(dict.fromkeys(places))
