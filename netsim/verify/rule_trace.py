"""The kernel's own trace of the rules that a packet matched, and which modelled rule each is.

A small nftables table marks every packet of the namespace before any other rule sees it (``meta nftrace set 1``). The kernel then tells
of each rule that matched and each policy that decided: rules of iptables-nft as nftables trace events, by handle; rules of
iptables-legacy through NFLOG group 0, by number. The table decides nothing and is the namespace's own. Where the kernel has no nftables,
``-j TRACE`` in front of the chains of raw marks them instead, and the numbers of what is behind it are one less than the kernel's.
Ref: net/netfilter/nf_tables_trace.c:nft_trace_notify(), net/ipv4/netfilter/ip_tables.c:trace_packet(), nfnetlink_log.c (v6.12).
"""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol as TypingProtocol

from netsim.net.packet import Packet, Protocol
from netsim.rules.xtables.ast import Ruleset
from netsim.verify.decode import decode
from netsim.verify.nfnetlink import Attributes, Message, NetfilterSocket, attribute, attributes
from netsim.verify.nft_support import kernel_has_nftables

TRACER = "netsim-trace"
_MARKING = f"""
table FAMILY {TRACER} {{
  chain prerouting {{ type filter hook prerouting priority -500; meta nftrace set 1; }}
  chain output {{ type filter hook output priority -500; meta nftrace set 1; }}
}}
"""
_TRACING = "*raw\n-I PREROUTING -j TRACE\n-I OUTPUT -j TRACE\nCOMMIT\n"
_TRACED = ("PREROUTING", "OUTPUT")

NFTABLES, ULOG = 10, 4
NEWRULE, GETRULE, TRACE = 6, 7, 17
NFNLGRP_NFTRACE = 9
FAMILIES = {2: 4, 10: 6}  # NFPROTO_IPV4, NFPROTO_IPV6: IP version
INET = 1  # NFPROTO_INET: tables of both

NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_HANDLE = 1, 2, 3
NFTA_TRACE_TABLE, NFTA_TRACE_CHAIN, NFTA_TRACE_RULE_HANDLE, NFTA_TRACE_TYPE = 1, 2, 3, 4
NFTA_TRACE_VERDICT, NFTA_TRACE_ID = 5, 6
NFTA_TRACE_NETWORK_HEADER, NFTA_TRACE_TRANSPORT_HEADER, NFTA_TRACE_POLICY = 8, 9, 16
POLICY, RULE = 1, 3
NFTA_VERDICT_CODE = 1
QUOTED_AT, ERRORS_BELOW, DISCOVERY_HOP_LIMIT = 8, 128, 255
VERDICTS = {0: "DROP", 1: "ACCEPT", 2: "STOLEN", 3: "QUEUE", -1: "CONTINUE", -3: "JUMP", -4: "GOTO", -5: "RETURN"}

MSG_PACKET, MSG_CONFIG = 0, 1
NFULA_CFG_CMD, NFULA_CFG_MODE, NFULA_CFG_QTHRESH = 1, 2, 5
NFULNL_CFG_CMD_BIND = 1
NFULNL_COPY_PACKET = 2
NFULA_PAYLOAD, NFULA_PREFIX = 9, 10
_PREFIX = re.compile(r"TRACE: (?P<table>[^:]+):(?P<chain>[^:]+):(?P<kind>rule|return|policy):(?P<number>\d+)")


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that a packet matched, or (``index`` None) the policy that decided. ``packet`` is cut after the transport header."""

    packet: Packet | None
    table: str
    chain: str
    index: int | None
    verdict: str


class RuleTrace(TypingProtocol):
    """What tells of matched rules, in the namespace that it is made in."""

    def fileno(self) -> int:
        """For a selector."""

    def pending(self) -> Iterator[Hit]:
        """What has been told, without waiting."""

    def close(self) -> None:
        """Stop listening."""


def mark_packets(versions: set[int]) -> None:
    """Have every packet of this namespace traced, once its rules stand. Raises RuntimeError with the tool's message."""
    if not kernel_has_nftables():
        for version in sorted(versions):
            _load(["iptables-legacy-restore" if version == 4 else "ip6tables-legacy-restore", "--noflush"], _TRACING)
        return
    text = "".join(_MARKING.replace("FAMILY", "ip" if version == 4 else "ip6") for version in sorted(versions))
    _load(["nft", "-f", "-"], text)


def _load(words: list[str], text: str) -> None:
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]} refused what traces: {done.stderr.strip()}")


