"""Statements that hand a packet to somebody else: queue, dup, fwd, tproxy, synproxy.

Ref: net/netfilter/nft_queue.c, nft_dup_netdev.c, nft_fwd_netdev.c, nft_tproxy.c, nft_synproxy.c; net/ipv4/netfilter/nft_dup_ipv4.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from netsim.net.packet import Packet, Protocol
from netsim.rules.nft.elsewhere import Dup, Fwd, Queue, SynProxy, TProxy
from netsim.rules.nft.write import write_statement
from netsim.stack.environment import HookVerdict
from netsim.stack.nf_tables_expression import Scope, compile_expression
from netsim.stack.skbuff import SkBuff
from netsim.stack.x_tables import Outcome, RuleNotModelledError, XtContext

Run: TypeAlias = Callable[[XtContext], "Outcome | None"]

_WITH_PORTS = (Protocol.TCP, Protocol.UDP)
_VERSIONS = {"ip": 4, "ip6": 6}


def queue(statement: Queue) -> Run:
    """Where nobody listens, ``bypass`` goes on as accept does. What a program that listens would say nobody can tell.

    Ref: nft_queue_eval(), net/netfilter/nf_queue.c:nf_queue().
    """
    text = write_statement(statement)

    def run(_: XtContext) -> Outcome:
        if "bypass" not in statement.flags:
            raise RuleNotModelledError(f"{text}: the program at the queue decides")
        return Outcome(HookVerdict.ACCEPT, f"{text}: nobody listens, bypass accepts")

    return run


def dup(statement: Dup) -> Run:
    """The packet goes on; its copy goes a way of its own, which is not walked. Ref: nft_dup_ipv4_eval()."""
    said = Outcome(None, f"{write_statement(statement)} (the copy is not followed)")
    return lambda _: said


def fwd(statement: Fwd, scope: Scope) -> Run:
    """The frame leaves by another device: as it is, or to a neighbour there. Ref: nft_fwd_netdev_eval(), nft_fwd_neigh_eval()."""
    device = compile_expression(statement.device, scope, ("ifname",))
    address = None if statement.address is None else compile_expression(statement.address, scope)
    wanted = _VERSIONS.get(statement.family)
    text = write_statement(statement)

    def run(ctx: XtContext) -> Outcome | None:
        name = device(ctx)
        ip = ctx.skb.packet.ip
        if name is None or ctx.skb.arp is not None:
            raise RuleNotModelledError(text)
        if wanted not in (None, ip.dst.version):
            return None
        to = None if address is None else type(ip.dst)(_number(address(ctx)))
        if to is not None and ip.ttl <= 1:
            return Outcome(HookVerdict.DROP, text, "DROP", detail="fwd: the TTL is used up")
        ctx.env.forward_frame(ctx.skb, str(name), to)
        return Outcome(HookVerdict.STOLEN, text, "FWD")

    return run


def tproxy(statement: TProxy, scope: Scope) -> Run:
    """No socket: the rule ends. Whether a socket that is found is transparent the model cannot say. Ref: nft_tproxy_eval()."""
    address = None if statement.address is None else compile_expression(statement.address, scope)
    port = None if statement.port is None else compile_expression(statement.port, scope, ("inet_service",))
    wanted = _VERSIONS.get(statement.family)

    def run(ctx: XtContext) -> Outcome | None:
        packet = ctx.skb.packet
        if packet.ip.protocol not in _WITH_PORTS or wanted not in (None, packet.ip.dst.version):
            return None
        to = packet.ip.dst if address is None else type(packet.ip.dst)(_number(address(ctx)))
        at = packet.dport if port is None else _number(port(ctx))
        redirected = packet.with_ip(dst=to).with_l4(dport=at)
        if any(_socket(ctx, each) for each in (packet, redirected)):
            raise RuleNotModelledError(f"{write_statement(statement)}: whether the socket is transparent is not known")
        return None

    return run


def _number(register: object) -> int:
    if not isinstance(register, int):
        raise RuleNotModelledError("tproxy to what is no number")
    return register


def _socket(ctx: XtContext, packet: Packet) -> bool:
    return ctx.env.socket_of(SkBuff(packet, iif=ctx.skb.iif)) is not None


def synproxy(statement: SynProxy | None, text: str) -> Run:
    """TCP is answered by this host, which then connects to the server itself: not walked. Any other packet ends the rule.

    ``statement`` None: a named object's, which ``text`` names. Ref: nft_synproxy_do_eval().
    """

    def run(ctx: XtContext) -> Outcome | None:
        if ctx.skb.packet.ip.protocol is not Protocol.TCP:
            return None
        raise RuleNotModelledError(
            f"{text if statement is None else write_statement(statement)}: this host answers for the server"
        )

    return run
