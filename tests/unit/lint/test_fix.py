"""What is mended: the one right answer, no other byte, and only what is better after."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labbuilder.errors import LintError
from labbuilder.lint import Config, lint_pair
from labbuilder.lint.fix import FIXABLE, diff, mend, text_of
from labbuilder.lint.rewrite import rewrite

PAIRS = Path(__file__).parents[2] / "pairs"
ISC, KEA = "isc", "kea-hot-standby"
P, S = "primary", "secondary"
BALANCE = "  load balance max seconds 3;\n"


def pair_of(name: str, side: str, old: str, new: str) -> tuple[Config, ...]:
    """A good pair in which one thing is changed."""
    texts = {path.stem: path.read_text() for path in (PAIRS / name).iterdir()}
    assert old in texts[side]
    texts[side] = texts[side].replace(old, new)
    return tuple(Config(stem, texts[stem]) for stem in (P, S))


def good(name: str, side: str) -> str:
    return next(path for path in (PAIRS / name).iterdir() if path.stem == side).read_text()


SWAPPED = "192.168.1.3;       port 647;\n  peer address 192.168.1.2;"
COPIED = "192.168.1.2;       port 647;\n  peer address 192.168.1.3;"
LEASE_CMDS = '{"library": "/usr/lib/x86_64-linux-gnu/kea/hooks/libdhcp_lease_cmds.so"},\n    '


@pytest.mark.parametrize(
    ("rule", "name", "side", "old", "new"),
    [
        ("addresses-mirrored", ISC, S, SWAPPED, COPIED),
        ("mclt-on-secondary", ISC, S, BALANCE, f"{BALANCE}  mclt 60;\n"),
        ("mclt-on-secondary", ISC, S, BALANCE, f"{BALANCE[:-1]} mclt 60;\n"),
        ("mclt-on-secondary", ISC, S, BALANCE, f"{BALANCE}\tmclt\n 60  ;\n"),
        ("split-on-secondary", ISC, S, BALANCE, f"{BALANCE}  split 128;\n"),
        ("load-balance-off", ISC, S, BALANCE, ""),
        ("load-balance-off", ISC, P, BALANCE, ""),
        ("pool-relation-unknown", ISC, S, '    failover peer "lab"', '    failover peer "lob"'),
        ("ha-lease-cmds", KEA, P, LEASE_CMDS, ""),
    ],
)
def test_it_is_mended_and_is_as_it_was_before_it_was_bad(rule: str, name: str, side: str, old: str, new: str) -> None:
    pair = pair_of(name, side, old, new)
    assert rule in {finding.rule for finding in lint_pair(*pair, clients=50)}
    done = mend(pair, clients=50)
    assert done.left == ()
    assert {finding.rule for finding in done.mended} == {rule}
    before, after = (sorted(text.split("\n")) for text in (good(name, side), text_of(done.configs[side == S])))
    assert [" ".join(line.split()) for line in before] == [" ".join(line.split()) for line in after]
    assert not any(line.endswith(" ") for line in after)
    other = 0 if side == S else 1
    assert done.configs[other] == pair[other]


def test_every_mender_is_of_a_rule_and_has_a_case() -> None:
    from labbuilder.lint.rules import RULES  # noqa: PLC0415

    assert {rule.id for rule in RULES} >= FIXABLE


def test_ports_are_swapped() -> None:
    pair = pair_of(ISC, S, "port 647;", "port 519;")
    texts = [
        text_of(config).replace("port 647;", "port 519;").replace("peer port 519", "peer port 520") for config in pair
    ]
    done = mend(tuple(Config(name, text) for name, text in zip((P, S), texts, strict=True)), clients=50)
    assert [finding.rule for finding in done.mended] == ["ports-mirrored", "ports-mirrored"]
    assert "port 520;\n  peer address 192.168.1.2;  peer port 519;" in text_of(done.configs[1])
    assert text_of(done.configs[0]) == texts[0]


def test_comments_stay_and_so_does_what_stands_on_the_same_line() -> None:
    line = "  mclt 60; # an hour is too long\n  max-unacked-updates 10; split 128; # why"
    pair = pair_of(ISC, S, "  max-unacked-updates 10;", line)
    text = text_of(mend(pair, clients=50).configs[1])
    assert "mclt" not in text
    assert "split" not in text
    assert "  # an hour is too long\n  max-unacked-updates 10; # why\n" in text


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_statement_is_added_as_the_others_are_written(newline: str) -> None:
    pair = pair_of(ISC, S, BALANCE, "")
    text = text_of(pair[1]).replace("\n  ", "\n\t").replace("\n", newline)
    done = mend((pair[0], Config(S, text.encode())), clients=50)
    assert (
        done.configs[1].text
        == text.replace(f"updates 10;{newline}", f"updates 10;{newline}\tload balance max seconds 3;{newline}").encode()
    )


def test_a_block_on_one_line_stays_on_one() -> None:
    pair = pair_of(ISC, S, BALANCE, "")
    head, block = text_of(pair[1]).split('failover peer "lab" {\n')
    inside, rest = block.split("\n}", 1)
    text = f'{head}failover peer "lab" {{ {" ".join(inside.split())} }}{rest}'
    done = mend((pair[0], Config(S, text)), clients=50)
    assert "max-unacked-updates 10; load balance max seconds 3; }" in text_of(done.configs[1])


@pytest.mark.parametrize("content", ["# Dämon\n".encode(), b"# D\xe4mon \x93\n", b"# \x81\xff\n"])
def test_every_other_byte_stays(content: bytes) -> None:
    pair = pair_of(ISC, S, BALANCE, f"{BALANCE}  mclt 60;\n")
    done = mend((pair[0], Config(S, content + text_of(pair[1]).encode())), clients=50)
    assert done.configs[1].text == content + good(ISC, S).encode()


@pytest.mark.parametrize(
    ("side", "old", "new"),
    [
        (S, "peer address 192.168.1.2", "peer address 192.168.1.4"),  # which of the two is right?
        (S, BALANCE, "  load balance max seconds 0;\n"),  # somebody meant it
        (P, "  mclt 60;\n", ""),
        (P, "  split 128;\n", ""),
        (S, '"lab" {', '"lob" {'),
    ],
)
def test_what_has_no_one_answer_is_left_alone(side: str, old: str, new: str) -> None:
    pair = pair_of(ISC, side, old, new)
    done = mend(pair, clients=50)
    assert done.configs == pair
    assert (done.mended, done.left) == ((), lint_pair(*pair, clients=50))
    assert done.left


def test_what_stands_in_an_included_file_is_left_alone() -> None:
    pair = pair_of(ISC, S, BALANCE, f"{BALANCE}  split 128;\n")
    head, rest = text_of(pair[1]).split("failover peer", 1)
    block, tail = rest.split("\n}\n", 1)
    files = {"/etc/more": f"failover peer{block}\n}}\n"}
    included = (pair[0], Config(S, f'{head}include "/etc/more";\n{tail}', files.__getitem__))
    done = mend(included, clients=50)
    assert done.configs == included
    assert [(finding.rule, finding.where.file) for finding in done.left] == [("split-on-secondary", "/etc/more")]


def test_the_difference_can_be_applied(tmp_path: Path) -> None:
    pair = pair_of(ISC, S, f"{BALANCE}}}", f"{BALANCE}  mclt 60;\n}}")
    said = diff(pair[1], mend(pair, clients=50).configs[1])
    assert said.startswith("--- secondary\n+++ secondary\n@@")
    assert [line for line in said.splitlines()[2:] if line[0] in "+-"] == ["-  mclt 60;"]
    assert diff(pair[0], pair[0]) == ""


def test_a_rewritten_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "real").chmod(0o640)
    os.chown(tmp_path / "real", -1, os.getgroups()[0] if os.getgroups() else -1)
    before = (tmp_path / "real").stat()
    (tmp_path / "link").symlink_to("real")
    rewrite(tmp_path / "link", b"old", b"new")
    after = (tmp_path / "real").stat()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_what_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"newer")
    with pytest.raises(LintError, match="it has changed meanwhile"):
        rewrite(tmp_path / "x", b"old", b"new")
    assert (tmp_path / "x").read_bytes() == b"newer"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LintError, match="No space left on device"):
        rewrite(tmp_path / "x", b"old", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
