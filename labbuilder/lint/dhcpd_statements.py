"""Statements of dhcpd.conf that many blocks take: the forms of what follows their first word."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from labbuilder.lint.dhcpd_expressions import data, expression, variable
from labbuilder.lint.dhcpd_options import Options, value
from labbuilder.lint.dhcpd_words import Words, Wrong

Parameter = Callable[[str, Words, Options], None]
Executable = Callable[[Words, Options], None]
_KEYS = (
    "bootp",
    "booting",
    "dynamic-bootp",
    "unknown-clients",
    "duplicates",
    "declines",
    "client-updates",
    "leasequery",
)
_TYPES = {"8": "bB", "16": "sS", "32": "lL"}
_SIMPLE_TYPES = {
    "boolean": "f",
    "ip-address": "I",
    "ip6-address": "6",
    "domain-name": "d",
    "domain-list": "D",
    "text": "t",
    "string": "X",
    "zerolen": "Z",
}
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_LAST = "dDtXZ"  # of a record these may stand at its end alone, and no array is made of them


def _include(context: str, words: Words, options: Options) -> None:
    del context, options
    words.string("the name of a file in quotes")


def _authoritative(context: str, words: Words, options: Options) -> None:
    del options
    if context in {"host", "an include in host"}:
        raise Wrong(words.at - 1, said="'authoritative' makes no sense in a host")


def _not(context: str, words: Words, options: Options) -> None:
    words.keyword("authoritative")
    _authoritative(context, words, options)


def _elsewhere(where: str) -> Parameter:
    """A statement of one kind of block only."""

    def refuse(context: str, words: Words, options: Options) -> None:
        del options
        alone = ", and not in a file that this includes" if context.startswith("an include in ") else ""
        raise Wrong(words.at - 1, said=f"'{words.words[words.at - 1]}' is allowed in {where} alone{alone}")

    return refuse


def _option(context: str, words: Words, options: Options) -> None:
    if words.peek() == "space":
        _space(context, words, options)
        return
    begin = words.at
    space, name = options.split(words)
    if words.peek() == "code":
        if context:
            raise Wrong(begin, said="an option is defined outside of all blocks")
        words.at += 1
        options.define(space, name, _definition(words, options))
        return
    words.at = begin
    value(words, options.form(words), options)


def _space(context: str, words: Words, options: Options) -> None:
    """``option space NAME``, with the widths of its codes and lengths."""
    if context:
        raise Wrong(words.at, said="an option space is defined outside of all blocks")
    words.at += 1
    name = words.name()
    while words.at < len(words.words):
        what = words.keyword("code", "length", "hash")
        words.keyword("size" if what == "hash" else "width")
        if what == "hash":
            words.number()
        else:
            words.keyword(*(("1", "2", "4") if what == "code" else ("1", "2")))
    options.add_space(name)


def _definition(words: Words, options: Options) -> str:
    """``NUMBER = TYPE``; the form of the option's values."""
    words.number()
    words.need("=")
    array = words.skip("array", "of")
    if not words.sign("{"):
        form = _type(words, options, array=array)
        return form + "a" if array else form
    forms: list[str] = []
    while True:
        if forms and forms[-1].rstrip("a")[:1] in _LAST + "E":
            raise Wrong(words.at - 1, "'}', since text must be last in a record")
        inner = not array and words.skip("array", "of")
        form = _type(words, options, array=array or inner)
        forms.append(form + "a" if inner else form)
        if not words.comma():
            break
    words.need("}")
    return "".join(forms) + ("A" if array else "")


def _type(words: Words, options: Options, *, array: bool) -> str:
    begin = words.at
    word = words.peek()
    if word == "encapsulate":
        words.at += 1
        name = words.name("the name of an option space")
        if not options.knows_space(name):
            raise Wrong(words.at - 1, said=f"there is no option space {name}")
        return f"E{name}."
    if word in {"signed", "unsigned", "integer"}:
        if word != "integer":
            words.at += 1
        words.keyword("integer")
        return _TYPES[words.keyword("8", "16", "32")][word == "unsigned"]
    form = _SIMPLE_TYPES[words.keyword(*_SIMPLE_TYPES, "integer", "signed", "unsigned", "encapsulate")]
    if array and form in _LAST:
        raise Wrong(begin, "a number, a boolean or an address: there are no arrays of text")
    if form == "D":
        words.skip("compressed")
    return form


