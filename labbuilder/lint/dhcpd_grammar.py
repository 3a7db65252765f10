"""The statements of dhcpd.conf: which there are in which block, and of what form (server/confpars.c, common/parse.c).

What the parser of dhcpd 4.4 would refuse is refused; what refers to something else is not looked up here, but for
options, whose form depends on their definition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from labbuilder.lint.dhcpd_blocks import CLOSED, OWN
from labbuilder.lint.dhcpd_expressions import DATA, HEX_LIKE, KEYWORDS, NUMERIC, condition, expression, variable
from labbuilder.lint.dhcpd_options import SERVER, Options, value
from labbuilder.lint.dhcpd_statements import EXECUTABLE, PARAMETERS
from labbuilder.lint.dhcpd_words import NAME, Words, Wrong, close

TOP = "the file"
_INCLUDED = "an include in "
_NETWORKS = {"shared-network", "subnet"}
_SWITCHES = {"switch": DATA, "switch over numbers": NUMERIC}
_RUN = {"executable", *_SWITCHES}
# Blocks in which a declaration must not stand, by its first word.
_NOT_IN: Mapping[str, set[str]] = {
    "subnet": {"host", "subnet", "class"},
    "shared-network": {"shared-network", "host", "subnet", "class"},
    "group": {"host", "class"},
    "host": {"host", "class"},
    "class": {"class"},
    "subclass": {"class"},
    "vendor-class": {"class"},
    "user-class": {"class"},
}
_ANYWHERE = PARAMETERS.keys() | EXECUTABLE.keys() | SERVER.keys()
_DHCPV6 = {"subnet6", "pool6", "range6", "prefix6"}


@dataclass(slots=True)
class Frame:
    """A block that is being read: of what kind, and what it held last."""

    context: str
    last: str = ""
    """The first word of the block that was closed last, if nothing came since."""
    seen: set[str] = field(default_factory=set)
    """What may stand in it once only, and did."""

    @property
    def included(self) -> str:
        """The context of a file that is included here: dhcpd reads it with the statements of any block alone."""
        return self.context if self.context in {TOP, "group"} else _INCLUDED + self.context.removeprefix(_INCLUDED)

    def closed(self, words: tuple[str, ...]) -> None:
        """A block in this one was closed."""
        first = words[0].lower()
        self.last = "if" if first == "elsif" or (first == "else" and len(words) > 1) else first


class Grammar:
    """Checks statements in the order of the file; one for each configuration.

    Attributes:
        options: The options that there are, with those that the configuration defines.
    """

    def __init__(self) -> None:
        self.options = Options()

    def simple(self, frame: Frame, words: tuple[str, ...]) -> None:
        """Check a statement that ends with a semicolon.

        Raises:
            Wrong: dhcpd refuses it.
        """
        cursor = Words(words)
        name = words[0].lower()
        if (known := CLOSED.get(frame.context)) is not None:
            _listed(frame, cursor, known)
        elif name in OWN.get(frame.context, {}):
            OWN[frame.context][name](frame, cursor, self.options)
        else:
            self._any(frame, cursor, name)
        cursor.end()

    def block(self, frame: Frame, words: tuple[str, ...]) -> str:
        """Check a statement that has braces; return the context inside.

        Raises:
            Wrong: dhcpd refuses it.
        """
        name = words[0].lower()
        context = frame.context.removeprefix(_INCLUDED)
        if frame.context not in CLOSED and (head := _HEADS.get(name)):
            if context in _NOT_IN.get(name, ()) or (context in _RUN and name not in _EXECUTABLE_HEADS):
                raise Wrong(0, said=f"'{name}' is not allowed in {_shown(context)}")
            cursor = Words(words, 1)
            inside = head(frame, cursor, self.options)
            if cursor.at < len(words):
                raise cursor.wrong("'{'")
            return inside
        self.simple(frame, words)
        if name not in (OWN.get(frame.context) or CLOSED.get(frame.context) or ()) and name not in _ANYWHERE:
            raise Wrong(0, said=_no_statement(frame, Words(words)))
        raise Wrong(len(words), "';'")

    def _any(self, frame: Frame, cursor: Words, name: str) -> None:
        """A statement that may stand in many blocks."""
        run = frame.context in _RUN
        if not run and (parameter := PARAMETERS.get(name)):
            cursor.at = 1
            parameter("" if frame.context == TOP else frame.context, cursor, self.options)
        elif name in EXECUTABLE:
            cursor.at = 1
            EXECUTABLE[name](cursor, self.options)
        elif name in {"case", "default"} and cursor.words[-1] == ":":
            self._label(frame, cursor, name)
        elif name in SERVER:
            cursor.at = 1
            value(cursor, SERVER[name], self.options)
        else:
            self._unknown(frame, cursor, name, run=run)

    def _label(self, frame: Frame, cursor: Words, name: str) -> None:
        """``case EXPRESSION:`` or ``default:``."""
        if frame.context not in _SWITCHES:
            raise Wrong(0, said=f"'{name}' is not allowed outside of a switch")
        cursor.at = 1
        if name == "case":
            begin = cursor.at
            wanted = _SWITCHES[frame.context]
            found = expression(cursor, self.options, wanted)
            bytes_alone = cursor.at == begin + 1 and HEX_LIKE.fullmatch(cursor.words[begin].lower())
            if bytes_alone and wanted == found == DATA:
                raise Wrong(begin, "a string: dhcpd reads the colon as part of the number")
        cursor.need(":")

    def _unknown(self, frame: Frame, cursor: Words, name: str, *, run: bool) -> None:
        """What begins with no word that dhcpd knows there: it may be an expression, which does nothing."""
        if name in _DHCPV6:
            raise Wrong(0, said=f"'{name}' is for DHCPv6: dhcpd -4 refuses it")
        if name in _HEADS and not (run and name not in _EXECUTABLE_HEADS):
            self.block(frame, cursor.words)
            raise Wrong(len(cursor.words), "'{'")
        if name in KEYWORDS or not NAME.fullmatch(name):
            raise Wrong(0, said=_no_statement(frame, cursor))
        if len(cursor.words) > 1 and cursor.words[1] not in {"(", "=", "!", "~"}:
            raise Wrong(0, said=_no_statement(frame, cursor))
        expression(cursor, self.options)


def meant(name: str) -> str:
    """The statement that somebody meant who wrote this word; empty if none is near."""
    return close(name, (*PARAMETERS, *EXECUTABLE, *SERVER, *_HEADS, "range", "failover peer", "fixed-address"))


def _no_statement(frame: Frame, cursor: Words) -> str:
    word = cursor.words[0]
    near = meant(word)
    hint = f": {near} is meant?" if near and near != word.lower() else ""
    return f"'{word}' begins no statement that dhcpd takes in {_shown(frame.context)}{hint}"


def _shown(context: str) -> str:
    included = _INCLUDED if context.startswith(_INCLUDED) else ""
    name = context.removeprefix(_INCLUDED)
    words = {TOP: TOP, "executable": "the braces of a condition or event"}
    article = "an" if name[0] in "aeio" else "a"
    return included + words.get(name, f"{article} {name}")


def _listed(frame: Frame, cursor: Words, known: Mapping[str, Callable[[Frame, Words], None]]) -> None:
    """A statement of a block that takes no others than those of its list."""
    name = cursor.peek()
    if name in known:
        cursor.at = 1
        known[name](frame, cursor)
        return
    for count in (1, 2, 4):
        near = close(" ".join(cursor.words[:count]), _spelled(known))
        if near:
            break
    hint = f": {near} is meant?" if near and near != name else ""
    raise Wrong(0, said=f"'{cursor.words[0]}' is no statement of {_shown(frame.context)}{hint}")


def _spelled(known: Mapping[str, object]) -> tuple[str, ...]:
    phrases = {"load": "load balance max seconds", "peer": "peer address"}
    more = ("peer port", "peer max-response-delay") if "peer" in known else ()
    return (*(phrases.get(name, name) for name in known), *more)


Head = Callable[[Frame, Words, Options], str]


def _subnet(frame: Frame, words: Words, options: Options) -> str:
    del frame, options
    words.address()
    words.keyword("netmask")
    words.address()
    return "subnet"


def _shared_network(frame: Frame, words: Words, options: Options) -> str:
    del frame, options
    if words.peek()[:1] == '"':
        words.string()
    else:
        words.domain()
    return "shared-network"


def _group(frame: Frame, words: Words, options: Options) -> str:
    del frame, options
    if words.at < len(words.words):
        words.string_or_name()
    return "group"


def _host(frame: Frame, words: Words, options: Options) -> str:
    del frame, options
    words.domain()
    return "host"


def _pool(frame: Frame, words: Words, options: Options) -> str:
    del words, options
    if frame.context not in _NETWORKS and frame.context.removeprefix(_INCLUDED) not in _NETWORKS:
        raise Wrong(0, said=f"a pool belongs into a subnet or a shared network, not into {_shown(frame.context)}")
    return "pool"


def _class(frame: Frame, words: Words, options: Options) -> str:
    del frame, options
    words.string("the name of the class in quotes")
    return "class"


def _subclass(frame: Frame, words: Words, options: Options) -> str:
    PARAMETERS["subclass"](frame.context, words, options)
    return "subclass"


def _failover(frame: Frame, words: Words, options: Options) -> str:
    del options
    if frame.context not in {TOP, "shared-network"}:
        raise Wrong(0, said=f"a failover peer is declared outside of all blocks, not in {_shown(frame.context)}")
    words.keyword("peer")
    words.string_or_name("the name of the failover peer")
    return "failover peer's state" if words.skip("state") else "failover peer"


def _if(frame: Frame, words: Words, options: Options) -> str:
    del frame
    if words.sign("("):
        condition(words, options)
        words.need(")")
    else:
        condition(words, options)
    return "executable"


def _elsif(frame: Frame, words: Words, options: Options) -> str:
    if frame.last != "if":
        raise Wrong(0, said="'elsif' without an if before it")
    return _if(frame, words, options)


def _else(frame: Frame, words: Words, options: Options) -> str:
    if frame.last != "if":
        raise Wrong(0, said="'else' without an if before it")
    return _if(frame, words, options) if words.skip("if") else "executable"


def _on(frame: Frame, words: Words, options: Options) -> str:
    del frame
    EXECUTABLE["on"](words, options)
    return "executable"


def _switch(frame: Frame, words: Words, options: Options) -> str:
    del frame
    words.need("(")
    kind = expression(words, options)
    words.need(")")
    return "switch" if kind == DATA else "switch over numbers"


def _function(frame: Frame, words: Words, options: Options) -> str:
    del frame, options
    variable(words)
    words.need("(")
    while not words.sign(")"):
        variable(words)
        words.comma()
    return "executable"


def _key(frame: Frame, words: Words, options: Options) -> str:
    del frame, options
    if words.peek()[:1] == '"':
        words.string()
    else:
        words.domain()
    return "key"


def _zone(frame: Frame, words: Words, options: Options) -> str:
    del frame, options
    words.domain()
    return "zone"


_EXECUTABLE_HEADS: Mapping[str, Head] = {
    "if": _if,
    "elsif": _elsif,
    "else": _else,
    "on": _on,
    "switch": _switch,
    "define": _function,
    "set": _function,
    "key": _key,
    "zone": _zone,
}
_HEADS: Mapping[str, Head] = {
    **_EXECUTABLE_HEADS,
    "subnet": _subnet,
    "shared-network": _shared_network,
    "group": _group,
    "host": _host,
    "pool": _pool,
    "class": _class,
    "vendor-class": _class,
    "user-class": _class,
    "subclass": _subclass,
    "failover": _failover,
}
