"""`labbuilder lint --daemon` asks the real dhcpd and kea-dhcp4: of this host, or of the lab's image."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import image_sshd
import pytest

from labbuilder.errors import HostError
from labbuilder.host.store import Home
from labbuilder.lint import Config, Engine, Place
from labbuilder.verify.daemon import Answer, ask

pytestmark = pytest.mark.needs_root

PAIRS = Path(__file__).parents[1] / "pairs"
ISC, KEA = PAIRS / "isc/primary.conf", PAIRS / "kea-hot-standby/primary.json"
Ask = Callable[[Config, Engine], Answer]


@pytest.fixture
def asked(home: Home) -> Ask:
    image_sshd.image_tree(home)
    return lambda config, engine: ask(config, engine, home)


def lines_of(answer: Answer) -> list[tuple[str, int]]:
    return [(place.file, place.line) for place, _ in answer.refused]


@pytest.mark.parametrize(("file", "engine", "daemon"), [(ISC, "isc", "dhcpd 4."), (KEA, "kea", "kea-dhcp4 2.")])
def test_the_daemon_takes_a_good_file_and_says_which_it_is(asked: Ask, file: Path, engine: Engine, daemon: str) -> None:
    answer = asked(Config.from_file(file), engine)
    assert answer.refused == ()
    assert answer.daemon.startswith(daemon)


@pytest.mark.parametrize(
    ("file", "engine", "old", "new", "line"),
    [
        (ISC, "isc", "  mclt 60;", "  mclt;", 21),
        (KEA, "kea", '"valid-lifetime"', '"valid-lifetme"', 7),
        (KEA, "kea", '"routers"', '"rooters"', 21),
    ],
)
def test_what_the_daemon_refuses_has_its_line(
    asked: Ask, file: Path, engine: Engine, old: str, new: str, line: int
) -> None:
    text = file.read_text()
    assert old in text
    answer = asked(Config("my file", text.replace(old, new)), engine)
    assert ("my file", line) in lines_of(answer)
    assert all(what for _, what in answer.refused)
    assert not any("/mnt" in what for _, what in answer.refused)


@pytest.mark.parametrize(
    ("engine", "text", "included"),
    [
        ("isc", 'include "/etc/a b";\n# include "nothing";\n', "option routers\n  1.2.3.4\nping-check true;"),
        ("kea", '{"Dhcp4": <?include "/etc/a b"?>}', '{\n"valid-lifetme": 3}'),
    ],
)
def test_what_is_wrong_in_an_included_file_is_told_there(asked: Ask, engine: Engine, text: str, included: str) -> None:
    config = Config("one", text, {"/etc/a b": included}.__getitem__, shown=lambda name: f"host:{name}")
    assert lines_of(asked(config, engine))[0][0] == "host:/etc/a b"


def test_an_include_that_is_not_there_is_told_by_the_daemon(asked: Ask) -> None:
    answer = asked(Config("one", 'ping-check false;\ninclude "/none";', {"else": ""}.__getitem__), "isc")
    assert answer.refused
    assert "/none" in " ".join(what for _, what in answer.refused)


def test_the_image_stays_as_it_is_and_nothing_is_left(asked: Ask, home: Home) -> None:
    tree = image_sshd.image_tree(home)
    watched = [tree / name for name in ("", "mnt", "run", "etc", "var/lib/dhcp", "tmp")]
    before = [path.stat().st_mtime_ns for path in watched]
    asked(Config.from_file(ISC), "isc")
    asked(Config.from_file(KEA), "kea")
    assert [path.stat().st_mtime_ns for path in watched] == before
    assert str(tree) not in Path("/proc/mounts").read_text()
    assert not list(Path("/tmp").glob("labbuilder-lint-*"))


def test_who_may_not_run_it_is_told(asked: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HostError, match="only root may run that of the lab's image"):
        asked(Config.from_file(ISC), "isc")
    with pytest.raises(HostError, match="no image of a lab is here"):
        ask(Config.from_file(KEA), "kea", Home(tmp_path))


def test_one_that_is_installed_here_is_asked(asked: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "dhcpd").write_text(
        '#!/bin/sh\ncase $* in *version) echo isc-dhcpd-4.9;; *) echo "$4 line 2: no." >&2; exit 1;; esac\n'
    )
    (tmp_path / "dhcpd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    answer = asked(Config("x", "\n"), "isc")
    assert (answer.daemon, answer.refused) == ("dhcpd 4.9 of this host", ((Place("x", 2), "no."),))
