"""NAT: which addresses and ports a connection gets, and when the nat chains are asked.

The nat chains see the first packet of a connection only (NEW, or RELATED where nothing is set up yet), once for the
destination (PREROUTING, OUTPUT) and once for the source (INPUT, POSTROUTING). What they decide stands in the entry's
reply tuple, and every later packet of both directions is changed by that alone. A chain that decides nothing leaves a null binding,
which keeps the addresses and changes a source port only where another connection has the tuple.

Not modelled: eviction of a TIME_WAIT entry when ports run out (``nf_nat_used_tuple_harder()``) and races of two CPUs
(``nf_nat_used_tuple_new()``).
Ref: net/netfilter/nf_nat_core.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.net.packet import ICMPHeader, Packet, Protocol
from netsim.stack.environment import HookEnvironment, HookVerdict
from netsim.stack.nf_conntrack_core import Conntrack, ConntrackTuple, CtInfo, CtStatus, Direction, NatBinding, NfConn
from netsim.stack.nf_conntrack_tuple import ICMP_PROTOCOLS, Zone
from netsim.stack.nf_nat_hash import spread_address
from netsim.stack.nf_nat_proto import icmp_reply_translation, manip_packet
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Drop, Hook, NATStep

ICMP_REDIRECT = 5


class Manip(Enum):
    """What is changed: the source or the destination. Ref: enum nf_nat_manip_type."""

    SRC = "SRC"
    DST = "DST"

    @property
    def done(self) -> CtStatus:
        """The bit that says that this was decided."""
        return CtStatus.SRC_NAT_DONE if self is Manip.SRC else CtStatus.DST_NAT_DONE

    @property
    def bit(self) -> CtStatus:
        """The bit that says that packets of the original direction are changed."""
        return CtStatus.SRC_NAT if self is Manip.SRC else CtStatus.DST_NAT

    @property
    def opposite(self) -> Manip:
        """The other one."""
        return Manip.DST if self is Manip.SRC else Manip.SRC


# Ref: HOOK2MANIP(); INPUT maps sources so that SNAT works for packets to this host.
HOOK2MANIP: dict[Hook, Manip] = {
    Hook.PREROUTING: Manip.DST,
    Hook.OUTPUT: Manip.DST,
    Hook.INPUT: Manip.SRC,
    Hook.POSTROUTING: Manip.SRC,
}

MAX_ATTEMPTS = 128  # NF_NAT_MAX_ATTEMPTS: ports tried from one start
PORTS = (Protocol.TCP, Protocol.UDP, Protocol.SCTP)

# Where a source port may move to when no range is given: a privileged port stays privileged.
# Ref: nf_nat_l4proto_unique_tuple() "Loose convention: >> 512 is credential passing".
PORT_CLASSES: tuple[tuple[int, int, int], ...] = (
    # ports below, first, last
    (512, 1, 511),
    (1024, 600, 1023),
    (65536, 1024, 65535),
)


@dataclass(frozen=True, slots=True)
class NatRange:
    """``struct nf_nat_range2``: addresses and ports that may be used, both ends included; None keeps the packet's own."""

    first: Address | None = None
    last: Address | None = None
    port_first: int | None = None
    port_last: int | None = None
    random: bool = False
    persistent: bool = False


def initialized(ct: NfConn, manip: Manip) -> bool:
    """Ref: nf_nat_initialized()."""
    return ct.has(manip.done)


def nf_nat_setup_info(
    table: Conntrack, env: HookEnvironment, ct: NfConn, wanted: NatRange, manip: Manip, binding: NatBinding
) -> ConntrackTuple:
    """Decide one manipulation of a new connection; the answer is the tuple with which its packets leave.

    Ref: nf_nat_setup_info().
    """
    current = ct.reply.invert()
    assert current is not None
    if ct.confirmed:
        return current
    new = _get_unique_tuple(table, env, current, wanted, ct, manip)
    if new != current:
        reply = new.invert()
        assert reply is not None
        ct.reply = reply
        ct.status |= manip.bit
    if manip is Manip.SRC:
        table.remember_source(ct)
    ct.bindings[manip] = binding
    ct.status |= manip.done
    return new


def null_binding(table: Conntrack, env: HookEnvironment, ct: NfConn, manip: Manip) -> None:
    """No rule decided: keep the addresses. Ref: nf_nat_alloc_null_binding()."""
    address = ct.reply.dst if manip is Manip.SRC else ct.reply.src
    kind = "SNAT" if manip is Manip.SRC else "DNAT"
    nf_nat_setup_info(table, env, ct, NatRange(address, address), manip, NatBinding(kind))


