"""Parts of packets that a rule may ask for: options, extension headers, chunks, bits. Ref: nftables 1.0.6 src/{tcpopt,ipopt,exthdr}.c."""

from __future__ import annotations

from netsim.rules.nft.ast import Expression, HeaderPart, Payload, RawPayload, TCPOption
from netsim.rules.nft.tokens import Source
from netsim.rules.xtables.values import read_integer

RAW = ("@ll", "@nh", "@th")
"""Where raw bits begin: the link, the network, the transport header."""

TCP_OPTIONS = {
    # option: its fields
    "eol": ("kind",),
    "nop": ("kind",),
    "maxseg": ("kind", "length", "size"),
    "window": ("kind", "length", "count"),
    "sack-perm": ("kind", "length"),
    "sack": ("kind", "length", "left", "right"),
    "timestamp": ("kind", "length", "tsval", "tsecr"),
    "fastopen": ("kind", "length"),
    "md5sig": ("kind", "length"),
    "mptcp": ("kind", "length", "subtype"),
}
IP_OPTIONS = {
    "lsrr": ("type", "length", "ptr", "addr"),
    "ra": ("type", "length", "value"),
    "rr": ("type", "length", "ptr", "addr"),
    "ssrr": ("type", "length", "ptr", "addr"),
}
EXTENSIONS = {
    # IPv6 extension header: its fields
    "hbh": ("nexthdr", "hdrlength"),
    "rt": ("nexthdr", "hdrlength", "type", "seg-left"),
    "frag": ("nexthdr", "frag-off", "more-fragments", "id"),
    "dst": ("nexthdr", "hdrlength"),
    "mh": ("nexthdr", "hdrlength", "type", "checksum"),
    "srh": ("flags", "tag", "sid", "seg-left"),
}
SCTP_CHUNKS = (
    *("data", "init", "init-ack", "sack", "heartbeat", "heartbeat-ack", "abort", "shutdown", "shutdown-ack", "error"),
    *("cookie-echo", "cookie-ack", "ecne", "cwr", "shutdown-complete", "asconf-ack", "forward-tsn", "asconf"),
)


def choice(source: Source, known: tuple[str, ...] | dict[str, str], what: str) -> str:
    """Take a word that is one of those known; raise RuleSyntaxError that says which they are."""
    token = source.peek()
    if token.text not in known:
        raise source.error(f"syntax error, unexpected {token.text!r}, expecting {what}", token, ", ".join(known))
    return source.next().text


def number(source: Source) -> int:
    """Take a number."""
    token = source.peek()
    try:
        return read_integer(source.word("a number"))
    except ValueError as problem:
        raise source.error(str(problem), token) from None


def header_part(source: Source) -> Expression:
    """``tcp option maxseg size``, ``ip option rr``, ``sctp chunk init``, ``exthdr frag``: with a field, or whether it is there."""
    protocol = source.next().text
    if protocol == "exthdr":
        return HeaderPart("exthdr", choice(source, tuple(EXTENSIONS), "an extension header"))
    kind = f"{protocol} {source.next().text}"
    if kind == "sctp chunk":
        name = choice(source, SCTP_CHUNKS, "a chunk")
        return HeaderPart(kind, name, source.next().text if source.peek().text in _CHUNK_FIELDS else "")
    known = TCP_OPTIONS if kind == "tcp option" else IP_OPTIONS
    if source.peek().text in _OLD_OPTIONS:
        return TCPOption(_OLD_OPTIONS[source.next().text], "")
    name = choice(source, tuple(known), "an option")
    name_of_field = source.next().text if source.peek().text in known[name] else ""
    return TCPOption(name, name_of_field) if kind == "tcp option" else HeaderPart(kind, name, name_of_field)


_OLD_OPTIONS = {"sack-permitted": "sack-perm", "noop": "nop"}
_CHUNK_FIELDS = ("type", "flags", "length", "tsn", "stream", "ssn", "ppid", "init-tag", "a-rwnd", "cum-tsn-ack")


def extension(source: Source) -> Expression:
    """``frag id``: a field of an IPv6 extension header."""
    name = source.next().text
    return HeaderPart("exthdr", name, choice(source, EXTENSIONS[name], f"a field of {name}"))


def raw_payload(source: Source) -> Expression:
    """``@th,16,16``; the second transport port of any protocol is what nft prints as ``th dport``."""
    base = source.next().text[1:]
    source.expect(",")
    offset = number(source)
    source.expect(",")
    found = RawPayload(base, offset, number(source))
    return _KNOWN_BITS.get((found.base, found.offset, found.length), found)


_KNOWN_BITS: dict[tuple[str, int, int], Expression] = {
    ("th", 0, 16): Payload("th", "sport"),
    ("th", 16, 16): Payload("th", "dport"),
}
