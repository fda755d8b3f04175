"""ARP: a request is broadcast over the same links as any frame, its owner answers, and both sides learn.

The frames of a resolution are walked here at once, in the order in which they would arrive; bridges on the way learn and flood as for
any frame, and tunnels carry them in datagrams. ``arp_answer`` decides whether a request is answered.

Ref: net/ipv4/arp.c:arp_solicit(), arp_process() (v6.12); RFC 826.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import assert_never

from netsim.dataclass import dataclass
from netsim.net.address import BROADCAST, MAC, Address
from netsim.net.packet import ARP, ARPOperation, Frame
from netsim.stack.arp_answer import announced, arp_process
from netsim.stack.bridge import Decision
from netsim.stack.macvlan import goes_out, siblings_for, uppers_for
from netsim.stack.namespace import Namespace
from netsim.stack.neigh_table import arp_overrides, neigh_update
from netsim.stack.nf_arp import ArpHook, nf_arp
from netsim.stack.steps import Hook
from netsim.stack.vlan import vlan_of
from netsim.topology.model import IPIP, Bridge, Device, Dummy, Loopback, Macvlan, Veth, Vlan, Vxlan

MOST_FRAMES = 2000
MOST_BRIDGES = 64
_ZERO = MAC(0)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What came of asking: the MAC, or None; ``storm`` where the request went in circles."""

    mac: MAC | None
    storm: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _InFlight:
    netns: str
    device: Device
    frame: Frame
    links: int