def _server_identifier(context: str, words: Words, options: Options) -> None:
    del context
    value(words, "I", options)


def _lease_id_format(context: str, words: Words, options: Options) -> None:
    del context, options
    words.keyword("octal", "hex")


def _anything(context: str, words: Words, options: Options) -> None:
    del context, options
    words.rest()


def _subclass(context: str, words: Words, options: Options) -> None:
    del context, options
    words.string("the name of the class in quotes")
    if words.peek()[:1] == '"':
        words.string()
    else:
        words.hexadecimal()


def _vendor_class(context: str, words: Words, options: Options) -> None:
    del context, options
    words.string("the name of the class in quotes")


PARAMETERS: Mapping[str, Parameter] = {
    "include": _include,
    "authoritative": _authoritative,
    "not": _not,
    "option": _option,
    "server-identifier": _server_identifier,
    "hardware": _elsewhere("a host"),
    "fixed-address": _elsewhere("a host"),
    "fixed-address6": _elsewhere("a host"),
    "fixed-prefix6": _elsewhere("a host"),
    "range": _elsewhere("a subnet or pool"),
    "lease-id-format": _lease_id_format,
    "server-duid": _anything,
    "%": _anything,
    "subclass": _subclass,
    "vendor-class": _vendor_class,
    "user-class": _vendor_class,
}


def _allow(words: Words, options: Options) -> None:
    del options
    words.keyword(*_KEYS)


def _known_option(words: Words, options: Options) -> None:
    value(words, options.form(words), options)


def _set(words: Words, options: Options) -> None:
    variable(words)
    words.need("=")
    expression(words, options)


def _unset(words: Words, options: Options) -> None:
    del options
    variable(words)


def _eval(words: Words, options: Options) -> None:
    expression(words, options)


def _log(words: Words, options: Options) -> None:
    words.need("(")
    if words.peek() in {"fatal", "error", "debug", "info"}:
        words.at += 1
        words.need(",")
    begin = words.at
    try:
        data(words, options)
    except Wrong as wrong:
        if wrong.at > begin or wrong.said:
            raise
        raise Wrong(begin, said="no string to log: dhcpd leaves out the rest of the block without a word") from wrong
    words.need(")")


def _execute(words: Words, options: Options) -> None:
    words.need("(")
    words.string("a command in quotes")
    while words.comma():
        data(words, options)
    words.need(")")


def _on(words: Words, options: Options) -> None:
    del options
    while True:
        words.keyword("commit", "release", "expiry", "transmission")
        if not words.skip("or"):
            return


def _add(words: Words, options: Options) -> None:
    del options
    words.string("the name of a class in quotes")


def _nothing(words: Words, options: Options) -> None:
    del words, options


def _db_time_format(words: Words, options: Options) -> None:
    del options
    words.keyword("default", "local")


def _default(words: Words, options: Options) -> None:
    if words.words[-1] == ":":
        raise Wrong(0, said="'default:' is not allowed outside of a switch")
    _known_option(words, options)


EXECUTABLE: Mapping[str, Executable] = {
    "option": _known_option,
    "supersede": _known_option,
    "send": _known_option,
    "prepend": _known_option,
    "append": _known_option,
    "allow": _allow,
    "deny": _allow,
    "ignore": _allow,
    "set": _set,
    "define": _set,
    "unset": _unset,
    "eval": _eval,
    "return": _eval,
    "log": _log,
    "execute": _execute,
    "on": _on,
    "add": _add,
    "break": _nothing,
    "parse-vendor-option": _nothing,
    "db-time-format": _db_time_format,
}
_BASE64 = re.compile(r"[A-Za-z0-9+/]{2,}=*")


def secret(words: Words) -> None:
    """Take a key's secret in base64, which may be several words, or a string."""
    begin = words.at
    words.rest()
    text = "".join(word.strip('"') for word in words.words[begin:])
    if not _BASE64.fullmatch(text):
        raise Wrong(begin, "a secret in base64")
    digits = text.rstrip("=")
    spare = len(digits) * 6 % 8  # bits that make no byte must be 0
    if _DIGITS.index(digits[-1]) & (2**spare - 1):
        raise Wrong(begin, "a secret in base64: it is cut off, or a letter is lost")