def _get_unique_tuple(
    table: Conntrack, env: HookEnvironment, original: ConntrackTuple, wanted: NatRange, ct: NfConn, manip: Manip
) -> ConntrackTuple:
    """Ref: get_unique_tuple()."""
    if manip is Manip.SRC and not wanted.random:
        if _in_range(original, wanted):
            if not _used(table, original, ct):
                return original
        else:
            mapped = _find_appropriate_src(table, original, wanted, ct.zone)
            if mapped is not None and not _used(table, mapped, ct):
                return mapped
    best = _find_best_address(original, wanted, manip)
    if not wanted.random and _fits(table, best, wanted, ct, manip):
        return best
    return _unique_port(table, env, best, wanted, ct, manip)


def _fits(table: Conntrack, key: ConntrackTuple, wanted: NatRange, ct: NfConn, manip: Manip) -> bool:
    if wanted.port_first is None:
        return not _used(table, key, ct)
    if not _port_in_range(key, wanted, manip):
        return False
    return wanted.port_first == wanted.port_last or not _used(table, key, ct)


def _used(table: Conntrack, key: ConntrackTuple, ct: NfConn) -> bool:
    """Ref: nf_nat_used_tuple()."""
    reply = key.invert()
    return reply is not None and table.taken(reply, ct)


def _in_range(key: ConntrackTuple, wanted: NatRange) -> bool:
    """Would this source do? Ref: nf_in_range()."""
    if (
        wanted.first is not None
        and wanted.last is not None
        and not int(wanted.first) <= int(key.src) <= int(wanted.last)
    ):
        return False
    return wanted.port_first is None or _port_in_range(key, wanted, Manip.SRC)


def _port_in_range(key: ConntrackTuple, wanted: NatRange, manip: Manip) -> bool:
    """Ref: l4proto_in_range()."""
    if wanted.port_first is None or wanted.port_last is None:
        return True
    if key.protocol not in PORTS and key.protocol not in ICMP_PROTOCOLS:
        return True
    port = key.sport if manip is Manip.SRC or key.protocol in ICMP_PROTOCOLS else key.dport
    return wanted.port_first <= port <= wanted.port_last


def _find_appropriate_src(table: Conntrack, key: ConntrackTuple, wanted: NatRange, zone: Zone) -> ConntrackTuple | None:
    """The mapping that another connection of the same source already has. Ref: find_appropriate_src()."""
    for ct in table.same_source(key, zone):
        mapped = ct.reply.invert()
        assert mapped is not None
        candidate = replace(key, src=mapped.src, sport=mapped.sport)
        if _in_range(candidate, wanted):
            return candidate
    return None


def _find_best_address(key: ConntrackTuple, wanted: NatRange, manip: Manip) -> ConntrackTuple:
    """Ref: find_best_ips_proto()."""
    if wanted.first is None or wanted.last is None:
        return key
    address = wanted.first
    if wanted.first != wanted.last:
        address = spread_address(
            key.src,
            key.dst,
            wanted.first,
            wanted.last,
            persistent=wanted.persistent,
            replaces_destination=manip is Manip.DST,
        )
    return replace(key, src=address) if manip is Manip.SRC else replace(key, dst=address)


def _unique_port(
    table: Conntrack, env: HookEnvironment, key: ConntrackTuple, wanted: NatRange, ct: NfConn, manip: Manip
) -> ConntrackTuple:
    """Move the port (or ICMP identifier) until the tuple is free; the last one tried where none is.

    The kernel starts at a random port and goes up; the chooser gives the start.
    Ref: nf_nat_l4proto_unique_tuple().
    """
    space = _port_space(key, wanted, manip)
    if space is None:
        return key
    first, last = space
    size = last - first + 1
    place = f"{env.netns}: {manip.value} port of {key}"
    start = first if manip is Manip.DST and not wanted.random else env.chooser.port(place, first, last)
    attempts = min(size, MAX_ATTEMPTS)
    while True:
        for step in range(attempts):
            candidate = _with_port(key, first + (start - first + step) % size, manip)
            if not _used(table, candidate, ct):
                return candidate
        if attempts >= size or attempts < 16:
            return candidate
        attempts //= 2
        start = env.chooser.port(f"{place}, {attempts} more tries", first, last)


def _port_space(key: ConntrackTuple, wanted: NatRange, manip: Manip) -> tuple[int, int] | None:
    """First and last port to choose from; None where the protocol or the kind of NAT leaves no choice."""
    if wanted.port_first is not None and wanted.port_last is not None:
        has_port = key.protocol in PORTS or key.protocol in ICMP_PROTOCOLS
        return (
            (min(wanted.port_first, wanted.port_last), max(wanted.port_first, wanted.port_last)) if has_port else None
        )
    if key.protocol in ICMP_PROTOCOLS:
        return (0, 65535)
    if key.protocol not in PORTS or manip is Manip.DST:
        return None
    return next((first, last) for below, first, last in PORT_CLASSES if key.sport < below)


def _with_port(key: ConntrackTuple, port: int, manip: Manip) -> ConntrackTuple:
    if manip is Manip.SRC or key.protocol in ICMP_PROTOCOLS:
        return replace(key, sport=port)
    return replace(key, dport=port)


