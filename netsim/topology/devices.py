"""Devices that a machine was given beside those of its networks and pods, and changes of these.

Ref: iproute2 ip-link(8), bridge(8); net/8021q/vlan_netlink.c, drivers/net/macvlan.c, net/bridge/br_if.c:br_add_if() (v6.12).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netsim.topology.model import (
    Bridge,
    BridgePort,
    Device,
    Endpoint,
    Loopback,
    Macvlan,
    Neighbour,
    Netns,
    ProxyNeighbour,
    Topology,
    Veth,
    Vlan,
    Vxlan,
)
from netsim.topology.naming import external_netns, hashed_mac, node_netns, pod_netns
from netsim.topology.plan import ClusterPlan, DevicePlan, HostPlan, PlanError, PlanProblem

DEFAULT_MTU = 1500


class _RefusedError(Exception):
    """What the kernel would say of a device; ``field`` is the one of the plan that is wrong."""

    def __init__(self, message: str, field: str, advice: str = "") -> None:
        super().__init__(message)
        self.message, self.field, self.advice = message, field, advice


def fitted(topology: Topology, plan: ClusterPlan) -> Topology:
    """The topology with every machine's own devices. Raises PlanError with all that no kernel would take."""
    hosts: list[tuple[str, str, HostPlan]] = [
        *((f"node/{host.name}", node_netns(host.name), host) for host in plan.machines),
        *((f"external/{host.name}", external_netns(host.name), host) for host in plan.externals),
    ]
    problems: list[PlanProblem] = []
    for subject, netns, host in hosts:
        for device in host.devices:
            try:
                topology = _with(topology, netns, device)
            except _RefusedError as refused:
                origin = device.where(refused.field)
                problems.append(PlanProblem(subject, refused.message, refused.advice, origin=origin))
        problems += _strangers(subject, topology.namespaces[netns], host)
    if problems:
        raise PlanError(tuple(problems))
    return topology


def _strangers(subject: str, netns: Netns, host: HostPlan) -> Iterator[PlanProblem]:
    """Entries that name a device which is not there, or is none that takes them."""
    names = ", ".join(device.name for device in netns.devices)
    neighbours: list[Neighbour | ProxyNeighbour] = [*host.neighbours, *host.proxies]
    for neighbour in neighbours:
        if netns.device(neighbour.device) is None:
            message = f"the neighbour {neighbour.address}: there is no device {neighbour.device}"
            yield PlanProblem(subject, message, f"the devices are: {names}", origin=neighbour.origin)
    for entry in host.fdb:
        device = netns.device(entry.device)
        if device is None:
            why, advice = f"there is no device {entry.device}", f"the devices are: {names}"
        elif entry.dst is None and device.port is None:
            why, advice = f"{entry.device} is no bridge port", "an entry of a vxlan device has a dst"
        elif entry.dst is not None and not isinstance(device.kind, Vxlan):
            why, advice = f"{entry.device} is no vxlan device", "leave the dst out"
        else:
            continue
        yield PlanProblem(subject, f"the FDB entry {entry.mac}: {why}", advice, origin=entry.origin)


def _with(topology: Topology, netns: str, plan: DevicePlan) -> Topology:
    machine = topology.namespaces[netns]
    name = plan.name or _towards(topology, machine, plan)
    there = machine.device(name)
    if plan.kind is None:
        if there is None:
            raise _RefusedError(f"there is no device {name}", "name", _those(machine))
        if plan.carrier is not None:
            topology = _plugged(topology, there, plan)
        return _replaced(topology, netns, _changed(machine, there, plan))
    if there is not None:
        raise _RefusedError(f"{name} is there already", "name", "leave the kind out to change it")
    return _added(topology, netns, _made(machine, netns, name, plan))


def _those(machine: Netns) -> str:
    return f"the devices are: {', '.join(device.name for device in machine.devices)}"


def _towards(topology: Topology, machine: Netns, plan: DevicePlan) -> str:
    """The device that is the other end of a pod's."""
    assert plan.pod is not None
    pod = topology.namespaces.get(pod_netns(*plan.pod))
    ends = [d.kind.peer for d in pod.devices if isinstance(d.kind, Veth)] if pod is not None else []
    end = next((end for end in ends if end.netns == machine.name), None)
    if end is None:
        raise _RefusedError(f"no pod {'/'.join(plan.pod)} runs on this machine with a network of its own", "pod")
    return end.device


