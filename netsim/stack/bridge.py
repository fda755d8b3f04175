"""A Linux bridge: its forwarding database and what it decides about a frame. Nothing is sent from here.

VLAN filtering, STP and multicast snooping are off; every port floods.
Ref: net/bridge/br_fdb.c, br_forward.c:should_deliver(), br_input.c:br_handle_frame_finish() (v6.12).
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.dataclass import dataclass
from netsim.net.address import MAC
from netsim.stack.reasons import DropReason
from netsim.topology.model import Bridge, BridgePort, Device


@dataclass(frozen=True, slots=True)
class FdbEntry:
    """A known MAC: the port it was last seen on, and when (seconds of the world's clock). One that was given never ages."""

    port: str
    updated: float
    static: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a frame: the ports it leaves through, whether it also goes ``up`` to the bridge device, or why it goes nowhere.

    ``action`` is ``forward``, ``flood``, ``local`` or ``drop``.
    """

    action: str
    ports: tuple[Device, ...] = ()
    up: bool = False
    learned: bool = False
    reason: DropReason | None = None
    detail: str = ""


class BridgeState:
    """One bridge. ``forwarding`` names the ports whose state is forwarding; ``own_macs`` are the local entries of its database."""

    def __init__(
        self,
        device: Device,
        ports: tuple[Device, ...],
        forwarding: frozenset[str],
        given: Mapping[MAC, str] | None = None,
    ) -> None:
        assert isinstance(device.kind, Bridge)
        self.device = device
        self.ports = ports
        self.fdb = {mac: FdbEntry(port, 0.0, static=True) for mac, port in (given or {}).items()}
        self._forwarding = forwarding
        self._by_name = {port.name: port for port in ports}
        self._ageing_s = device.kind.ageing_time_s
        self.own_macs = frozenset({device.mac, *(port.mac for port in ports)})

    def forwards(self, port: Device) -> bool:
        """True where the port's state is forwarding."""
        return port.name in self._forwarding

    def receive(self, ingress: Device, src: MAC, dst: MAC, now: float) -> Decision:
        """A frame came in on a port: learn, then decide. Ref: br_input.c:br_handle_frame_finish() (v6.12)."""
        learned = self._learn(ingress, src, now)
        if dst.is_multicast:
            return self._flood(ingress, dst, up=True, learned=learned)
        if dst in self.own_macs:
            return Decision("local", up=True, learned=learned)
        port = self._find(dst, now)
        if port is None:
            return self._flood(ingress, dst, up=False, learned=learned)
        return self._forward(ingress, port, learned=learned)

    def transmit(self, dst: MAC, now: float) -> Decision:
        """A frame that this host sends through the bridge device. Ref: net/bridge/br_device.c:br_dev_xmit() (v6.12)."""
        port = None if dst.is_multicast else self._find(dst, now)
        if port is None:
            return self._flood(None, dst, up=False, learned=False)
        return self._forward(None, port, learned=False)

    def _learn(self, ingress: Device, src: MAC, now: float) -> bool:
        if not _port(ingress).learning or self._ageing_s == 0 or src in self.own_macs or src.is_multicast:
            return False
        known = self.fdb.get(src)
        self.fdb[src] = FdbEntry(ingress.name, now, static=known is not None and known.static)
        return known is None or known.port != ingress.name

    def _find(self, dst: MAC, now: float) -> Device | None:
        entry = self.fdb.get(dst)
        if entry is None or (not entry.static and now >= entry.updated + self._ageing_s):
            return None
        return self._by_name[entry.port] if entry.port in self._forwarding else None

    def _forward(self, ingress: Device | None, port: Device, *, learned: bool) -> Decision:
        reason = self._refusal(ingress, port)
        if reason is None:
            return Decision("forward", (port,), learned=learned)
        return Decision("drop", learned=learned, reason=reason, detail=f"the destination is behind port {port.name}")

    def _flood(self, ingress: Device | None, dst: MAC, *, up: bool, learned: bool) -> Decision:
        why = "broadcast" if dst.is_broadcast else "multicast" if dst.is_multicast else "unknown destination MAC"
        refusals = {port.name: self._refusal(ingress, port) for port in self.ports}
        ports = tuple(
            port for port in reversed(self.ports) if refusals[port.name] is None
        )  # br_add_if() puts each new port first
        if ports or up:
            return Decision("flood" if ports else "local", ports, up=up, learned=learned, detail=why)
        reason = (
            DropReason.BRIDGE_ISOLATED if DropReason.BRIDGE_ISOLATED in refusals.values() else DropReason.BRIDGE_NO_PORT
        )
        return Decision("drop", learned=learned, reason=reason, detail=f"{why}, and no port to flood it to")

    def _refusal(self, ingress: Device | None, port: Device) -> DropReason | None:
        """Why a port does not get the frame. Ref: net/bridge/br_forward.c:should_deliver() (v6.12)."""
        if ingress is not None and port.name == ingress.name and not _port(port).hairpin:
            return DropReason.BRIDGE_INGRESS_EGRESS
        if not self.forwards(port):
            return DropReason.BRIDGE_NO_PORT
        if ingress is not None and _port(ingress).isolated and _port(port).isolated:
            return DropReason.BRIDGE_ISOLATED
        return None


def _port(device: Device) -> BridgePort:
    assert device.port is not None
    return device.port
