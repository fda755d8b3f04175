"""How IPVS and conntrack live together: IPVS changes the entry's reply tuple itself, or makes its packets untracked.

No NAT bit is ever set, so ``--ctstate DNAT`` does not match, and MASQUERADE in POSTROUTING works like for any forwarded connection.
Ref: net/netfilter/ipvs/ip_vs_nfct.c:ip_vs_update_conntrack(), ip_vs_conn_drop_conntrack(), include/net/ip_vs.h:ip_vs_notrack() (v6.12).
"""

from __future__ import annotations

from dataclasses import replace

from netsim.rules.ipvs.ast import Forwarding
from netsim.stack.ip_vs_conn import Conn
from netsim.stack.nf_conntrack_core import Conntrack, ConntrackTuple, CtStatus, Direction, NfConn
from netsim.stack.skbuff import SkBuff


def mark_conntrack(skb: SkBuff, conn: Conn, *, reply: bool) -> None:
    """What becomes of a packet's conntrack entry when IPVS passes it on."""
    if not conn.conntrack:
        _notrack(skb)
    elif conn.forwarding is Forwarding.MASQUERADE:
        _update_conntrack(skb, conn, reply=reply)


def _notrack(skb: SkBuff) -> None:
    if skb.ct is not None:
        skb.ct = skb.ctinfo = None
        skb.untracked = True


def _update_conntrack(skb: SkBuff, conn: Conn, *, reply: bool) -> None:
    """The client's packet keeps its original tuple; answers will come from the real server."""
    ct, ctinfo = skb.ct, skb.ctinfo
    if ct is None or ctinfo is None or ct.has(CtStatus.CONFIRMED | CtStatus.DYING):
        return
    if conn.one_packet or ctinfo.direction is not Direction.ORIGINAL:
        return
    if reply:
        assert not isinstance(conn.key.vaddr, int)
        ct.reply = replace(ct.reply, dst=conn.key.vaddr, dport=conn.key.vport)
    else:
        ct.reply = replace(ct.reply, src=conn.daddr, sport=conn.dport)


def _entry(table: Conntrack, conn: Conn) -> NfConn | None:
    key = conn.key
    if conn.template or isinstance(key.vaddr, int):
        return None
    return table.find_original(ConntrackTuple(key.caddr, key.vaddr, key.protocol, key.cport, key.vport))


def drop_conntrack(table: Conntrack, conn: Conn) -> None:
    """The conntrack entry goes with the connection."""
    ct = _entry(table, conn) if conn.conntrack and not conn.one_packet else None
    if ct is not None:
        table.kill(ct)


def uses_old_conntrack(skb: SkBuff, conn: Conn) -> bool:
    """True where the packet belongs to an entry from before. Ref: ip_vs_core.c:ip_vs_conn_uses_old_conntrack()."""
    return conn.conntrack and skb.ct is not None and skb.ct.confirmed