def _made(machine: Netns, netns: str, name: str, plan: DevicePlan) -> Device:
    """Ref: a vlan device has the MAC and the MTU of its parent, a macvlan its MTU."""
    kind, below = plan.kind, None
    assert kind is not None
    if isinstance(kind, Vlan | Macvlan):
        parent = kind.parent if isinstance(kind, Vlan) else kind.parent.device
        below = machine.device(parent)
        if below is None or isinstance(below.kind, Loopback):
            raise _RefusedError(f"there is no device {parent} for {name} to stand on", "parent", _those(machine))
        if isinstance(kind, Macvlan):
            kind = replace(kind, parent=Endpoint(netns, parent))
            if below.port is not None:
                raise _RefusedError(f"{parent} is a bridge port, on which no macvlan stands", "parent")
        if plan.mtu is not None and plan.mtu > below.mtu:
            raise _RefusedError(f"the MTU of {name} is larger than that of {parent}, {below.mtu}", "mtu")
    own = below.mac if isinstance(kind, Vlan) and below is not None else hashed_mac(f"{netns}/{name}")
    mtu = plan.mtu or (below.mtu if below is not None else DEFAULT_MTU)
    up = plan.up is not False
    device = Device(name, kind, plan.mac or own, mtu, up, plan.addresses)
    return replace(device, port=_port(machine, device, plan))


def _changed(machine: Netns, device: Device, plan: DevicePlan) -> Device:
    if isinstance(device.kind, Loopback) and (plan.mac or plan.master or plan.mtu):
        raise _RefusedError("lo has no MAC, no bridge and no other MTU", "name")
    return replace(
        device,
        mac=plan.mac or device.mac,
        mtu=plan.mtu or device.mtu,
        up=device.up if plan.up is None else plan.up,
        addresses=(*device.addresses, *(a for a in plan.addresses if a not in device.addresses)),
        port=_port(machine, device, plan),
    )


def _port(machine: Netns, device: Device, plan: DevicePlan) -> BridgePort | None:
    port = device.port
    if plan.master is not None:
        bridge = machine.device(plan.master)
        if bridge is None or not isinstance(bridge.kind, Bridge):
            raise _RefusedError(f"the master {plan.master} of {device.name} is no bridge", "master", _those(machine))
        if isinstance(device.kind, Bridge | Loopback):
            raise _RefusedError(f"the kernel makes {device.name} no bridge port", "master")
        port = BridgePort(plan.master) if port is None else replace(port, master=plan.master)
    if port is None:
        for name, flag in (("hairpin", plan.hairpin), ("isolated", plan.isolated), ("learning", plan.learning)):
            if flag is not None:
                raise _RefusedError(f"{device.name} is no bridge port", name, "name its master, too")
        return None
    return replace(
        port,
        hairpin=port.hairpin if plan.hairpin is None else plan.hairpin,
        isolated=port.isolated if plan.isolated is None else plan.isolated,
        learning=port.learning if plan.learning is None else plan.learning,
    )


def _plugged(topology: Topology, device: Device, plan: DevicePlan) -> Topology:
    """A device without carrier: what it is plugged into is down."""
    if not isinstance(device.kind, Veth):
        raise _RefusedError(f"{device.name} has no cable", "carrier", "set it down with up: false")
    end = device.kind.peer
    other = topology.namespaces[end.netns].device(end.device)
    assert other is not None
    return _replaced(topology, end.netns, replace(other, up=bool(plan.carrier)))


def _replaced(topology: Topology, netns: str, device: Device) -> Topology:
    machine = topology.namespaces[netns]
    devices = tuple(device if each.name == device.name else each for each in machine.devices)
    return replace(topology, namespaces={**topology.namespaces, netns: replace(machine, devices=devices)})


def _added(topology: Topology, netns: str, device: Device) -> Topology:
    machine = topology.namespaces[netns]
    changed = replace(machine, devices=(*machine.devices, device))
    return replace(topology, namespaces={**topology.namespaces, netns: changed})
