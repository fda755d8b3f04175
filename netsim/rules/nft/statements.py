"""Statements of a rule. Ref: nftables 1.0.6 src/parser_bison.y; nft(8), "STATEMENTS"."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.dataclass import dataclass
from netsim.rules.nft.ast import (
    NAT,
    Assign,
    Binary,
    Ct,
    CtCount,
    Expression,
    Flags,
    Log,
    Match,
    Meta,
    NotModelled,
    NoTrack,
    Payload,
    Reject,
    ResetOption,
    Rule,
    SetUpdate,
    Statement,
    TableFamily,
    TCPOption,
    Value,
    VerdictMap,
    VerdictStatement,
)
from netsim.rules.nft.datatypes import datatype, read_time
from netsim.rules.nft.elsewhere_statements import elsewhere, endpoint
from netsim.rules.nft.expressions import expression, jump, mapping, right_side, starts_expression, verdict
from netsim.rules.nft.header_parts import number
from netsim.rules.nft.intervals import read_mark_prefix
from netsim.rules.nft.stateful_statements import counter, last, limit, quota, set_object
from netsim.rules.nft.tokens import Source

_COMPARISONS = {
    "==": "==",
    "eq": "==",
    "!=": "!=",
    "ne": "!=",
    "<": "<",
    "lt": "<",
    ">": ">",
    "gt": ">",
    "<=": "<=",
    "le": "<=",
} | {
    ">=": ">=",
    "ge": ">=",
}
_NAT_KINDS = ("dnat", "snat", "masquerade", "redirect")
_NAT_FLAGS = ("random", "fully-random", "persistent")
STATEFUL = ("limit", "counter", "quota", "ct", "last")
_TCP = 6
_REJECT_CODES = {
    # protocol: codes that nft takes
    "icmp": (
        *("net-unreachable", "host-unreachable", "prot-unreachable", "port-unreachable"),
        *("net-prohibited", "host-prohibited", "admin-prohibited"),
    ),
    "icmpv6": ("no-route", "admin-prohibited", "addr-unreachable", "port-unreachable", "policy-fail", "reject-route"),
    "icmpx": ("no-route", "port-unreachable", "host-unreachable", "admin-prohibited"),
}
_REJECT_DEFAULTS = {
    TableFamily.IP: "icmp",
    TableFamily.IP6: "icmpv6",
}
_NOT_MODELLED = frozenset(
    (
        # statements and expressions that nft knows (nft(8) 1.0.6) and the model does not
        *(
            "xt",
            "osf",
            "ipsec",
            "auth",
            "tunnel",
            "esp",
            "ah",
            "comp",
            "igmp",
            "gre",
            "geneve",
            "vxlan",
            "gretap",
            "inner",
        ),
    )
)
_NOT_MODELLED_KEYS: dict[str, tuple[str, ...]] = {"socket": ("cgroupv2",), "ct": ("seqadj",)}


@dataclass(slots=True)
class StatementReader:
    """Reads rules of one table."""

    source: Source
    family: TableFamily

    def rule(self) -> Rule:
        """A rule up to its end."""
        source = self.source
        origin = source.origin()
        statements: list[Statement] = []
        comment = ""
        while not source.at_end():
            if source.accept("comment"):
                comment = source.string()
            else:
                statements.append(self.statement())
        if not statements and not comment:
            raise source.error("syntax error, a rule needs at least one statement")
        return Rule(tuple(_with_dependencies(statements)), comment, origin)

    def statement(self) -> Statement:  # noqa: C901 - one case for each kind
        """One statement."""
        source = self.source
        token = source.peek()
        if (found := verdict(token)) is not None:
            source.next()
            return VerdictStatement(found)
        match token.text:
            case "jump" | "goto":
                return VerdictStatement(jump(source))
            case "counter":
                return counter(source)
            case "limit":
                return limit(source)
            case "quota":
                return quota(source)
            case "log":
                return self._log()
            case "reject":
                return self._reject()
            case "notrack":
                source.next()
                return NoTrack()
            case "add" | "update" | "delete" if source.peek(1).text.startswith("@"):
                return self._set_update()
            case "meter":
                return self._meter()
            case "ct" | "meta" | "synproxy" if (named := set_object(source)) is not None:
                return named
            case "ct" if source.accept("ct", "count"):
                return CtCount(over=source.accept("over"), limit=number(source))
            case "last":
                return last(source)
            case "reset":
                source.accept("reset", "tcp", "option")
                return ResetOption(source.word("an option"))
            case "queue" | "dup" | "fwd" | "tproxy" | "synproxy" | "flow":
                return elsewhere(source)
            case _ if token.text in _NAT_KINDS:
                return self._nat()
            case _ if self._is_not_modelled():
                return NotModelled(source.rest())
            case _ if starts_expression(source) or (token.kind == "punctuation" and token.text == "("):
                return self._expression_statement()
            case _:
                raise source.error(f"syntax error, unexpected {token.text!r}, expecting a statement", token)

    def _is_not_modelled(self) -> bool:
        source = self.source
        first, second = source.peek().text, source.peek(1).text
        if first in _NOT_MODELLED_KEYS:
            return second in _NOT_MODELLED_KEYS[first]
        return first in _NOT_MODELLED

    def _expression_statement(self) -> Statement:
        source = self.source
        left = expression(source)
        if source.accept("vmap"):
            return VerdictMap(left, mapping(source, datatype(left)))
        if isinstance(left, Meta | Ct | Payload | TCPOption) and source.accept("set"):
            return Assign(left, self._value(left))
        explicit = source.peek().text in _COMPARISONS and source.peek().kind != "string"
        operator = _COMPARISONS[source.next().text] if explicit else "=="
        if source.at_end():
            raise source.error("syntax error, expecting a value to compare with")
        kinds = datatype(left)
        if kinds == ("mark",) and (masked := self._mark_prefix()) is not None:
            return Match(Binary("&", left, Value(masked[1])), operator, Value(masked[0]))
        right = right_side(source, kinds)
        if not explicit and isinstance(right, Value) and isinstance(right.literal, Flags):
            operator = "&"
        if source.peek().text == "/" and isinstance(right, Value):
            source.next()
            mask = right_side(source, kinds)
            left, operator = Binary("&", left, mask), "==" if operator == "&" else operator
        return Match(left, operator, right)

    def _mark_prefix(self) -> tuple[int, int] | None:
        """``0x12000000/8`` behind a comparison of a mark: the value and the mask."""
        token = self.source.peek()
        if token.kind != "word" or "/" not in token.text:
            return None
        try:
            masked = read_mark_prefix(token.text)
        except ValueError as problem:
            raise self.source.error(str(problem), token) from None
        self.source.next()
        return masked

    def _value(self, target: Meta | Ct | Payload | TCPOption) -> Expression:
        source = self.source
        if starts_expression(source):
            return expression(source)
        return right_side(source, datatype(target))

    # --- the other statements -----------------------------------------------------------------------------------

    def _log(self) -> Log:
        source = self.source
        source.next()
        words: list[str] = []
        while source.peek().text in ("prefix", "level", "flags", "group", "snaplen", "queue-threshold"):
            words.append(source.next().text)
            if words[-1] == "flags" and source.peek().text in ("tcp", "ip"):
                words.append(source.next().text)
            words.append(source.string())
            while source.accept(","):
                words[-1] += f",{source.string()}"
        return Log(tuple(words))

    def _reject(self) -> Reject:
        source = self.source
        source.next()
        usual = _REJECT_DEFAULTS.get(self.family, "icmpx")
        if not source.accept("with"):
            return Reject(usual, "port-unreachable", implied=True)
        protocol = source.word("icmp, icmpv6, icmpx or tcp")
        if protocol == "tcp":
            source.expect("reset")
            return Reject("tcp", "reset")
        source.accept("type")
        token = source.peek()
        code = source.word("a code")
        if code not in _REJECT_CODES.get(protocol, ()):
            raise source.error(f"{code!r} is no code of {protocol}", token, ", ".join(_REJECT_CODES.get(protocol, ())))
        return Reject(protocol, code, implied=(protocol, code) == (usual, "port-unreachable"))

    def _set_update(self) -> SetUpdate:
        source = self.source
        operation = source.next().text
        return self._update(operation, source.next().text[1:])

    def _meter(self) -> SetUpdate:
        """``meter name size 100 { key statement }``: a set that only this rule has. Ref: nft(8), "METERS"."""
        source = self.source
        source.next()
        name = source.string()
        if source.accept("size"):
            number(source)
        return self._update("meter", name)

    def _update(self, operation: str, name: str) -> SetUpdate:
        source = self.source
        source.expect("{")
        element = expression(source)
        timeout: int | None = None
        stateful: list[Statement] = []
        while source.peek().text in ("timeout", *STATEFUL):
            if source.accept("timeout"):
                timeout = self._time()
            else:
                stateful.append(self.stateful())
        data = expression(source) if source.accept(":") else None
        source.expect("}")
        return SetUpdate(operation, name, element, timeout, data, tuple(stateful))

    def stateful(self) -> Statement:
        """A statement that an element of a set has for itself."""
        return self.statement()

    def _time(self) -> int:
        token = self.source.peek()
        try:
            return read_time(self.source.word("a time"))
        except ValueError as problem:
            raise self.source.error(str(problem), token) from None

    def _nat(self) -> NAT:
        source = self.source
        kind = source.next().text
        family = source.next().text if kind in ("dnat", "snat") and source.peek().text in ("ip", "ip6") else None
        prefix = source.accept("prefix")
        source.accept("interval")
        source.accept("addr", ".", "port")
        address: Expression | None = None
        port: Expression | None = None
        if source.accept("to"):
            address, port = self._nat_target()
            if kind in ("masquerade", "redirect") and port is None:
                address, port = None, address  # nft takes a port that is computed without its colon too
        elif kind in ("dnat", "snat"):
            raise source.error(f"syntax error, {kind} needs to …")
        flags: list[str] = []
        while source.peek().text in _NAT_FLAGS:
            flags.append(source.next().text)
            source.accept(",")
        return NAT(kind, family, address, port, frozenset(flags), prefix)

    def _nat_target(self) -> tuple[Expression | None, Expression | None]:
        source = self.source
        token = source.peek()
        before, colon, keyword = token.text.rpartition(":")
        if token.kind == "word" and colon and keyword and starts_expression(source, keyword):
            source.part(len(before) + 1)
        if token.kind == "word" and not starts_expression(source):
            text = source.next().text
            computed = text[-1:] == ":" and starts_expression(source)
            try:
                address, port = endpoint(text[:-1] if computed else text)
            except ValueError as problem:
                raise source.error(f"{text!r} is no address and port: {problem}", token) from None
            if computed:
                return address, expression(source)
            if address is not None and source.accept(".") and port is None:
                port = Value(number(source))
            if source.peek().text == "map":
                raise source.error("syntax error, unexpected 'map'")
            return address, port
        target = expression(source)
        if source.accept(":"):
            return target, Value(number(source)) if not starts_expression(source) else expression(source)
        return target, None


def _with_dependencies(statements: list[Statement]) -> Iterator[Statement]:
    """``reject with tcp reset`` asks for TCP where the rule does not, as nft writes it. Ref: src/evaluate.c:stmt_evaluate_reset()."""
    for index, statement in enumerate(statements):
        if (
            isinstance(statement, Reject)
            and statement.protocol == "tcp"
            and not any(map(_asks_protocol, statements[:index]))
        ):
            yield Match(Meta("l4proto"), "==", Value(_TCP))
        yield statement


def _asks_protocol(statement: Statement) -> bool:
    if not isinstance(statement, Match):
        return False
    left = statement.left.left if isinstance(statement.left, Binary) else statement.left
    return left in (Meta("l4proto"), Payload("ip", "protocol"), Payload("ip6", "nexthdr")) or (
        isinstance(left, Payload) and left.protocol == "tcp"
    )
