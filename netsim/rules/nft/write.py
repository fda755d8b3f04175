"""Statements and expressions as ``nft list`` prints them."""

from __future__ import annotations

from typing import assert_never

from netsim.rules.nft.ast import (
    NAT,
    AnonymousMap,
    AnonymousSet,
    Assign,
    Binary,
    Concatenation,
    Counter,
    Ct,
    CtCount,
    Data,
    Expression,
    Fib,
    Flags,
    HeaderPart,
    Jhash,
    Jump,
    Key,
    Last,
    Limit,
    Log,
    Lookup,
    Match,
    Meta,
    NotModelled,
    NoTrack,
    Numgen,
    ObjectReference,
    Payload,
    Quota,
    RawPayload,
    Reject,
    ResetOption,
    Rt,
    SetReference,
    SetUpdate,
    SocketKey,
    Statement,
    TCPOption,
    Value,
    Verdict,
    VerdictMap,
    VerdictStatement,
)
from netsim.rules.nft.datatypes import datatype, write_element, write_literal, write_time
from netsim.rules.nft.elsewhere import Dup, Elsewhere, FlowAdd, Fwd, Queue, SynProxy, TProxy
from netsim.rules.nft.intervals import mask_length

_LOG_STRINGS = ("prefix",)
_SHORT = ("iif", "iifname", "oif", "oifname")


def write_statement(statement: Statement) -> str:  # noqa: C901 - one case for each kind
    """One statement."""
    match statement:
        case Match():
            return _match(statement)
        case VerdictStatement(verdict):
            return write_data(verdict, ("verdict",))
        case VerdictMap(key, mapping):
            return f"{write_expression(key)} vmap {_mapping(mapping, datatype(key))}"
        case NAT():
            return _nat(statement)
        case Reject(implied=True):
            return "reject"
        case Reject(protocol, code):
            return f"reject with {protocol} {code}"
        case Counter():
            return (
                f"counter name {statement.name}"
                if statement.name
                else f"counter packets {statement.packets} bytes {statement.bytes}"
            )
        case Limit():
            return _limit(statement)
        case Quota():
            return _quota(statement)
        case ObjectReference():
            return _object(statement)
        case Log(words):
            return _log(words)
        case Assign(target, value):
            return f"{write_expression(target)} set {write_expression(value, datatype(target))}"
        case SetUpdate():
            return _set_update(statement)
        case NoTrack():
            return "notrack"
        case CtCount(limit, over):
            return f"ct count {'over ' if over else ''}{limit}"
        case Last():
            return "last"
        case ResetOption(name):
            return f"reset tcp option {name}"
        case Queue() | Dup() | Fwd() | TProxy() | SynProxy() | FlowAdd():
            return _elsewhere(statement)
        case NotModelled(text):
            return text
        case _:
            assert_never(statement)


def _match(statement: Match) -> str:
    kinds = datatype(statement.left)
    if (prefix := _mark_prefix(statement)) is not None:
        return prefix
    right = write_expression(statement.right, kinds)
    implied = statement.operator == "&" or (statement.operator == "==" and not _needs_operator(statement))
    operator = "" if implied else f"{statement.operator} "
    return f"{write_expression(statement.left)} {operator}{right}"


def _mark_prefix(statement: Match) -> str | None:
    """``meta mark & 0xff000000 == 0x12000000`` is printed as ``meta mark 0x12000000/8``."""
    match statement:
        case Match(Binary("&", left, Value(int(mask))), "==" | "!=" as operator, Value(int(value))):
            length = mask_length(mask) if datatype(left) == ("mark",) else None
            shown = f"{write_literal(value, 'mark')}/{length}"
            words = (write_expression(left), *(("!=",) if operator == "!=" else ()), shown)
            return " ".join(words) if length is not None else None
        case _:
            return None


def _needs_operator(statement: Match) -> bool:
    """True where leaving ``==`` out would mean something else."""
    bits = isinstance(statement.right, Value) and isinstance(statement.right.literal, Flags)
    return bits or isinstance(statement.left, Binary)


def _log(words: tuple[str, ...]) -> str:
    quoted = [
        f'"{word}"' if before in _LOG_STRINGS else word for before, word in zip(("", *words), words, strict=False)
    ]
    return " ".join(["log", *quoted])


def _object(statement: ObjectReference) -> str:
    name = f'"{statement.name}"' if statement.choice is None else write_expression(statement.choice)
    if statement.kind.startswith("ct "):
        return f"{statement.kind} set {name}"
    return f"meta secmark set {name}" if statement.kind == "secmark" else f"{statement.kind} name {name}"


def _elsewhere(statement: Elsewhere) -> str:
    match statement:
        case Queue(number, flags):
            told = f"flags {','.join(sorted(flags))} " if flags else ""
            return f"queue {told}to {write_expression(number, ('integer',))}"
        case Dup(address, device):
            behind = "" if device is None else f" device {write_expression(device, ('ifname',))}"
            return f"dup to {'' if address is None else write_expression(address, ('ifname',))}{behind}"
        case Fwd(device, family, address):
            name = write_expression(device, ("ifname",))
            return f"fwd to {name}" if address is None else f"fwd {family} to {write_expression(address)} device {name}"
        case TProxy(family, address, port):
            return " ".join(filter(None, ("tproxy", family, "to", _endpoint(address, port))))
        case SynProxy(mss, wscale, flags):
            words = ["synproxy", *([f"mss {mss}"] if mss is not None else [])]
            words += [f"wscale {wscale}"] if wscale is not None else []
            return " ".join([*words, *(flag for flag in ("timestamp", "sack-perm") if flag in flags)])
        case FlowAdd(name):
            return f"flow add @{name}"
        case _:
            assert_never(statement)


