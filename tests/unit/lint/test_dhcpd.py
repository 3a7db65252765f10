"""The parser of dhcpd.conf: what is printed reads back; nothing but a LintError comes of any bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labbuilder.errors import LintError
from labbuilder.lint import Config, lint_pair
from labbuilder.lint.dhcpd import Statement, parse, printed, unquoted
from labbuilder.lint.source import MAX_BYTES

NAMES = st.from_regex(r"[A-Za-z0-9_-]([A-Za-z0-9_.:-]{0,8}[A-Za-z0-9_-])?", fullmatch=True).filter(
    lambda word: word.lower() not in {"of", "include"}
)
STRINGS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
SIGNS = st.sampled_from("!$%&'()*+,/<=>?@[]^`|~")
RECORDS = st.lists(NAMES, max_size=3).map(lambda names: ("=", "{", *names, "}"))
WORDS = st.lists(st.one_of(NAMES, STRINGS, SIGNS.map(str)), min_size=1, max_size=5).map(tuple)
SIMPLE = st.builds(lambda words, record: Statement((*words, *record)), WORDS, st.one_of(st.just(()), RECORDS))


def blocks(inner: st.SearchStrategy[Statement]) -> st.SearchStrategy[Statement]:
    heads = WORDS.filter(lambda words: words[-1] != "=")
    return st.builds(Statement, heads, st.lists(inner, max_size=3).map(tuple))


TREES = st.lists(st.recursive(SIMPLE, blocks, max_leaves=8), max_size=4).map(tuple)
PIECES = (
    r'subnet|10.0.0.0|netmask|255.0.0.0|{|}|;|range |"|#|\n|include |"a"|failover peer |pool|\\|= {|of|\xff|\0|,|key|'
    r' |host|option |{"Dhcp4":|"subnet4"|:|[|]|"pools"|/*|*/|<?include "a"?>|fixed-address |"hooks-libraries"|deny |hba'
)
NOISE = st.lists(st.sampled_from(PIECES.encode().decode("unicode_escape").split("|")), max_size=40).map(
    lambda pieces: "".join(pieces).encode("latin-1")
)


@given(TREES)
def test_what_is_printed_reads_back(tree: tuple[Statement, ...]) -> None:
    assert parse(Config("x", printed(tree))) == tree


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), NOISE), NOISE)
def test_any_bytes_give_findings_or_a_lint_error(text: bytes, included: bytes) -> None:
    config = Config("x", text, {"a": included}.__getitem__)
    try:
        lint_pair(config, config)
    except LintError as error:
        assert error.brief  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("default-lease-time\n  600;", ("default-lease-time", "600")),
        ("range 10 . 0.0 .1;", ("range", "10.0.0.1")),
        ("hba aa:\n bb;", ("hba", "aa:bb")),
        ('option x "a;}\\"#";', ("option", "x", '"a;}\\"#"')),
        (
            "option x code 9 = { integer 8, text };",
            ("option", "x", "code", "9", "=", "{", "integer", "8", ",", "text", "}"),
        ),
        (
            "option x code 9 = array\nof # c\n{ text };",
            ("option", "x", "code", "9", "=", "array", "of", "{", "text", "}"),
        ),
        ("a # ; {\n b;", ("a", "b")),
        ("a b;#", ("a", "b")),
    ],
)
def test_one_statement(text: str, words: tuple[str, ...]) -> None:
    assert parse(Config("x", text)) == (Statement(words),)


def test_strings_are_read_as_dhcpd_reads_them() -> None:
    assert unquoted(r'"a\"b\\c\x41\101\t\q"') == 'a"b\\cAA\tq'


def test_blocks_know_their_places() -> None:
    (outer,) = parse(Config("x", "\nsubnet a {\n  pool {\n b c; }\n}"))
    assert outer.block is not None
    (pool,) = outer.block
    assert (str(outer.place), str(pool.place), pool.place.column) == ("x:2", "x:3", 3)


def test_an_include_is_read_where_it_stands() -> None:
    files = {"/etc/one": 'a;\ninclude "/etc/two";', "/etc/two": "b {\n c; }"}
    (outer,) = parse(Config("x", 'subnet s { include "/etc/one"; d; }', files.__getitem__))
    assert outer.block is not None
    assert [(s.words[0], str(s.place)) for s in outer.block] == [
        ("include", "x:1"),
        ("a", "/etc/one:1"),
        ("include", "/etc/one:2"),
        ("b", "/etc/two:1"),
        ("d", "x:1"),
    ]


def included(**files: str | bytes) -> Callable[[str], str | bytes]:
    return files.__getitem__


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("subnet 1 {\n range a b }\n", "x:2:12: '}', where"),
        ("a {\n b;\n", "x:2:4: the end of the file, where"),
        ("a b", "the end of the file, where ';' or '{'"),
        ("a;\n}\n", "x:2:1: '}', where"),
        ('option x "a', "x:1:10: a string that does not end"),
        ("a;;", "x:1:3: one ';' too many"),
        ("subnet a { };", "x:1:13: one ';' too many"),
        ("key a { };;", "x:1:11: one ';' too many"),
        ("ä;", "x:1:1: the character U+00E4"),
        ("\ufeffa;", "x:1:1: the character U+FEFF"),
        ("a;\nb\0;", "x:2: it is no text: it holds the byte 0x00"),
        (b"\x7fELF\x01", "it is no text"),
        ("a {" * 70 + "}" * 70, "nested deeper than 64"),
        ('include "none";', "x:1: 'none' can't be read: there is none"),
        ("include none;", "an include wants one file name in quotes"),
        ('include "loop";', "includes go round: loop -> loop"),
        ('include "bad";', "bad:1:3: '}', where"),
        ('include "flood";', "is too long"),
        ("subnet 10.0.0.0 netmask 255.0.255.0 {}", "no subnet"),
        ("subnet x {}", "no subnet"),
        ("subnet 10.0.0.0 netmask 255.0.0.0 { range 10.0.0.300; }", "no address: 10.0.0.300"),
        ("subnet 10.0.0.0 netmask 255.0.0.0 { range; }", "a range wants one or two addresses"),
    ],
)
def test_what_is_broken_is_said_with_its_place(text: str | bytes, told: str) -> None:
    files = included(loop='include "loop";', bad="a }", flood=b"a;" * (MAX_BYTES // 2))
    with pytest.raises(LintError) as error:
        lint_pair(Config("x", text, files), Config("y", "a;"))
    assert told in str(error.value)
    assert "\x1b" not in str(error.value)


def test_the_line_is_shown_with_a_mark() -> None:
    with pytest.raises(LintError) as error:
        parse(Config("x", "a;\n\tsubnet }\n"))
    assert error.value.details == " subnet }\n        ^"


def test_includes_that_double_are_refused_early() -> None:
    files = {f"f{i}": f'include "f{i + 1}"; include "f{i + 1}";' for i in range(60)} | {"f60": "a;"}
    with pytest.raises(LintError, match="too many includes"):
        parse(Config("x", 'include "f0";', files.__getitem__))


def test_latin_1_in_a_comment_is_no_mistake() -> None:
    assert parse(Config("x", b"# D\xe4mon\na;")) == (Statement(("a",)),)