def nf_nat_inet_fn(
    table: Conntrack, env: HookEnvironment, hook: Hook, skb: SkBuff, consult: Callable[[], HookVerdict]
) -> HookVerdict:
    """NAT at one hook. ``consult`` walks the hook's nat chains; it is called for a connection's first packet only.

    Ref: nf_nat_ipv4_fn(), nf_nat_inet_fn().
    """
    ct, ctinfo, manip = skb.ct, skb.ctinfo, HOOK2MANIP[hook]
    if ct is None or ctinfo is None:
        return HookVerdict.ACCEPT
    if ctinfo.is_related and skb.packet.ip.protocol in ICMP_PROTOCOLS:
        return _translate_error(env, hook, skb, ct, ctinfo)
    if (ctinfo is CtInfo.NEW or ctinfo.is_related) and not initialized(ct, manip):
        verdict = consult()
        if verdict is not HookVerdict.ACCEPT:
            return verdict
        if not initialized(ct, manip):
            null_binding(table, env, ct, manip)
        return nf_nat_packet(env, hook, skb)
    if _oif_changed(hook, skb, ct, ctinfo):
        table.kill(ct)
        detail = f"the connection was masqueraded on {ct.masquerade_device} and now leaves by {skb.oif}"
        env.recorder.record(env.netns, Drop(DropReason.NETFILTER_DROP, "nf_nat_inet_fn", detail=detail))
        return HookVerdict.DROP
    return nf_nat_packet(env, hook, skb)


def _oif_changed(hook: Hook, skb: SkBuff, ct: NfConn, ctinfo: CtInfo) -> bool:
    """Ref: nf_nat_oif_changed()."""
    if ct.masquerade_device is None or hook is not Hook.POSTROUTING or ctinfo.direction is not Direction.ORIGINAL:
        return False
    return ct.masquerade_device != skb.oif


def _translates(ct: NfConn, manip: Manip, direction: Direction) -> bool:
    """True where this manipulation changes packets of the direction: a reply has the destination changed that SNAT gave it."""
    return ct.has(manip.bit if direction is Direction.ORIGINAL else manip.opposite.bit)


def nf_nat_packet(env: HookEnvironment, hook: Hook, skb: SkBuff) -> HookVerdict:
    """Change a packet as its entry says.

    Ref: nf_nat_packet().
    """
    ct, ctinfo, manip = skb.ct, skb.ctinfo, HOOK2MANIP[hook]
    assert ct is not None
    assert ctinfo is not None
    if not _translates(ct, manip, ctinfo.direction):
        return HookVerdict.ACCEPT
    target = ct.tuple(ctinfo.direction.opposite).invert()
    assert target is not None
    before, skb.packet = skb.packet, manip_packet(skb.packet, target, source=manip is Manip.SRC)
    if skb.packet != before:
        _record(env, hook, skb, before, "")
    return HookVerdict.ACCEPT


def _translate_error(env: HookEnvironment, hook: Hook, skb: SkBuff, ct: NfConn, ctinfo: CtInfo) -> HookVerdict:
    """An ICMP error: the packet that it quotes and its own address are changed. Ref: nf_nat_icmp_reply_translation()."""
    manip = HOOK2MANIP[hook]
    if _is_redirect(skb.packet) and (skb.before_nat or ct.has(CtStatus.SRC_NAT) or ct.has(CtStatus.DST_NAT)):
        detail = "a redirect about a connection whose addresses are translated, or may yet be"
        env.recorder.record(env.netns, Drop(DropReason.NETFILTER_DROP, "nf_nat_icmp_reply_translation", detail=detail))
        return HookVerdict.DROP
    if not _translates(ct, manip, ctinfo.direction):
        return HookVerdict.ACCEPT
    before = skb.packet
    skb.packet = icmp_reply_translation(before, ct.tuple(ctinfo.direction.opposite), source=manip is Manip.SRC)
    if skb.packet != before:
        _record(env, hook, skb, before, "and the packet that the ICMP error quotes")
    return HookVerdict.ACCEPT


def _is_redirect(packet: Packet) -> bool:
    return isinstance(packet.l4, ICMPHeader) and packet.l4.type == ICMP_REDIRECT and packet.ip.dst.version == 4


def _record(env: HookEnvironment, hook: Hook, skb: SkBuff, before: Packet, detail: str) -> None:
    ct, ctinfo, manip = skb.ct, skb.ctinfo, HOOK2MANIP[hook]
    assert ct is not None
    assert ctinfo is not None
    if ctinfo.direction is Direction.ORIGINAL:
        binding = ct.bindings.get(manip) or NatBinding(f"{manip.value[0]}NAT")
        kind, ref = binding.kind, binding.ref
        if ref is None and not detail:
            detail = "no rule: the port belongs to another connection"
    else:
        kind, ref = f"un-{manip.opposite.value[0]}NAT", None
    env.recorder.record(env.netns, NATStep(hook, kind, before, skb.packet, ref, detail))