def _nat(statement: NAT) -> str:
    words = [statement.kind]
    if statement.family is not None:
        words.append(statement.family)
    if statement.prefix:
        words.append("prefix")
    address, port = statement.address, statement.port
    if address is not None or port is not None:
        words += ["to", _endpoint(address, port)]
    words += [flag for flag in ("random", "fully-random", "persistent") if flag in statement.flags]
    return " ".join(words)


def _endpoint(address: Expression | None, port: Expression | None) -> str:
    behind = "" if port is None else f":{write_expression(port, ('inet_service',))}"
    if address is None:
        return behind
    text = write_expression(address)
    if not isinstance(address, Value):
        return f"{text} {behind}".replace(":", ": ", 1) if behind else text
    if behind and ":" in text:
        text = "-".join(f"[{end}]" for end in text.split("-"))
    return f"{text}{behind}"


def _limit(statement: Limit) -> str:
    rate = f"{statement.rate}/{statement.unit}"
    if statement.of != "packets":
        rate = f"{statement.rate} {statement.of}/{statement.unit}"
    usual = (statement.burst, statement.burst_of) == (5, "packets") or statement.burst == 0
    burst = "" if usual else f" burst {statement.burst} {statement.burst_of}"
    return f"limit rate {'over ' if statement.over else ''}{rate}{burst}"


def _quota(statement: Quota) -> str:
    used = f" used {statement.used} {statement.used_of}" if statement.used else ""
    return f"quota {'over ' if statement.over else ''}{statement.amount} {statement.of}{used}"


def _set_update(statement: SetUpdate) -> str:
    inside = write_expression(statement.element)
    if statement.timeout_ms is not None:
        inside += f" timeout {write_time(statement.timeout_ms)}"
    for each in statement.stateful:
        inside += f" {write_statement(each)}"
    if statement.data is not None:
        inside += f" : {write_expression(statement.data)}"
    if statement.operation == "meter":
        return f"meter {statement.name} {{ {inside} }}"
    return f"{statement.operation} @{statement.name} {{ {inside} }}"


def write_expression(expression: Expression, kinds: tuple[str, ...] = ("",)) -> str:  # noqa: C901 - one case for each kind
    """One expression; ``kinds`` are the datatypes that its literals have."""
    match expression:
        case Payload(protocol, name):
            return f"{protocol} {name}"
        case Meta(key):
            return key if key in _SHORT else f"meta {key}"
        case Ct(key, direction):
            return f"ct {direction} {key}" if direction else f"ct {key}"
        case TCPOption(name, part):
            return f"tcp option {name} {part}".rstrip()
        case HeaderPart(kind, name, part):
            return f"{name} {part}" if kind == "exthdr" and part else f"{kind} {name} {part}".rstrip()
        case RawPayload(base, offset, length):
            return f"@{base},{offset},{length}"
        case Rt(key):
            return f"rt {key}"
        case SocketKey(key):
            return f"socket {key}"
        case Fib(inputs, result):
            return f"fib {' . '.join(inputs)} {result}"
        case Numgen(mode, modulus, offset):
            return f"numgen {mode} mod {modulus}{f' offset {offset}' if offset else ''}"
        case Jhash():
            return _hash(expression)
        case Concatenation(parts):
            known = kinds if len(kinds) == len(parts) else ("",) * len(parts)
            return " . ".join(write_expression(part, (kind,)) for part, kind in zip(parts, known, strict=True))
        case Binary(operator, left, right):
            return f"{write_expression(left, kinds)} {operator} {_bits(right, datatype(left))}"
        case SetReference(name):
            return f"@{name}"
        case AnonymousSet(elements):
            return f"{{ {', '.join(write_key(key, kinds) for key in elements)} }}"
        case Lookup(key, mapping):
            return f"{write_expression(key)} map {_mapping(mapping, datatype(key))}"
        case Value(literal):
            return write_literal(literal, kinds[0])
        case _:
            assert_never(expression)


def _bits(right: Expression, kinds: tuple[str, ...]) -> str:
    if isinstance(right, Value) and isinstance(right.literal, Flags):
        return f"({write_literal(right.literal, kinds[0]).replace(',', ' | ')})"
    return write_expression(right, kinds)


def _hash(expression: Jhash) -> str:
    of = "symhash" if expression.expression is None else f"jhash {write_expression(expression.expression)}"
    seed = "" if expression.seed is None else f" seed {expression.seed:#x}"
    return f"{of} mod {expression.modulus}{seed}{f' offset {expression.offset}' if expression.offset else ''}"


def write_key(key: Key, kinds: tuple[str, ...]) -> str:
    """The parts of an element."""
    known = kinds if len(kinds) == len(key) else ("",) * len(key)
    return " . ".join(write_element(part, kind) for part, kind in zip(key, known, strict=True))


def write_data(data: Data, kinds: tuple[str, ...]) -> str:
    """A verdict or a value of a map."""
    match data:
        case Verdict():
            return data.value
        case Jump(chain, goto):
            return f"{'goto' if goto else 'jump'} {chain}"
        case _:
            return write_key(data, kinds)


def _mapping(mapping: AnonymousMap | SetReference, kinds: tuple[str, ...]) -> str:
    if isinstance(mapping, SetReference):
        return f"@{mapping.name}"
    pairs = [f"{write_key(key, kinds)} : {write_data(data, ('',))}" for key, data in mapping.elements]
    return f"{{ {', '.join(pairs)} }}"