class NftTrace:
    """Trace events of rules that iptables-nft loaded."""

    def __init__(self) -> None:
        self._socket = NetfilterSocket()
        self._packets: dict[bytes, Packet | None] = {}
        self._discovery: set[bytes] = set()
        self._index = self._handles()
        self._socket.subscribe(NFNLGRP_NFTRACE)

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def pending(self) -> Iterator[Hit]:
        """What has been told, without waiting."""
        for message in self._socket.pending():
            if message.subsystem == NFTABLES and message.type == TRACE:
                yield from self._hit(message.family, message.attributes)

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def _handles(self) -> dict[tuple[int, str, str, bytes], int]:
        """The place of each rule in its chain, by family, table, chain and handle: a dump lists a chain's rules in order."""
        found: dict[tuple[int, str, str, bytes], int] = {}
        for family in (INET, *FAMILIES):
            counts: dict[tuple[str, str], int] = {}
            for message in self._socket.dump(NFTABLES, GETRULE, family):
                values = message.attributes
                place = (_text(values[NFTA_RULE_TABLE]), _text(values[NFTA_RULE_CHAIN]))
                found[(family, *place, values[NFTA_RULE_HANDLE])] = counts.get(place, 0)
                counts[place] = counts.get(place, 0) + 1
        return found

    def _hit(self, family: int, values: Attributes) -> Iterator[Hit]:
        """Only the first event of a base chain carries the packet's headers."""
        number = values[NFTA_TRACE_ID]
        if NFTA_TRACE_NETWORK_HEADER in values:
            self._packets[number] = _headers(values)
            (self._discovery.add if _quotes_discovery(values) else self._discovery.discard)(number)
        if number in self._discovery:
            return
        table, chain = _text(values[NFTA_TRACE_TABLE]), _text(values[NFTA_TRACE_CHAIN])
        if table == TRACER or family not in (INET, *FAMILIES):  # chains that see frames are not foretold
            return
        match int.from_bytes(values[NFTA_TRACE_TYPE], "big"):
            case kind if kind == RULE and NFTA_TRACE_RULE_HANDLE in values:  # without a handle it is the chain's end
                index = self._index.get((family, table, chain, values[NFTA_TRACE_RULE_HANDLE]), -1)
                yield Hit(self._packets.get(number), table, chain, index, _verdict(values))
            case kind if kind == POLICY:
                policy = VERDICTS[int.from_bytes(values[NFTA_TRACE_POLICY], "big")]
                yield Hit(self._packets.get(number), table, chain, None, policy)
            case _:
                return


def _headers(values: Attributes) -> Packet | None:
    network = values[NFTA_TRACE_NETWORK_HEADER]
    size = (network[0] & 15) * 4 if network and network[0] >> 4 == 4 else 40
    return decode(network[:size] + values.get(NFTA_TRACE_TRANSPORT_HEADER, b""))


def _quotes_discovery(values: Attributes) -> bool:
    """True for an ICMPv6 error about neighbour discovery, which a rule rejected. Its quoted packet is cut off before its type.

    But its header's beginning is there: ICMPv6 with a hop limit of 255. Ref: net/netfilter/nf_tables_trace.c
    NFT_TRACETYPE_TRANSPORT_HSIZE (v6.12); RFC 4861 §7.1, RFC 4443 §2.1.
    """
    network, transport = values[NFTA_TRACE_NETWORK_HEADER], values.get(NFTA_TRACE_TRANSPORT_HEADER, b"")
    if (
        len(transport) < QUOTED_AT + 8
        or network[0] >> 4 != 6
        or network[6] != Protocol.ICMPV6
        or transport[0] >= ERRORS_BELOW
    ):
        return False
    quoted = transport[QUOTED_AT:]
    return (quoted[6], quoted[7]) == (Protocol.ICMPV6, DISCOVERY_HOP_LIMIT)


def _verdict(values: Attributes) -> str:
    code: int = struct.unpack("!i", attributes(values[NFTA_TRACE_VERDICT])[NFTA_VERDICT_CODE])[0]
    return VERDICTS.get(code, str(code))


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode()


class LegacyTrace:
    """Trace messages of rules that iptables-legacy loaded. ``rulesets`` tell how long each chain is."""

    def __init__(self, rulesets: Mapping[int, Ruleset]) -> None:
        self._lengths: dict[tuple[int, str, str], int] = {}
        self._policies: dict[tuple[int, str, str], str] = {}
        self._shifted = not kernel_has_nftables()
        for version, ruleset in rulesets.items():
            for table in ruleset.tables.values():
                for chain in table.chains.values():
                    self._lengths[version, table.name, chain.name] = len(chain.rules)
                    if chain.policy is not None:
                        self._policies[version, table.name, chain.name] = chain.policy.value
        self._socket = NetfilterSocket()
        for name, value in ((NFULA_CFG_CMD, bytes([NFULNL_CFG_CMD_BIND])), (NFULA_CFG_QTHRESH, struct.pack("!I", 1)),
                            (NFULA_CFG_MODE, struct.pack("!IBB", 256, NFULNL_COPY_PACKET, 0))):  # fmt: skip
            self._socket.request(ULOG, MSG_CONFIG, 0, attribute(name, value))
        for family in FAMILIES:
            Path(f"/proc/sys/net/netfilter/nf_log/{family}").write_text("nfnetlink_log", encoding="ascii")

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def pending(self) -> Iterator[Hit]:
        """What has been told, without waiting."""
        for message in self._socket.pending():
            if message.subsystem == ULOG and message.type == MSG_PACKET:
                yield from self._hit(message)

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def _hit(self, message: Message) -> Iterator[Hit]:
        """A rule without conditions is called after what ends a chain; its number tells that it is one of the chain's rules."""
        found = _PREFIX.match(_text(message.attributes.get(NFULA_PREFIX, b"")))
        packet = decode(message.attributes.get(NFULA_PAYLOAD, b""))
        if found is None or packet is None:
            return
        table, chain, number = found["table"], found["chain"], int(found["number"])
        number -= self._shifted and table == "raw" and chain in _TRACED
        place = (packet.ip.dst.version, table, chain)
        if 0 < number <= self._lengths.get(place, 0):
            yield Hit(packet, table, chain, number - 1, "")
        elif found["kind"] == "policy" and place in self._policies:
            yield Hit(packet, table, chain, None, self._policies[place])
