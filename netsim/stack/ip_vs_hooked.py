"""What all of IPVS's hooks share: the namespace that they are in, the step that each records, and how an answer goes on."""

from __future__ import annotations

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.net.packet import Packet
from netsim.stack.environment import HookEnvironment, HookVerdict
from netsim.stack.ip_vs_conn import Conn
from netsim.stack.ip_vs_ctl import IPVS
from netsim.stack.ip_vs_nfct import drop_conntrack, mark_conntrack
from netsim.stack.namespace import Namespace
from netsim.stack.nf_conntrack_core import Conntrack
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Hook, IPVSStep


@dataclass(frozen=True, slots=True)
class Hooked:
    """One namespace's IPVS with what it needs of the namespace."""

    ns: Namespace
    ipvs: IPVS
    env: HookEnvironment
    conntrack: Conntrack

    def expire(self, conn: Conn) -> None:
        """Take a connection out now, its conntrack entry too. Ref: ip_vs_conn_expire_now()."""
        self.ipvs.conns.remove(conn)
        drop_conntrack(self.conntrack, conn)


def end_of(packet: Packet, *, source: bool) -> tuple[Address, int]:
    """Address and port of one end of a packet."""
    return (packet.ip.src, packet.sport or 0) if source else (packet.ip.dst, packet.dport or 0)


def step_of(hooked: Hooked, hook: Hook, skb: SkBuff, conn: Conn, action: str, detail: str = "") -> IPVSStep:
    """What is recorded of a packet of a known connection, which did not change it yet."""
    key = conn.key
    assert not isinstance(key.vaddr, int)
    service = hooked.ipvs.find_service(0, key.protocol, key.vaddr, key.vport)
    real = conn.dest.spec if conn.dest is not None else None
    entry = conn.text(hooked.ns.now())
    packet = skb.packet
    return IPVSStep(hook, action, service.spec if service else None, real, packet, packet, entry, None, detail)


def answer(hooked: Hooked, hook: Hook, skb: SkBuff, conn: Conn, changed: Packet) -> HookVerdict:
    """The answer comes from the virtual server, and is routed as if it were made here. Ref: handle_response()."""
    before = skb.packet
    step = step_of(hooked, hook, skb, conn, "reply")
    hooked.ns.record(IPVSStep(hook, "reply", step.server, step.real, before, changed, step.connection))
    skb.packet = changed
    if not _route_again(hooked, hook, skb):
        return HookVerdict.DROP
    skb.ipvs_property = True
    mark_conntrack(skb, conn, reply=True)
    return HookVerdict.ACCEPT


def _route_again(hooked: Hooked, hook: Hook, skb: SkBuff) -> bool:
    """Ref: ip_vs_route_me_harder(): not for clients on this host, and not for bridged answers, whose way the bridge knows."""
    if not hooked.ipvs.sysctl("snat_reroute") or hook is Hook.INPUT:
        return True
    if skb.nexthop is None or skb.nexthop.local:
        return True
    return hooked.env.reroute(skb)
