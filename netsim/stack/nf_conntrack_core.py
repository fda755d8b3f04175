"""Connection tracking: the table, the look-up of a packet and the confirmation of an entry.

No expectations and no helpers (so RELATED is an ICMP error, or what REJECT answers). Time is the environment's clock:
an entry that ran out is gone at its next look-up. A full table evicts the oldest entry that is not ASSURED, where the
kernel takes one of a few random buckets (``early_drop()``).

Ref: net/netfilter/nf_conntrack_core.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from netsim.net.packet import ICMPHeader, Packet, Protocol
from netsim.rules.conntrack.ast import ConntrackEntry
from netsim.stack.environment import HookEnvironment, HookVerdict
from netsim.stack.nf_conntrack_entry import (
    NAT_MASK,
    CtInfo,
    CtStatus,
    NatBinding,
    NfConn,
    SCTPState,
    TableKey,
)
from netsim.stack.nf_conntrack_known import conn_of, nat_status
from netsim.stack.nf_conntrack_proto import Tracked, Tracking
from netsim.stack.nf_conntrack_proto_icmp import NR_ICMP_TYPES, icmp_packet, is_error, is_untracked
from netsim.stack.nf_conntrack_proto_sctp import sctp_packet
from netsim.stack.nf_conntrack_proto_tcp import tcp_packet
from netsim.stack.nf_conntrack_proto_udp import generic_packet, udp_packet
from netsim.stack.nf_conntrack_tcp import TCPState, Windows
from netsim.stack.nf_conntrack_tuple import (
    DEFAULT_ZONE,
    ICMP_PROTOCOLS,
    ConntrackTuple,
    Direction,
    Zone,
    packet_tuple,
)
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import ConntrackStep, Drop, Hook

__all__ = [
    "NAT_MASK",
    "Conntrack",
    "ConntrackTuple",
    "CtInfo",
    "CtStatus",
    "Direction",
    "NatBinding",
    "NfConn",
    "SCTPState",
    "TCPState",
    "nf_conntrack_confirm",
    "nf_conntrack_in",
    "nf_ct_attach",
    "nf_reset_ct",
    "packet_tuple",
]

TRACKERS: dict[int, Callable[[Tracking], Tracked]] = {
    Protocol.TCP: tcp_packet,
    Protocol.UDP: udp_packet,
    Protocol.SCTP: sctp_packet,
    Protocol.ICMP: icmp_packet,
    Protocol.ICMPV6: icmp_packet,
}

ALLOW_CLASH = frozenset({int(Protocol.UDP)})  # l4proto->allow_clash: the loser of a race takes the winner's entry

ESTABLISHED_TIMEOUTS: dict[int, str] = {
    Protocol.TCP: "net.netfilter.nf_conntrack_tcp_timeout_established",
    Protocol.UDP: "net.netfilter.nf_conntrack_udp_timeout_stream",
    Protocol.SCTP: "net.netfilter.nf_conntrack_sctp_timeout_established",
}

CLASH_SECONDS = 1.0  # how long the loser of a race waits for its reply

MAXIMUM = "net.netfilter.nf_conntrack_max"


class Conntrack:
    """The table of one namespace. Entries are changed in place as packets go by.

    ``confirmed`` are the entries that packets made, in order. ``unseen`` are those of packets that race with the one under way: it was
    looked up and translated before they were confirmed, and meets them at its own confirmation.
    """

    def __init__(self, env: HookEnvironment) -> None:
        self._env = env
        self._by_tuple: dict[TableKey, tuple[NfConn, Direction]] = {}
        self._entries: dict[NfConn, None] = {}
        self._by_source: dict[tuple[object, int, int, int], list[NfConn]] = {}
        self.confirmed: list[NfConn] = []
        self.unseen: frozenset[NfConn] = frozenset()

    def resume(self, earlier: Conntrack) -> None:
        """Go on with the entries of the same namespace's table at an earlier time; they are this table's from now on."""
        self._by_tuple, self._entries, self._by_source = earlier._by_tuple, earlier._entries, earlier._by_source

    def __iter__(self) -> Iterator[NfConn]:
        """The confirmed entries that have not run out, oldest first."""
        now = self._env.clock.now()
        return iter([ct for ct in self._entries if ct.deadline > now])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def find(self, key: ConntrackTuple, zone: Zone = DEFAULT_ZONE) -> tuple[NfConn, Direction] | None:
        """The entry that a packet with this tuple belongs to, and its direction. Ref: resolve_normal_ct(), nf_conntrack_find_get()."""
        for number in zone.numbers:
            found = self._by_tuple.get((number, key))
            if found is None or found[0].zone.of(found[1]) != zone.of(found[1]):
                continue
            if found[0].deadline > self._env.clock.now():
                return found
            self.kill(found[0])
        return None

    def find_original(self, key: ConntrackTuple, zone: Zone = DEFAULT_ZONE) -> NfConn | None:
        """The entry whose original tuple this is."""
        found = self.find(key, zone)
        return found[0] if found is not None and found[1] is Direction.ORIGINAL else None

    def insert(self, ct: NfConn) -> None:
        """Put an entry into the table: seed it before a walk, or confirm it. Raises ValueError where a tuple is taken."""
        if any(self.find(ct.tuple(direction), ct.zone) for direction in Direction):
            raise ValueError(f"conntrack already has an entry with a tuple of: {ct.original}")
        ct.status |= CtStatus.CONFIRMED
        self._entries[ct] = None
        for direction in Direction:
            self._by_tuple[ct.key(direction)] = (ct, direction)

    def seed(
        self, first: Packet, *, reply: ConntrackTuple | None = None, seconds: float = 0.0, established: bool = False
    ) -> NfConn:
        """Insert the entry that ``first`` would have made; ``reply`` is the reply's tuple where NAT changed it.

        ``established`` makes it one that was answered and is assured. ``seconds`` is how long it lives; 0 for what its state gives it.
        Raises ValueError for a packet that starts no connection, and where a tuple is taken.
        """
        original = packet_tuple(first)
        answer = reply or original.invert()
        ct = NfConn(original, answer or original)
        if answer is None or self._track(ct, CtInfo.NEW, first) is Tracked.INVALID:
            raise ValueError(f"a packet that starts no connection: {original}")
        ct.status |= nat_status(ct)
        now = self._env.clock.now()
        if established:
            ct.status |= CtStatus.SEEN_REPLY | CtStatus.ASSURED
            ct.tcp, ct.windows = (TCPState.ESTABLISHED if original.protocol == Protocol.TCP else ct.tcp), Windows()
            ct.sctp = SCTPState.ESTABLISHED if original.protocol == Protocol.SCTP else ct.sctp
            timeout = ESTABLISHED_TIMEOUTS.get(original.protocol)
            ct.deadline = now + self._env.sysctl(timeout) if timeout else ct.deadline
        if seconds:
            ct.deadline = now + seconds
        self.insert(ct)
        return ct

    def insert_reply_only(self, ct: NfConn) -> bool:
        """Put the loser of a race into the table by its reply tuple alone; False where that is taken too.

        Ref: nf_ct_resolve_clash_harder() (since v5.7).
        """
        key = ct.key(Direction.REPLY)
        if self.find(ct.reply, ct.zone) is not None:
            return False
        ct.status |= CtStatus.CONFIRMED | CtStatus.FIXED_TIMEOUT | CtStatus.NAT_CLASH
        ct.deadline = self._env.clock.now() + CLASH_SECONDS
        self._entries[ct] = None
        self._by_tuple[key] = (ct, Direction.REPLY)
        return True

    def adopt(self, entry: ConntrackEntry) -> NfConn:
        """Insert an entry that was there before: a line of ``conntrack -L``. Raises ValueError where a tuple is taken."""
        ct = conn_of(entry, self._env.clock.now())
        self.insert(ct)
        if ct.has(CtStatus.SRC_NAT_DONE):
            self.remember_source(ct)
        return ct

    def kill(self, ct: NfConn) -> None:
        """Take an entry out. Ref: nf_ct_kill()."""
        ct.status |= CtStatus.DYING
        if ct in self._entries:
            del self._entries[ct]
            for key in {ct.key(direction) for direction in Direction}:
                if self._by_tuple.get(key, (None,))[0] is ct:
                    del self._by_tuple[key]
        self.forget_source(ct)

    def flush(self) -> None:
        """Empty the table, as ``conntrack -F`` does."""
        for ct in list(self._entries):
            self.kill(ct)

    def taken(self, key: ConntrackTuple, ours: NfConn) -> bool:
        """True where another connection has the tuple. Ref: nf_conntrack_tuple_taken()."""
        found = self.find(key, ours.zone)
        if found is None or found[0] is ours or found[0] in self.unseen:
            return False
        return found[0].original != ours.original

    def race(self) -> None:
        """Let the next packet be under way at the same time as those that made entries so far."""
        self.unseen = frozenset(self.confirmed)

    def remember_source(self, ct: NfConn) -> None:
        """Keep the entry among those of its source, so that later connections get the same mapping (``nf_nat_bysource``)."""
        self._by_source.setdefault(_source_key(ct.original, ct.zone), []).insert(0, ct)

    def forget_source(self, ct: NfConn) -> None:
        """Ref: nf_nat_cleanup_conntrack()."""
        known = self._by_source.get(_source_key(ct.original, ct.zone), [])
        if ct in known:
            known.remove(ct)

    def same_source(self, key: ConntrackTuple, zone: Zone = DEFAULT_ZONE) -> tuple[NfConn, ...]:
        """Entries with the same original source in the zone, newest first."""
        return tuple(self._by_source.get(_source_key(key, zone), ()))

    def text(self) -> str:
        """The table as ``conntrack -L`` prints it, oldest entry first (the kernel's order is that of its hash)."""
        now = self._env.clock.now()
        return "".join(f"{ct.text(now)}\n" for ct in self)

    def has_room(self) -> bool:
        """True where one more entry fits, after evicting one where that helps. Ref: __nf_conntrack_alloc(), early_drop()."""
        limit = self._env.sysctl(MAXIMUM)
        if not limit or len(self._entries) < limit:
            return True
        if len(self) < limit:
            return True
        victim = next((ct for ct in self if not ct.has(CtStatus.ASSURED)), None)
        if victim is not None:
            self.kill(victim)
        return victim is not None

    def track(self, ct: NfConn, ctinfo: CtInfo, packet: Packet) -> Tracked:
        """Let the protocol's tracker take a packet. Ref: nf_conntrack_handle_packet()."""
        answer = self._track(ct, ctinfo, packet)
        if answer in (Tracked.REPEAT, Tracked.KILL):
            self.kill(ct)
        return answer

    def _track(self, ct: NfConn, ctinfo: CtInfo, packet: Packet) -> Tracked:
        tracker = TRACKERS.get(ct.original.protocol, generic_packet)
        return tracker(Tracking(ct, ctinfo, packet, self._env.clock.now(), self._env.sysctl))


def _source_key(key: ConntrackTuple, zone: Zone) -> tuple[object, int, int, int]:
    """Ref: nf_nat_core.c:hash_by_src()."""
    return key.src, key.protocol, key.sport, zone.of(Direction.ORIGINAL)


def nf_conntrack_in(table: Conntrack, env: HookEnvironment, hook: Hook, skb: SkBuff) -> HookVerdict:
    """Find or make the entry of a packet that came in or was made here.

    A packet that kept its entry over lo, or that NOTRACK marked, is let pass. Afterwards ``skb.ct`` None without ``skb.untracked``
    means INVALID. Drops only where the table is full.
    Ref: nf_conntrack_in().
    """
    if skb.untracked or is_untracked(skb.packet):
        skb.untracked = True
        env.recorder.record(env.netns, ConntrackStep(hook, "untracked", "UNTRACKED", None, ""))
        return HookVerdict.ACCEPT
    if skb.ct is not None and skb.ctinfo is not None:
        _record(env, hook, skb, "found", _why_known(skb, skb.ctinfo))
        return HookVerdict.ACCEPT
    zone, skb.template = skb.template or DEFAULT_ZONE, None
    if isinstance(skb.packet.l4, ICMPHeader):
        wrong = _related(table, skb, zone)
        if wrong is not None:
            return _invalid(env, hook, wrong)
        if skb.ct is not None:
            _record(env, hook, skb, "found", "an ICMP error about this connection")
            return HookVerdict.ACCEPT
    return _resolve(table, env, hook, skb, zone)


def _why_known(skb: SkBuff, ctinfo: CtInfo) -> str:
    """Why a packet has its entry before conntrack looks for it."""
    if ctinfo.is_related:
        return "that of the packet that it answers"
    return (
        "kept since IPVS took the packet"
        if skb.ipvs_property and skb.iif != "lo"
        else "kept since the packet left by lo"
    )


def _related(table: Conntrack, skb: SkBuff, zone: Zone) -> str | None:
    """Attach the entry of the packet that an ICMP error quotes; what is wrong where that cannot be, None where all is well.

    Ref: nf_conntrack_icmpv4_error(), nf_conntrack_icmpv6_error(), nf_conntrack_inet_error().
    """
    icmp = skb.packet.l4
    assert isinstance(icmp, ICMPHeader)
    if skb.packet.ip.protocol == Protocol.ICMP and icmp.type > NR_ICMP_TYPES:
        return "the ICMP type does not exist"
    if not is_error(skb.packet):
        return None
    known = (
        icmp.quoted is not None and not icmp.quoted.ip.fragment_offset
    )  # a later fragment has no ports to know it by
    quoted = packet_tuple(icmp.quoted).invert() if icmp.quoted is not None and known else None
    found = table.find(quoted, zone) if quoted is not None else None
    if found is None:
        return "no connection is known for the packet that the ICMP error quotes"
    ct, direction = found
    if skb.packet.ip.dst != ct.tuple(direction).dst:
        return "the ICMP error is addressed to someone else than the packet that it quotes came from"
    skb.ct = ct
    skb.ctinfo = CtInfo.RELATED_REPLY if direction is Direction.REPLY else CtInfo.RELATED
    return None


def _resolve(table: Conntrack, env: HookEnvironment, hook: Hook, skb: SkBuff, zone: Zone) -> HookVerdict:
    """Ref: resolve_normal_ct(), init_conntrack(), nf_conntrack_handle_packet()."""
    while True:
        key = packet_tuple(skb.packet)
        found = table.find(key, zone)
        if found is not None and found[1] is Direction.ORIGINAL and found[0] in table.unseen:
            found = None
        made = found is None
        if found is None:
            if not table.has_room():
                drop = Drop(DropReason.CONNTRACK_FULL, "nf_conntrack_in", detail=f"{MAXIMUM} = {env.sysctl(MAXIMUM)}")
                env.recorder.record(env.netns, drop)
                return HookVerdict.DROP
            reply = key.invert()
            if reply is None:
                return _invalid(env, hook, "an ICMP type that has no answer starts no connection")
            found = (NfConn(key, reply, zone=zone), Direction.ORIGINAL)
        ct, direction = found
        ctinfo = _ctinfo(ct, direction)
        match table.track(ct, ctinfo, skb.packet):
            case Tracked.INVALID:
                return _invalid(env, hook, _why_invalid(ct, made=made))
            case Tracked.REPEAT:
                continue
            case Tracked.ACCEPT | Tracked.KILL:
                skb.ct, skb.ctinfo = ct, ctinfo
        if ctinfo is CtInfo.ESTABLISHED_REPLY:
            ct.status |= CtStatus.SEEN_REPLY
        _record(env, hook, skb, "new" if made else "found", "")
        return HookVerdict.ACCEPT


def _ctinfo(ct: NfConn, direction: Direction) -> CtInfo:
    if direction is Direction.REPLY:
        return CtInfo.ESTABLISHED_REPLY
    return CtInfo.ESTABLISHED if ct.has(CtStatus.SEEN_REPLY) else CtInfo.NEW


def _why_invalid(ct: NfConn, *, made: bool) -> str:
    if made:
        return "the packet cannot start a connection, and belongs to none"
    state = {Protocol.TCP: ct.tcp.name, Protocol.SCTP: ct.sctp.name}.get(Protocol(ct.original.protocol), "this")
    return f"the packet does not fit a connection in {state} state"


def _invalid(env: HookEnvironment, hook: Hook, detail: str) -> HookVerdict:
    env.recorder.record(env.netns, ConntrackStep(hook, "invalid", "INVALID", None, "", detail))
    return HookVerdict.ACCEPT


def _record(env: HookEnvironment, hook: Hook, skb: SkBuff, action: str, detail: str) -> None:
    assert skb.ct is not None
    assert skb.ctinfo is not None
    direction = skb.ctinfo.direction.value
    entry = skb.ct.text(env.clock.now())
    env.recorder.record(env.netns, ConntrackStep(hook, action, skb.ctinfo.state, direction, entry, detail))


def nf_conntrack_confirm(table: Conntrack, env: HookEnvironment, hook: Hook, skb: SkBuff) -> HookVerdict:
    """Put the entry of a connection's first packet into the table, now that no rule stopped it.

    Drops where another entry has one of the tuples. For UDP there are ways out: the packet takes over an equal entry, and where only
    the reply's tuple differs (two packets of one socket, at once, to two backends) its own entry stands for replies alone, for a second.
    Ref: __nf_conntrack_confirm(), nf_ct_resolve_clash(), nf_ct_resolve_clash_harder().
    """
    ct, ctinfo = skb.ct, skb.ctinfo
    if ct is None or ctinfo is None or ct.confirmed or ctinfo.direction is Direction.REPLY:
        return HookVerdict.ACCEPT
    other = next((found for d in Direction if (found := table.find(ct.tuple(d), ct.zone)) is not None), None)
    if other is None:
        table.insert(ct)
        table.confirmed.append(ct)
        _record(env, hook, skb, "confirm", "")
        return HookVerdict.ACCEPT
    winner = other[0]
    table.forget_source(ct)
    if ct.original.protocol in ALLOW_CLASH and (winner.original, winner.reply) == (ct.original, ct.reply):
        skb.ct = winner
        return HookVerdict.ACCEPT
    if ct.original.protocol in ALLOW_CLASH and table.insert_reply_only(ct):
        _record(
            env, hook, skb, "confirm", f"for replies only: {winner.original} was confirmed first, with another reply"
        )
        return HookVerdict.ACCEPT
    natted = ct.has(NAT_MASK) and winner.original != ct.original
    reason = DropReason.NAT_NO_TUPLE if natted else DropReason.CONNTRACK_CLASH
    detail = f"taken by: {winner.text(env.clock.now())}"
    env.recorder.record(env.netns, Drop(reason, "nf_conntrack_confirm", detail=detail))
    return HookVerdict.DROP


def nf_reset_ct(skb: SkBuff) -> None:
    """Forget what conntrack knows of a packet, as sockets do with what they were given. Ref: include/linux/skbuff.h (v6.18)."""
    skb.ct = skb.ctinfo = skb.template = None
    skb.untracked = False


def nf_ct_attach(answer: SkBuff, cause: SkBuff) -> None:
    """Give an answer that the kernel makes itself (REJECT, or any ICMP error) the entry of the packet that caused it, as RELATED.

    It matters before the first packet is confirmed: the answer would find no entry by itself. An answer about an untracked packet is
    RELATED to nothing: no NOTRACK of xtables applies to it any more, and conntrack looks for its entry.
    Ref: nf_conntrack_attach(), called by icmp_glue_bits() (net/ipv4/icmp.c), icmpv6_getfrag() and nf_send_reset(): CTINFO2DIR() takes
    IP_CT_UNTRACKED for a reply, so that ``_nfct`` is IP_CT_RELATED (v6.18).
    """
    if cause.untracked:
        answer.ctinfo = CtInfo.RELATED
    if cause.ct is None or cause.ctinfo is None:
        return
    answer.ct = cause.ct
    original = cause.ctinfo.direction is Direction.ORIGINAL
    answer.ctinfo = CtInfo.RELATED_REPLY if original else CtInfo.RELATED


assert frozenset(TRACKERS) >= ICMP_PROTOCOLS
