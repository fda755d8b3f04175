"""What never changes while a topology is walked: its devices, ports and routes, made ready for look-ups.

A ``Wiring`` may be shared by any number of networks of the same topology (the explorer makes one network for each branch).
Everything is made on first touch, so that a cluster of many pods costs only what a walk visits.
"""

from __future__ import annotations

from netsim.net.address import MAC
from netsim.stack.fib import Fib
from netsim.stack.sysctl import Sysctls
from netsim.topology.model import Bridge, Device, Endpoint, Loopback, Netns, Topology, Veth

LOOPBACK_MTU = 65536


class NetnsWiring:
    """One namespace's devices by name, the ports of its bridges, its routes and its sysctls.

    A namespace for which the topology lists no ``lo`` has one, up, as every real one has.
    """

    def __init__(self, spec: Netns) -> None:
        self.spec = spec
        self.devices: dict[str, Device] = {}
        if spec.device("lo") is None:
            self.devices["lo"] = Device("lo", Loopback(), MAC(0), mtu=LOOPBACK_MTU)
        self.devices.update((device.name, device) for device in spec.devices)
        self.ports: dict[str, tuple[Device, ...]] = {
            bridge.name: tuple(d for d in spec.devices if d.port is not None and d.port.master == bridge.name)
            for bridge in spec.devices
            if isinstance(bridge.kind, Bridge)
        }
        self.fib = Fib(spec, self.devices)
        self.sysctls = Sysctls(spec.sysctls)


class Wiring:
    """A topology's namespaces, made ready one by one."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._made: dict[str, NetnsWiring] = {}

    def of(self, netns: str) -> NetnsWiring:
        """The wiring of a namespace; raises KeyError where the topology has none of that name."""
        wiring = self._made.get(netns)
        if wiring is None:
            wiring = self._made[netns] = NetnsWiring(self._topology.namespaces[netns])
        return wiring

    def spec(self, netns: str) -> Netns:
        """The namespace as the topology describes it."""
        return self._topology.namespaces[netns]

    def peer(self, device: Device) -> tuple[Endpoint, Device] | None:
        """The other end of a veth and what stands there; None where nothing does."""
        if not isinstance(device.kind, Veth):
            return None
        end = device.kind.peer
        spec = self._topology.namespaces.get(end.netns)
        found = spec.device(end.device) if spec is not None else None
        return None if found is None else (end, found)

    def carrier(self, device: Device) -> bool:
        """True where the device is up and so is what it is plugged into. Ref: drivers/net/veth.c:veth_open() (v6.12)."""
        if not device.up:
            return False
        if not isinstance(device.kind, Veth):
            return True
        peer = self.peer(device)
        return peer is not None and peer[1].up
