"""Expressions of dhcpd.conf (dhcp-eval(5)): their grammar and types, as parse_expression of common/parse.c has them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from labbuilder.lint.dhcpd_words import NAME, Words, Wrong

if TYPE_CHECKING:
    from labbuilder.lint.dhcpd_options import Options

DATA, NUMERIC, BOOLEAN, ANY = "a string", "a number", "a condition", "an expression"
_DEEP = 64
# What a function takes: d data, n number, w the width of an integer, v a variable, s a string; +: more of the last.
_FUNCTIONS = {
    "substring": ("dnn", DATA),
    "suffix": ("dn", DATA),
    "lcase": ("d", DATA),
    "ucase": ("d", DATA),
    "concat": ("dd+", DATA),
    "binary-to-ascii": ("nndd", DATA),
    "reverse": ("nd", DATA),
    "pick-first-value": ("d+", DATA),
    "pick": ("d+", DATA),
    "packet": ("nn", DATA),
    "v6relay": ("nd", DATA),
    "extract-int": ("dw", NUMERIC),
    "encode-int": ("nw", DATA),
    "defined": ("v", BOOLEAN),
    "gethostname": ("", DATA),
    "gethostbyname": ("s", DATA),
}
_CONSTANTS = {
    **dict.fromkeys(("hardware", "leased-address", "filename", "server-name", "null", "host-decl-name"), DATA),
    **dict.fromkeys(("lease-time", "client-state", "formerr", "noerror", "notauth", "notimp", "notzone"), NUMERIC),
    **dict.fromkeys(("nxdomain", "nxrrset", "refused", "servfail", "yxdomain", "yxrrset", "booting"), NUMERIC),
    **dict.fromkeys(("reboot", "select", "request", "bound", "renew", "rebind"), NUMERIC),
    **dict.fromkeys(("static", "known"), BOOLEAN),
}
_RANKS = {"equal": 4, "match": 4, "and": 3, "or": 3, "+": 2, "*": 1, "/": 1, "%": 1, "&": 100, "|": 100, "^": 100}
# dhcpd's scanner does not look at the first letter: to it x1 is a hexadecimal number too, and a wrong one.
HEX_LIKE = re.compile(r"[a-z0-9][0-9a-f]*(:[0-9a-f]*)*")
_OPERANDS = {"and": BOOLEAN, "or": BOOLEAN, "equal": ANY, "match": DATA}
KEYWORDS = frozenset(
    """abandoned active add address after algorithm alias all allow also and anycast-mac append array at atsfp
    authenticated authentication authoring-byte-order authoritative auto-partner-down backoff-cutoff backup balance
    big-endian billing binary-to-ascii binding boolean boot-unknown-clients booting bootp bound break case check ciaddr
    class client-hostname client-identifier client-state client-updates clients close cltt code commit
    communications-interrupted compressed concat config-option conflict-done connect create db-time-format debug
    declines default default-duid default-lease-time define defined delete deleted deny disconnect do-forward-update
    do-forward-updates domain domain-list domain-name duplicates dynamic dynamic-bootp dynamic-bootp-lease-cutoff
    dynamic-bootp-lease-length else elsif en encapsulate encode-int ends epoch error ethernet eval execute exists expire
    expired expiry extract-int failover fatal fddi filename fixed-address fixed-address6 fixed-prefix6 formerr free
    function get-lease-hostnames gethostbyname gethostname giaddr group hardware hash hba help hex host host-decl-name
    host-identifier hostname ia-na ia-pd ia-ta iaaddr iaprefix identifier if ignore include infiniband infinite info
    initial-delay initial-interval integer interface ip-address ip6-address is key key-algorithm known known-clients
    lcase lease lease-id-format lease-time lease6 leased-address leasequery length let limit little-endian ll llt load
    local log match max max-balance max-lease-misbalance max-lease-ownership max-lease-time max-life max-response-delay
    max-transmit-idle max-unacked-updates mclt media medium members min-balance min-lease-time min-secs my nameserver
    netmask never new next next-server no noerror normal not notauth notimp notzone null nxdomain nxrrset octal of omapi
    on one-lease-per-client open option or owner packet parse-vendor-option partner partner-down paused peer pick
    pick-first-value pool pool6 port potential-conflict preferred-life prefix6 prepend primary primary6 pseudo range
    range6 rebind reboot recontact-interval recover recover-done recover-wait refresh refused reject release released
    remove renew request require reserved reset resolution-interrupted retry return reverse rewind script search
    secondary secondary6 seconds secret select select-timeout send server server-duid server-identifier server-name
    servfail set shared-network shutdown siaddr signed size space spawn split starts startup state static string
    subclass subnet subnet6 substring suffix supersede switch temporary text timeout timestamp token-ring transmission
    tsfp tstp ucase uid unauthenticated unknown unknown-clients unknown-state unset unsigned update use-host-decl-names
    use-lease-addr-for-default-route user-class v6relay v6relopt vendor vendor-class width with yiaddr yxdomain yxrrset
    zerolen zone""".split()  # noqa: SIM905  300 quotes less
)
"""Words that dhcpd's scanner reserves (common/conflex.c): no variable has such a name."""


def data(words: Words, options: Options) -> None:
    """Take an expression whose value is a string."""
    _typed(words, options, DATA)


