"""labbuilder lint: exit statuses, one JSON document, files of all kinds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PAIRS = Path(__file__).parents[2] / "pairs"
P, S, KEA = PAIRS / "isc/primary.conf", PAIRS / "isc/secondary.conf", PAIRS / "kea-hot-standby/primary.json"


def lint(*words: Path | str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "labbuilder", "lint", *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)


def changed(folder: Path, old: str, new: str) -> Path:
    (folder / "changed.conf").write_text(S.read_text().replace(old, new))
    return folder / "changed.conf"


def test_a_good_pair_is_fine_in_words_and_in_json() -> None:
    said = lint(P, S)
    assert (said.returncode, said.stdout, said.stderr) == (0, "Nothing found: the two fit each other.\n", "")
    assert json.loads(lint(P, S, "--json").stdout) == {"passed": True, "findings": []}


def test_an_error_is_status_1_with_where_why_and_how_to_mend(tmp_path: Path) -> None:
    bad = changed(tmp_path, "192.168.1.200", "192.168.1.199")
    said = lint(P, bad)
    assert said.returncode == 1
    for part in (f"{P}:32:", f"there: {bad}", "why:", "mend:", "pool-differs", "1 error."):
        assert part in said.stdout
    (finding,) = json.loads(lint(P, bad, "--json").stdout)["findings"]
    assert (finding["rule"], finding["severity"], finding["where"]["line"]) == ("pool-differs", "error", 32)


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--strict"], 1)])
def test_a_warning_counts_when_asked(tmp_path: Path, options: list[str], code: int) -> None:
    said = lint(P, changed(tmp_path, "TIME 600", "TIME 900"), *options)
    assert (said.returncode, "lease-times-differ" in said.stdout) == (code, True)


def test_the_clients_are_taken_into_account() -> None:
    standby = PAIRS / "isc-hot-standby"
    pair = standby / "primary.conf", standby / "secondary.conf"
    assert "hot-standby-pool" in lint(*pair, "--clients", "51").stdout
    assert lint(*pair, "--clients", "50").stdout.startswith("Nothing found")


def test_a_cold_standby_is_none_without_being_told(tmp_path: Path) -> None:
    alone = tmp_path / "dhcpd.conf"
    alone.write_text("subnet 192.168.1.0 netmask 255.255.255.0 { pool { range 192.168.1.100 192.168.1.200; } }")
    assert lint(alone, alone).returncode == 1
    said = lint(alone, alone, "--cold-standby")
    assert (said.returncode, said.stdout) == (0, "Nothing found: the two fit each other.\n")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("missing", None, "can't be read: No such file or directory"),
        (".", None, "can't be read: Is a directory"),
        ("binary", b"\x7fELF\0", "it is no text"),
        ("broken", b"subnet {{", "broken:1:8: '{'"),
        ("long", b"# x\n" * 5_000_000, "long is too long"),
        ("kea.json", KEA.read_bytes(), "kea.json for Kea"),
        ("esc\x1b[2J", b"}", "esc?[2J:1:1"),
        ("include", b'include "/proc/self/mem";', "can't be read"),
        ("device", b'include "/dev/zero";', "no regular file"),
    ],
)
def test_what_can_not_be_read_is_status_2(tmp_path: Path, name: str, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    said = lint(P, tmp_path / name)
    assert (said.returncode, said.stdout) == (2, "")
    assert told in said.stderr
    assert "Traceback" not in said.stderr
    assert "\x1b" not in said.stderr


def test_a_pipe_is_a_file_and_an_included_fifo_does_not_hang(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, S.read_bytes())
    os.close(theirs)
    argv = [sys.executable, "-m", "labbuilder", "lint", str(P), f"/dev/fd/{ours}"]
    said = subprocess.run(argv, capture_output=True, text=True, check=False, pass_fds=(ours,))
    os.close(ours)
    assert said.returncode == 0, said.stderr
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "a").write_text(f'include "{tmp_path / "fifo"}";')
    assert lint(tmp_path / "a", S).returncode == 2


def test_absolute_includes_are_looked_for_in_the_machines_own_tree(tmp_path: Path) -> None:
    text = {"one": P.read_text(), "two": S.read_text()}
    for machine in ("one", "two"):
        folder = tmp_path / machine / "etc/dhcp"
        folder.mkdir(parents=True)
        head, subnet = text[machine].split("subnet 192", 1)
        (folder / "dhcpd.conf").write_text(f'{head} include "/etc/dhcp/master.conf";')
        (folder / "master.conf").write_text("subnet 192" + subnet)
    pair = [tmp_path / machine / "etc/dhcp/dhcpd.conf" for machine in text]
    assert lint(*pair).returncode == 0
    master = tmp_path / "two/etc/dhcp/master.conf"
    master.write_text(master.read_text().replace("192.168.1.200", "192.168.1.199"))
    assert f"there: {master}" in lint(*pair).stdout


def test_a_relative_include_is_looked_for_in_the_folder_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x/etc").mkdir(parents=True)
    (tmp_path / "more").write_text("authoritative;")
    (tmp_path / "x/etc/dhcpd.conf").write_text('include "more";\n' + P.read_text())
    said = lint("x/etc/dhcpd.conf", S)
    assert (said.returncode, "include-relative" in said.stdout) == (0, True), said.stderr


def test_a_server_by_itself(tmp_path: Path) -> None:
    said = lint(P)
    assert (said.returncode, said.stdout) == (0, "Nothing found.\n")
    said = lint(changed(tmp_path, "  secondary;", "  primary;"))
    assert (said.returncode, "mclt-missing" in said.stdout, "split-missing" in said.stdout) == (1, True, True)


def test_several_pairs_and_servers_in_one_call(tmp_path: Path) -> None:
    bad = changed(tmp_path, "192.168.1.200", "192.168.1.199")
    said = lint(P, S, "--pair", P, bad, "--pair", KEA, KEA.with_stem("secondary"))
    assert said.returncode == 1
    assert said.stdout.startswith(
        f"{P}, {S}\nNothing found: the two fit each other.\n\n{P}, {bad}\nerror: pool-differs"
    )
    document = json.loads(lint(P, S, "--pair", P, bad, "--json").stdout)
    assert (document["passed"], [finding["rule"] for finding in document["findings"]]) == (False, ["pool-differs"])
    each = lint("--alone", P, S, KEA)
    assert (each.returncode, each.stdout.count("Nothing found.")) == (0, 3)


def test_one_pair_that_can_not_be_read_hides_no_other(tmp_path: Path) -> None:
    bad = changed(tmp_path, "192.168.1.200", "192.168.1.199")
    said = lint(P, tmp_path / "none", "--pair", P, bad)
    assert (said.returncode, "pool-differs" in said.stdout, "none can't be read" in said.stderr) == (2, True, True)
    document = json.loads(lint(P, tmp_path / "none", "--pair", P, bad, "--json").stdout)
    assert [error["exit_code"] for error in document["errors"]] == [2]
    assert [finding["rule"] for finding in document["findings"]] == ["pool-differs"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no file is named"),
        (["a", "b", "c"], "which of these 3 files belong together?"),
        (["--pair", "a"], "expected 2 arguments"),
        (["a", "--what"], "--what"),
        (["a", "--clients", "-1"], "--clients"),
        (["a", "--clients", "many"], "'many' is no number of clients"),
        (["a", "--format", "xml"], "invalid choice: 'xml'"),
        (["a", "--language", "fr"], "invalid choice: 'fr'"),
    ],
)
def test_what_is_asked_wrongly_is_told_in_words_and_in_json(words: list[str], told: str) -> None:
    said = lint(*words)
    assert (said.returncode, said.stdout) == (2, "")
    assert told in said.stderr
    assert "What to do: " in said.stderr
    assert told in json.loads(lint(*words, "--json").stdout)["brief"]


def test_the_options_before_the_command_and_after_it() -> None:
    argv = [sys.executable, "-m", "labbuilder", "-v", "lint", str(P), str(S), "--format", "json"]
    said = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert json.loads(said.stdout) == {"passed": True, "findings": []}
    assert "Examples:" in lint("--help").stdout


def test_it_speaks_spanish_where_the_terminal_does() -> None:
    def said(*words: str, **env: str) -> str:
        argv = [sys.executable, "-m", "labbuilder", "lint", str(P), str(S), *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, env=os.environ | {"LC_ALL": ""} | env)
        return done.stdout

    assert said(LANG="es_ES.UTF-8").startswith("No se ha encontrado nada")
    assert said("--language", "en", LANG="es_ES.UTF-8").startswith("Nothing found")
    assert said("--language", "es", LANG="C").startswith("No se ha encontrado nada")


def test_a_rule_is_explained_and_all_are_listed() -> None:
    assert lint("--explain", "mclt-missing").stdout.startswith("mclt-missing: error")
    assert "mclt-missing" in lint("--rules").stdout
    said = lint("--explain", "mclt-mising")
    assert (said.returncode, "did you mean mclt-missing" in said.stderr) == (2, True)


def test_what_is_mended_is_shown_first_and_written_when_asked(tmp_path: Path) -> None:
    bad = changed(tmp_path, "  secondary;", "  secondary; split 128; # theirs")
    bad.chmod(0o640)
    before = bad.read_text()
    said = lint(P, bad, "--fix")
    assert (said.returncode, bad.read_text()) == (1, before)
    assert "-  secondary; split 128; # theirs\n+  secondary; # theirs\n" in said.stdout
    assert "This mends 1 finding; --write writes it." in said.stdout
    said = lint(P, bad, "--fix", "--write")
    assert (said.returncode, bad.read_text()) == (0, before.replace(" split 128;", ""))
    assert bad.stat().st_mode & 0o777 == 0o640
    assert "Mended: 1 finding." in said.stdout
    again = lint(P, bad, "--fix")
    assert (again.returncode, "Nothing has one right answer" in again.stdout) == (0, True)
    assert "goes with no --format" in lint(P, bad, "--fix", "--json").stdout
