"""What statements of a dhcpd.conf say: parameters, options, permits, tests of classes; written so that they compare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from labbuilder.lint.dhcpd import Statement, printed
from labbuilder.lint.dhcpd_options import SERVER, Options, canonical_name, meaning
from labbuilder.lint.model import Setting

_SPACES = re.compile(r"\s*,\s*")
_RUN = {"if", "elsif", "else", "on", "switch", "set", "unset", "define", "execute", "log", "eval", "return"}
_OPTIONS = {"option", "supersede", "send", "default", "prepend", "append"}
# What allow, deny and ignore set outside of pools (parse_allow_deny of server/confpars.c).
_ALLOWED = {
    "bootp": "allow-bootp",
    "booting": "allow-booting",
    "unknown-clients": "boot-unknown-clients",
}
_FLAGS = {"allow": "true", "deny": "false", "ignore": "ignore"}


def setting(statement: Statement, after: int, form: str = "X") -> Setting:
    """The value of a statement after so many words; `form` is that of the option."""
    text = _SPACES.sub(", ", statement.value(after))
    meant = text if statement.words[after : after + 1] == ("=",) else meaning(text, form)
    return Setting(text, statement.place, meant)


def settings(block: Iterable[Statement], options: Options) -> Iterator[tuple[str, Setting]]:
    """Parameters and options that a block says, by name; but for `authoritative`, which holds from where it stands."""
    runs: list[Statement] = []
    for statement in block:
        words = statement.words
        name = words[0].lower()
        if name in _RUN:
            runs.append(statement)
        elif statement.block is not None:
            continue
        elif name in SERVER and name != "authoritative":
            yield name, setting(statement, 1, SERVER[name])
        elif name in _OPTIONS and len(words) > 1:
            if len(words) <= 2 or words[2].lower() != "code":  # noqa: PLR2004
                yield _option(statement, options)
        elif name == "server-identifier":
            yield "option dhcp-server-identifier", setting(statement, 1, "I")
        elif name in _FLAGS and len(words) == 2:  # noqa: PLR2004
            what = words[1].lower()
            yield _ALLOWED.get(what, what), Setting(_FLAGS[name], statement.place)
    if runs:
        yield "conditions", Setting(text_of(runs), runs[0].place)


def _option(statement: Statement, options: Options) -> tuple[str, Setting]:
    name = canonical_name(statement.words[1])
    space, dot, own = name.partition(".")
    form = options.form_of(space, own) if dot else options.form_of("dhcp", name)
    return f"option {name}", setting(statement, 2, form or "X")


def text_of(statements: Iterable[Statement]) -> str:
    """Statements as text that compares: without regard to case, but in strings."""
    return printed(Statement(_lower(s.words), _block(s)) for s in statements)


def _block(statement: Statement) -> tuple[Statement, ...] | None:
    if statement.block is None:
        return None
    return tuple(Statement(_lower(inner.words), _block(inner)) for inner in statement.block)


def _lower(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word if word[:1] == '"' else word.lower() for word in words)
