"""Packets that answer a packet: from the address and port it was for, to where it came from."""

from __future__ import annotations

from netsim.net.address import Family
from netsim.net.packet import IPHeader, Packet, Transport
from netsim.stack.namespace import LocalOut, Namespace
from netsim.stack.skbuff import SkBuff


def answer(
    ns: Namespace,
    asked: SkBuff,
    l4: Transport,
    *,
    by: str,
    owner: str = "",
    payload: int = 0,
    dont_fragment: bool = True,
) -> None:
    """Queue an answer to a packet as a new packet of this namespace. ``by`` is the step's word for its maker, ``payload`` in bytes."""
    packet = answering(ns, asked.packet, l4, payload, dont_fragment=dont_fragment)
    ns.network.local_out(ns.name, LocalOut(SkBuff(packet, oif=link_of(asked)), by, owner))


def link_of(asked: SkBuff) -> str | None:
    """The device by which an answer must leave: where the asker's address is link-local, the one that it asked on."""
    return asked.iif if asked.packet.ip.src.is_link_local and asked.packet.family is Family.IPV6 else None


def answering(ns: Namespace, asked: Packet, l4: Transport, payload: int = 0, *, dont_fragment: bool = True) -> Packet:
    """The answer itself, with the TTL that this namespace gives to new packets."""
    six = asked.family is Family.IPV6
    ttl = 64 if six else ns.sysctls.get("net.ipv4.ip_default_ttl")
    header = IPHeader(asked.ip.dst, asked.ip.src, asked.ip.protocol, ttl, dont_fragment=dont_fragment)
    return Packet(header, l4, payload)