def condition(words: Words, options: Options) -> None:
    """Take an expression that is true or false."""
    begin = words.at
    if expression(words, options, BOOLEAN) in {DATA, NUMERIC}:
        raise Wrong(begin, BOOLEAN)


def variable(words: Words) -> str:
    """Take the name of a variable."""
    if words.peek() in KEYWORDS:
        raise words.wrong("the name of a variable")
    return words.name("the name of a variable")


def expression(words: Words, options: Options, context: str = ANY) -> str:
    """Take an expression; return its type."""
    return _binary(words, options, context, "", "")


def _typed(words: Words, options: Options, wanted: str) -> None:
    begin = words.at
    if expression(words, options, wanted) not in {wanted, ANY}:
        raise Wrong(begin, wanted)


def _binary(words: Words, options: Options, context: str, left: str, operator: str) -> str:
    """The rest of an expression after its left side and operator, if these have been taken."""
    while True:
        right = _operand(words, options, context)
        following, length = _operator(words)
        if following:
            context = right
        if not left:
            if not following:
                return right
            left, operator = right, following
            words.at += length
            continue
        if following and _RANKS[operator] < _RANKS[following]:
            words.at += length
            right = _binary(words, options, _inside(following), right, following)
            following = ""
        left = _joined(words, operator, left, right)
        if not following:
            return left
        operator = following
        words.at += length


def _inside(operator: str) -> str:
    return DATA if operator in {"equal", "match"} else _OPERANDS.get(operator, NUMERIC)


def _operator(words: Words) -> tuple[str, int]:
    """The operator that comes next, and of how many words it is."""
    word, after = words.peek(), words.words[words.at + 1 : words.at + 2]
    match word:
        case "=":
            return "equal", 1
        case "!":
            if after != ("=",):
                raise words.wrong("'!='")
            return "equal", 2
        case "~":
            if after not in {("=",), ("~",)}:
                raise words.wrong("'~=' or '~~'")
            return "match", 2
        case "and" | "or" | "+" | "/" | "*" | "%" | "&" | "|" | "^":
            return word, 1
    return "", 0


def _joined(words: Words, operator: str, left: str, right: str) -> str:
    """The type of an operation; dhcpd refuses one on values of different types."""
    if ANY not in {left, right} and left != right:
        raise Wrong(words.at - 1, said=f"{left} is compared or joined with {right}")
    wanted = _OPERANDS.get(operator, NUMERIC)
    if (right == BOOLEAN) if wanted == ANY else (right not in {wanted, ANY} or (operator == "match" and right == ANY)):
        raise Wrong(words.at - 1, wanted if wanted != ANY else f"{DATA} or {NUMERIC}")
    return BOOLEAN if operator in _OPERANDS else NUMERIC


def _operand(words: Words, options: Options, context: str) -> str:
    """An operand without a binary operator."""
    word = words.peek()
    words.depth += 1
    if words.depth > _DEEP:
        raise words.wrong("", f"expressions are nested deeper than {_DEEP}")
    try:
        if word in _FUNCTIONS:
            words.at += 1
            return _function(words, options, word)
        if word in _CONSTANTS:
            words.at += 1
            return _CONSTANTS[word]
        return _other(words, options, context, word)
    finally:
        words.depth -= 1


def _other(words: Words, options: Options, context: str, word: str) -> str:
    """An operand that is no function and no constant."""
    match word:
        case "not":
            words.at += 1
            begin = words.at
            if _operand(words, options, BOOLEAN) != BOOLEAN:
                raise Wrong(begin, BOOLEAN)
            return BOOLEAN
        case "(":
            words.at += 1
            inner = expression(words, options, context)
            words.need(")")
            return inner
        case "exists" | "option" | "config-option":
            words.at += 1
            options.form(words)
            return BOOLEAN if word == "exists" else DATA
    return _literal(words, options, context, word)


def _literal(words: Words, options: Options, context: str, word: str) -> str:
    """A string, a number, bytes, a variable, or the call of a function of the configuration's own."""
    if word.lstrip("-").isdigit() and context == NUMERIC:
        words.at += 1
        return NUMERIC
    if word[:1] == '"':
        words.at += 1
        return DATA
    if HEX_LIKE.fullmatch(word) or word[:2] == "0x":
        words.hexadecimal()
        return DATA
    if word in KEYWORDS or not NAME.fullmatch(word):
        raise words.wrong(context)
    words.at += 1
    if words.sign("("):
        _arguments(words, options)
    return ANY


def _arguments(words: Words, options: Options) -> None:
    expression(words, options)
    while words.comma():
        expression(words, options)
    words.need(")")


def _function(words: Words, options: Options, name: str) -> str:
    wanted, result = _FUNCTIONS[name]
    words.need("(")
    many = wanted.endswith("+")
    for index, kind in enumerate(wanted.rstrip("+")):
        if index:
            words.need(",")
        _argument(words, options, kind)
    while many and words.comma():
        _argument(words, options, "d")
    words.need(")")
    return result


def _argument(words: Words, options: Options, kind: str) -> None:
    match kind:
        case "d":
            data(words, options)
        case "n":
            _typed(words, options, NUMERIC)
        case "w":
            words.keyword("8", "16", "32")
        case "v":
            variable(words)
        case _:
            words.string()
