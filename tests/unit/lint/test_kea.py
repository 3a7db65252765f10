"""The parser of Kea's JSON: comments, includes, places."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbuilder.errors import LintError
from labbuilder.lint import Config, lint_pair
from labbuilder.lint.kea import Value, parse

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"))
LEAVES = st.one_of(
    TEXTS, st.integers(-(2**63), 2**63 - 1), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)
)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3))
)


def plain(value: Value) -> object:
    """The document without its places, all but objects and arrays as text."""
    if isinstance(value.data, str):
        return value.data
    if isinstance(value.data, tuple):
        return [plain(entry) for entry in value.data]
    return {name: plain(entry) for name, entry in value.data.items()}


def texts(document: object) -> object:
    if isinstance(document, list):
        return [texts(entry) for entry in document]
    if isinstance(document, dict):
        return {name: texts(entry) for name, entry in document.items()}
    return document if isinstance(document, str) else json.dumps(document)


@given(DOCUMENTS)
def test_it_reads_what_json_writes(document: object) -> None:
    value = parse(Config("x", json.dumps(document, indent=1, ensure_ascii=False))).root
    assert plain(value) == texts(document)


def test_comments_and_a_last_comma_are_taken() -> None:
    text = '# one\n{"a": /* two\n */ ["//", "#", "/*", "<?include \\"b\\"?>",], // three\n}'
    value = parse(Config("x", text)).root
    assert plain(value) == {"a": ["//", "#", "/*", '<?include "b"?>']}


def test_numbers_commas_and_blanks_are_taken_as_kea_takes_them() -> None:
    text = '{"a": [.5, 1., 007, -0, +1, 1e3,, 2,,,], "b"\n:\t"\\u00e4\\/"}'
    value = parse(Config("x", text)).root
    assert plain(value) == {"a": [".5", "1.", "007", "-0", "+1", "1e3", "2"], "b": "\u00e4/"}
    assert [entry.kind for entry in value.items("a")] == ["float"] * 2 + ["integer"] * 2 + ["float"] * 2 + ["integer"]


def test_blanks_in_an_include_are_taken_as_kea_takes_them() -> None:
    text = '{"a": <? include\n "one" ?>}'
    assert plain(parse(Config("x", text, {"one": "1"}.__getitem__)).root) == {"a": "1"}


def test_a_name_twice_is_told_with_both_places() -> None:
    (twice,) = parse(Config("x", '{"a": 1,\n "b": 2,\n "a": {}}')).twice
    assert (twice.name, str(twice.place), str(twice.first)) == ("a", "x:3", "x:1")


def test_an_include_is_any_piece_of_the_text_and_places_stay_right() -> None:
    files = {"list": '[1,\n2,\n <?include "last"?>]', "last": "3", "member": '"c":\n 4'}
    text = '{\n "a": <?include "list"?>, "b": 5,\n <?include "member"?>\n}'
    document = parse(Config("x", text, files.__getitem__))
    value, includes = document.root, document.includes
    assert plain(value) == {"a": ["1", "2", "3"], "b": "5", "c": "4"}
    places = {
        f"{entry.place}:{entry.place.column}" for entry in (*value.items("a"), value.get("b"), value.get("c")) if entry
    }
    assert places == {"list:1:2", "list:2:1", "last:1:1", "x:2:32", "member:2:2"}
    assert [(name, str(place)) for name, place in includes] == [("list", "x:2"), ("last", "list:3"), ("member", "x:3")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1', "x:1:8: the end of the file, where ',' or '}'"),
        ('{"a": 1,\n "b" 2}', "x:2:6: '2', where ':'"),
        ("{'a': 1}", 'x:1:2: "\'"'),
        ('{"a": "b\n"}', "x:1:7: a string that does not end"),
        ('{"a": "\\q"}', "an escape that JSON has not"),
        ('{"a": ' * 70 + "1" + "}" * 70, "nested deeper than 64"),
        ('{"a": <?include "none"?>}', "x:1: 'none' can't be read"),
        ('{"a": <?include "loop"?>}', "includes go round"),
        ('{"a": 1} }', "x:1:10: '}'"),
        ('{"a": [1 2]}', "x:1:10: '2', where ',' or ']'"),
        ('{"a": [,1]}', "x:1:8: ',', where ']' or a value"),
        ('{"a": {,"b": 1}}', "x:1:8: ',', where '}' or a string"),
        ('{"a": 1 "b": 2}', "x:1:9: '\"b\"', where ',' or '}'"),
        ('{"a": ,}', "x:1:7: ',', where a value"),
        ('{"a": ["b": 1]}', "x:1:11: ':', where ',' or ']'"),
        ('{"a": [1}', "x:1:9: '}', where ',' or ']'"),
        ('{"a": "b\tc"}'.replace("\\t", "\t"), "a string that does not end, or holds a tab"),
        ('{"a": "\\u1234"}', "an escape that JSON has not, or Kea: \\u1234"),
        ('{"a": True}', "where true is written in lower case"),
        ('{"a": 9223372036854775808}', "is no integer of 64 bits"),
        ('{"a": 1\f}', "x:1:8: "),
        ('{"a": \u00e9}', "the character U+00E9"),
        ('{"a": /* no end', "x:1:7: a comment that does not end"),
        ("{}", "it holds no Dhcp4"),
        ("[]", "it holds no Dhcp4"),
    ],
)
def test_what_is_broken_is_said_with_its_place(text: str, told: str) -> None:
    config = Config("x", text, {"loop": '<?include "loop"?>'}.__getitem__)
    with pytest.raises(LintError) as error:
        lint_pair(config, config)
    assert told in str(error.value)


@pytest.mark.parametrize("server", ["1", "[]", '"x"', "null", '{"subnet4": 1, "hooks-libraries": [1]}'])
def test_values_of_the_wrong_kind_are_no_traceback(server: str) -> None:
    config = Config("x", f'{{"Dhcp4": {server}}}')
    assert {finding.rule for finding in lint_pair(config, config)} == {"ha-missing", "kea-syntax"}