class _Walk:
    """The frames of one resolution."""

    def __init__(self, ns: Namespace) -> None:
        self._network = ns.network
        self._queue: deque[_InFlight] = deque()
        self._frames = 0
        self._links = 0
        self.storm = False
        self.dropped = ""

    def _passes(self, ns: Namespace, at: ArpHook, frame: Frame) -> bool:
        """What rules of nftables at a hook say of a message; who drops one is kept."""
        why = nf_arp(ns, at, frame) if ns.spec.nftables and isinstance(frame.payload, ARP) else ""
        self.dropped = self.dropped or why
        return not why

    def run(self) -> None:
        while self._queue and not self.storm:
            arriving = self._queue.popleft()
            self._links = arriving.links
            self._receive(arriving)

    def transmit(self, ns: Namespace, device: Device, frame: Frame) -> None:
        if not device.up:
            return
        if ns.spec.nftables and not self._passes(ns, ArpHook("netdev", Hook.EGRESS, oif=device), frame):
            return
        match device.kind:
            case Veth():
                self._cross(device, frame)
            case Bridge():
                self._ports(ns, ns.bridge(device.name).transmit(frame.dst, ns.now()), frame, None)
            case Vxlan():
                for taken in self._network.through_tunnel(ns, device, frame):
                    self._arrive(taken.netns, taken.device, taken.frame)
            case Vlan(parent=parent, id=number):
                self.transmit(ns, ns.devices[parent], replace(frame, vlan=number))
            case Macvlan():
                self._macvlan(ns, device, frame)
            case Loopback() | IPIP() | Dummy():
                return
            case _ as never:
                assert_never(never)

    def _macvlan(self, ns: Namespace, device: Device, frame: Frame) -> None:
        for netns, other in siblings_for(self._network.wiring, ns.name, device, frame.dst):
            self._arrive(netns, other, frame)
        if goes_out(self._network.wiring, ns.name, device, frame.dst):
            assert isinstance(device.kind, Macvlan)
            base = self._network.namespace(device.kind.parent.netns)
            self.transmit(base, base.devices[device.kind.parent.device], frame)

    def _cross(self, device: Device, frame: Frame) -> None:
        peer = self._network.wiring.peer(device)
        if peer is None or not peer[1].up:
            return
        self._arrive(peer[0].netns, peer[1], frame)

    def _arrive(self, netns: str, device: Device, frame: Frame) -> None:
        self._frames += 1
        if self._frames > MOST_FRAMES or self._links >= MOST_BRIDGES:
            self.storm = True
            return
        arriving = _InFlight(netns, device, frame, self._links + 1)
        if self._matters(arriving):
            self._queue.append(arriving)

    def _matters(self, arriving: _InFlight) -> bool:
        """Whether anything comes of a frame: of a request that is flooded to hundreds of pods, one answers."""
        device, frame = arriving.device, arriving.frame
        if device.port is not None or frame.vlan is not None or self._concerns(arriving):
            return True
        return bool(uppers_for(self._network.wiring, arriving.netns, device, frame.dst))

    def _ports(self, ns: Namespace, decision: Decision, frame: Frame, ingress: Device | None) -> None:
        """Out of each port that the bridge chose, past the rules of family bridge."""
        crossing = Hook.OUTPUT if ingress is None else Hook.FORWARD
        for port in decision.ports:
            if ns.spec.nftables:
                hooks = (ArpHook("bridge", crossing, ingress, port), ArpHook("bridge", Hook.POSTROUTING, oif=port))
                if not all(self._passes(ns, at, frame) for at in hooks):
                    continue
            self.transmit(ns, port, frame)

    def _receive(self, arriving: _InFlight) -> None:
        device, frame = arriving.device, arriving.frame
        if not self._taken(arriving):
            return
        if frame.vlan is not None and (upper := vlan_of(self._network.wiring, arriving.netns, device, frame.vlan)):
            self._arrive(arriving.netns, upper, replace(frame, vlan=None))
            return
        if device.port is None:
            for netns, upper in uppers_for(self._network.wiring, arriving.netns, device, frame.dst):
                self._arrive(netns, upper, frame)
            if frame.vlan is None and self._concerns(arriving):
                self._arp_rcv(self._network.namespace(arriving.netns), device, frame)
            return
        ns = self._network.namespace(arriving.netns)
        state = ns.bridge(device.port.master)
        if not state.forwards(device):
            return
        if not self._passes(ns, ArpHook("bridge", Hook.PREROUTING, iif=device), frame):
            return
        decision = state.receive(device, frame.src, frame.dst, ns.now())
        self._ports(ns, decision, frame, device)
        if not decision.up or frame.vlan is not None:
            return
        if not self._passes(ns, ArpHook("bridge", Hook.INPUT, iif=device), frame):
            return
        if frame.dst.is_broadcast or frame.dst in (device.mac, state.device.mac):
            self._arp_rcv(ns, state.device, frame)

    def _taken(self, arriving: _InFlight) -> bool:
        """Whether the rules at the device let the frame in; a namespace without any is not made for that."""
        if not self._network.wiring.of(arriving.netns).spec.nftables:
            return True
        ns = self._network.namespace(arriving.netns)
        return self._passes(ns, ArpHook("netdev", Hook.INGRESS, iif=arriving.device), arriving.frame)

    def _concerns(self, arriving: _InFlight) -> bool:
        """Whether a host needs to look at the frame at all: it spares making the state of every pod that a request is flooded to."""
        frame = arriving.frame
        if not frame.dst.is_broadcast and frame.dst != arriving.device.mac:
            return False
        message = frame.payload
        wiring = self._network.wiring
        return isinstance(message, ARP) and (
            wiring.may_be_local(arriving.netns, message.target_ip) or wiring.may_be_proxy(arriving.netns)
        )

    def _arp_rcv(self, ns: Namespace, device: Device, frame: Frame) -> None:
        message = frame.payload
        if not isinstance(message, ARP) or message.sender_ip.is_multicast:
            return
        if not self._passes(ns, ArpHook("arp", Hook.INPUT, iif=device), frame):
            return
        if message.operation is ARPOperation.REPLY:
            if ns.fib.is_local(message.target_ip):
                override = arp_overrides(ns, device, message.sender_ip)
                neigh_update(ns, device, message.sender_ip, message.sender_mac, override=override)
            return
        if arp_process(ns, device, message):
            self.send(ns, device, _reply(device, message))

    def send(self, ns: Namespace, device: Device, frame: Frame) -> None:
        """A message that this host makes. Ref: arp_xmit()."""
        if self._passes(ns, ArpHook("arp", Hook.OUTPUT, oif=device), frame):
            self.transmit(ns, device, frame)


def arp_solicit(ns: Namespace, device: Device, target: Address, hint: Address) -> Resolution:
    """Ask for the MAC of an address on a device's link. ``hint`` is the source of the packet that waits for the answer."""
    request = ARP(ARPOperation.REQUEST, device.mac, announced(ns, device, target, hint), _ZERO, target)
    walk = _Walk(ns)
    walk.send(ns, device, Frame(device.mac, BROADCAST, request))
    walk.run()
    return Resolution(ns.neighbours.get((device.name, target)), storm=walk.storm, detail=walk.dropped)


def _reply(device: Device, request: ARP) -> Frame:
    answer = replace(
        request,
        operation=ARPOperation.REPLY,
        sender_mac=device.mac,
        sender_ip=request.target_ip,
        target_mac=request.sender_mac,
        target_ip=request.sender_ip,
    )
    return Frame(device.mac, request.sender_mac, answer)
