"""The parser of dhcpd.conf: what is printed reads back; nothing but a LintError comes of any bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labbuilder.errors import LintError
from labbuilder.lint import Config, lint_pair
from labbuilder.lint.dhcpd import Statement, parse, printed, unquoted
from labbuilder.lint.dhcpd_grammar import Grammar
from labbuilder.lint.source import MAX_BYTES

NAMES = st.from_regex(r"[A-Za-z0-9-]([A-Za-z0-9_.:-]{0,8}[A-Za-z0-9_-])?", fullmatch=True).filter(
    lambda word: word.lower() not in {"of", "include", "case", "default", "no"}
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
        ("no failover peer", ("no", "failover", "peer")),
        ('case "x" :', ("case", '"x"', ":")),
        ("default:", ("default", ":")),
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
        ("subnet 1 {\n range a b }\n", "x:1:8: '1', where an address such as"),
        ("group {\n a;\n", "x:2:4: the end of the file, where '}' was expected: the block of line 1 is open"),
        ("a {\n b;\n}", "x:1:1: 'a' begins no statement that dhcpd takes in the file"),
        ("a b", "x:1:1: 'a' begins no statement"),
        ("a;\n}\n", "x:2:1: '}', where"),
        ('option x "a', "x:1:10: a string that does not end"),
        ("a;;", "x:1:3: one ';' too many"),
        ("subnet 10.0.0.0 netmask 255.0.0.0 { };", "x:1:38: one ';' too many"),
        ("key a { };;", "x:1:11: one ';' too many"),
        ("pool { no failover peer; }", "a pool belongs into a subnet"),
        ("ä;", "x:1:1: the character U+00E4"),
        ("\ufeffa;", "x:1: it begins with a byte order mark (U+FEFF)"),
        (b"\xef\xbb\xbfa;", "x:1: it begins with a byte order mark (U+FEFF)"),
        ("a;\nb\0;", "x:2: it is no text: it holds the byte 0x00"),
        (b"\x7fELF\x01", "it is no text"),
        ("group {" * 70 + "}" * 70, "nested deeper than 64"),
        ("if " + "(" * 10_000 + "known", "nested deeper than 64"),
        ('include "none";', "x:1: 'none' can't be read: there is none"),
        ("include none;", "x:1:9: 'none', where the name of a file in quotes was expected"),
        ('include "loop";', "includes go round: loop -> loop"),
        ('include "bad";', "bad:1:3: '}', where"),
        ('include "flood";', "is too long"),
        ("subnet x {}", "x:1:8: 'x', where an address such as"),
        ("subnet 10.0.0.0 netmask 255.0.0.0 { range 10.0.0.300; }", "no address: 10.0.0.300"),
        ("subnet 10.0.0.0 netmask 255.0.0.0 { range; }", "x:1:42: ';', where an address"),
    ],
)
def test_what_is_broken_is_said_with_its_place(text: str | bytes, told: str) -> None:
    files = included(loop='include "loop";', bad="a;}", flood=b"a;" * (MAX_BYTES // 2))
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


# doubled braces: it is a format
FAILOVER = 'failover peer "f" {{\n {}\n}}\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # A missing semicolon, at the word before which it is missing: dhcpd's line.
        ("authoritative\ndefault-lease-time 60;", "x:2:1: 'default-lease-time', where ';' was expected: it is missing"),
        ("authoritative\ngroup { }", "x:2:1: 'group', where ';' was expected: it is missing after 'authoritative' in"),
        ("option routers 10.9.0.1\npool { }", "x:2:1: 'pool', where ';' was expected: it is missing after '10.9.0.1'"),
        ("authoritative", "x:1:14: the end of the file, where ';' was expected"),
        ("group { authoritative }", "x:1:23: '}', where ';' was expected"),
        (FAILOVER.format("mclt 3600\n split 128;"), "x:3:2: 'split', where ';' was expected: it is missing after"),
        # A word that dhcpd does not know, and the one that was meant.
        ("rango 10.0.0.1;", "x:1:1: 'rango' begins no statement that dhcpd takes in the file: range is meant?"),
        ("default-lease-tiem 600;", "default-lease-time is meant?"),
        ("option router 10.0.0.1;", "x:1:8: there is no option router: routers is meant?"),
        ("option fqdn.nope on;", "there is no option fqdn.nope"),
        ("option nope.x 1;", "there is no option space nope"),
        ("ddns-update-style intrim;", "x:1:19: 'intrim', where interim was expected"),
        # The failover block is a closed list.
        (FAILOVER.format("peer-address 10.0.0.1;"), "x:2:2: 'peer-address' is no statement of a failover peer: peer"),
        (FAILOVER.format("max-unacked-update 10;"), "max-unacked-updates is meant?"),
        (FAILOVER.format("load balance max 5;"), "x:2:19: '5', where seconds was expected"),
        (FAILOVER.format("load balance max secs 5;"), "x:2:19: 'secs', where seconds was expected"),
        (FAILOVER.format("mclt 1h;"), "x:2:7: '1h', where a number was expected"),
        (FAILOVER.format("port failover;"), "x:2:7: 'failover', where a number was expected"),
        (FAILOVER.format("address 10.9.0.333;"), "x:2:10: no address: 10.9.0.333"),
        (FAILOVER.format("max-lease-time 5;"), "x:2:2: 'max-lease-time' is no statement of a failover peer"),
        # A place where it must not stand.
        ("range 10.0.0.1;", "'range' is allowed in a subnet or pool alone"),
        ("host a { subnet 10.0.0.0 netmask 255.0.0.0 { } }", "'subnet' is not allowed in a host"),
        ("if known { range 10.0.0.1; }", "'range' begins no statement that dhcpd takes in the braces of a condition"),
        ("host a { fixed-address 10.0.0.1; fixed-address 10.0.0.2; }", "fixed-address is said twice in this host"),
        ("elsif known { }", "'elsif' without an if before it"),
        # Values have a form.
        ("default-lease-time 1h;", "x:1:20: '1h', where a number was expected"),
        ("option interface-mtu 70000;", "a number of at most 65535"),
        ("option routers 10.0.0;", "'10.0.0', where an address"),
        ("ping-check yes;", "'yes', where true or on or false or off or ignore was expected"),
        ('class "a" { match if substring(option host-name, 0) = "a"; }', "')', where ',' was expected"),
        ('class "a" { match if option host-name and known; }', "a string is compared or joined with a condition"),
        ("option x code 200 = { text, integer 8 };", "text must be last"),
        ("subnet6 2001:db8::/64 { }", "'subnet6' is for DHCPv6"),
        # Found by the changes of tests/integration/test_lint_dhcpd.py.
        ("key a { algorithm hmac-md5; secret lab; }", "a secret in base64: it is cut off"),
        ("eval t4;", "x:1:6: 't4', where hexadecimal bytes"),
        ("eval 0x10;", "x:1:6: '0x10', where hexadecimal bytes"),
        ('switch (option host-name) { case 1: log("x"); }', "dhcpd reads the colon as part of the number"),
        ('log(ethernet, "x");', "no string to log: dhcpd leaves out the rest of the block"),
    ],
)
def test_what_dhcpd_refuses_is_told_where_dhcpd_tells_it(text: str, told: str) -> None:
    with pytest.raises(LintError) as error:
        parse(Config("x", text), Grammar())
    assert told in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "subnet 10.0.0.0 netmask 255.0.255.0 { }",
        'class "a" { match if substring(option host-name, 0, 3) = "a\\"b" or known; lease limit 4; }',
        'class "a" { match hardware; } subclass "a" 1:02:3:4:5:6:7 { option root-path "/"; } subclass "a" "b";',
        "option x code 200 = array of { ip-address, integer 8 }; option x 10.0.0.1 5, 10.0.0.2 6;",
        "option space s code width 2; option s.a code 1 = encapsulate s; option s.a 01:02;",
        'if (known) { filename "a"; } elsif hardware = 00:07 { break; } else { unset x; }',
        'on commit or expiry { set own = binary-to-ascii(16, 8, ":", substring(hardware, 1, 6)); execute("/a", own); }',
        'switch (lcase(option host-name)) { case "a": log("x"); break; default: log(info, "y"); }',
        "key a { algorithm hmac-md5; secret AAAA==; }; zone b.c { primary 127.0.0.1, ns.b.c; key a; }",
        "default-lease-time 0x10; min-secs 010; max-lease-time infinite; deny unknown-clients; server-identifier a.b;",
        "option domain-name-servers a.b.c. , 10.0.0.1; option tftp-server-name x; option unknown-200 01:0a;",
        "authorative;",
        "option routers 10.1-0.1, 192.1t68.1.1; host x { fixed-address 10; uid -1; }",
        "switch (extract-int(hardware, 8)) { case 1: break; }",
    ],
)
def test_what_dhcpd_takes_is_taken(text: str) -> None:
    assert parse(Config("x", text), Grammar())
