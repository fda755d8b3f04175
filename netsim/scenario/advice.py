"""What to do about an ending, where the world's objects say more than the reason's own advice.

The walk knows addresses and rules; this knows whose they are. A reason has a row in ADVISERS only where its general advice would
leave the user to look up what is already known here; an adviser that has nothing to add gives None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.net.packet import Protocol
from netsim.objects.core import Pod, Service, ServicePortSpec
from netsim.scenario.world import World
from netsim.topology.model import Role
from netsim.trace.model import Branch, Flow, Trace

_SEE = " See it: "


def advised(world: World, found: Trace) -> Trace:
    """The trace with what its world says to do about each branch."""
    return replace(found, branches=tuple(_advised(world, found.flow, branch) for branch in found.branches))


def _advised(world: World, flow: Flow, branch: Branch) -> Branch:
    adviser = ADVISERS.get(branch.reason)
    mend = adviser(Case(world, flow, branch)) if adviser else None
    if mend is None:
        return branch
    _, see, command = branch.advice.partition(_SEE)
    return replace(branch, advice=f"{mend}{see}{command}")


@dataclass(frozen=True, slots=True)
class Case:
    """A branch in its world."""

    world: World
    flow: Flow
    branch: Branch

    @property
    def end(self) -> tuple[Address, int]:
        """Where the first packet was going at last: address and port."""
        return self.branch.backend or (self.flow.destination, self.flow.dport)

    @property
    def asked(self) -> Service | None:
        """The Service that was asked, by its address, or by its node port."""
        key = self.world.service_of(self.flow.destination, self.flow.dport or None)
        return None if key is None else Service.of(self.world.objects[key])

    @property
    def protocol(self) -> str:
        """``tcp``."""
        return self.flow.protocol.name.lower()

    @property
    def from_outside(self) -> bool:
        """True where the asker is no part of the cluster."""
        return self.world.topology.namespaces[self.flow.netns].role is Role.EXTERNAL


# --- packets that reach nobody -------------------------------------------------------------------------------------


def _left(case: Case) -> str | None:
    address, _ = case.end
    service = case.asked
    if service is not None:
        return _untranslated(case, service)
    cluster = case.world.cluster
    if any(address in cidr for cidr in cluster.service_cidrs):
        return f"No Service has the address {address}: look whether it was deleted, and who still uses it."
    if case.world.owner_of(address) is not None:
        return f"Only the nodes have routes to the pods: ask a NodePort or LoadBalancer Service, or give the sender a route to {address}."
    if any(address in cidr for cidr in cluster.pod_cidrs):
        return f"{address} is in the pod network, but in no node's part of it: look for a stale endpoint or a node that is gone."
    return (
        f"{address} is no address of this topology. To follow the packet to a host there, "
        "add the host to spec.external of the Cluster document."
    )


def _untranslated(case: Case, service: Service) -> str | None:
    """A Service's address that no rule translated."""
    address, name = case.flow.destination, _name(service)
    if case.flow.protocol in (Protocol.ICMP, Protocol.ICMPV6):
        return (
            f"{address} answers no ping: only the ports of {name} are translated. Ask one of them: {_ports(service)}."
        )
    if case.from_outside:
        return _from_outside(case, service)
    if not any(_same(port, case) for port in service.spec.ports):
        asked = f"{case.flow.dport}/{case.protocol}"
        return f"{name} has no port {asked}, so no rule translates it. Its ports: {_ports(service)}."
    return None


def _from_outside(case: Case, service: Service) -> str:
    address, name = case.flow.destination, _name(service)
    if str(address) in service.spec.cluster_ips:
        ways = " or ".join(_ways_in(service))
        instead = f"Use {ways}." if ways else "Make the Service a NodePort or LoadBalancer to reach it from there."
        return f"{address} is the cluster IP of {name}: no route outside the cluster leads to cluster IPs. {instead}"
    return (
        f"{address} is an address of {name} that no machine has: a load balancer or a route has to bring it to a node. "
        f"Give the host a route to {address} via a node (spec.external[].routes), or use a node port."
    )


def _ways_in(service: Service) -> Iterable[str]:
    yield from (f"its load balancer's {entry.ip}" for entry in service.status.load_balancer.ingress if entry.ip)
    yield from (f"its external IP {ip}" for ip in service.spec.external_ips)
    ports = ", ".join(f"{port.node_port}/{port.protocol.lower()}" for port in service.spec.ports if port.node_port)
    if ports:
        yield f"its node port on any node ({ports})"


def _nobody(case: Case) -> str | None:
    """Nobody answered ARP or ND: for an address of a Service that is nobody's in any case."""
    service = case.asked
    untranslated = case.end[0] == case.flow.destination
    return _from_outside(case, service) if service is not None and untranslated and case.from_outside else None


# --- packets that are refused --------------------------------------------------------------------------------------


def _no_endpoints(case: Case) -> str | None:
    service = case.asked
    if service is None:
        return None
    name, selector = _name(service), service.spec.selector
    if not selector:
        return (
            f"{name} has no selector, so its endpoints are not made by themselves: create EndpointSlices with the label "
            f"kubernetes.io/service-name={service.metadata.name}, and look whether their endpoints are ready."
        )
    namespace = service.metadata.namespace
    mates = [pod for pod in case.world.pods() if pod.metadata.namespace == namespace]
    selected = [pod for pod in mates if selector.items() <= pod.metadata.labels.items()]
    if not selected:
        return _selects_nobody(name, selector, mates)
    if not any(pod.ready for pod in selected):
        first = min(selected, key=lambda pod: (not case.world.last_warning(pod), pod.metadata.name))
        count = "1 pod, and it is not" if len(selected) == 1 else f"{len(selected)} pods, and none is"
        return f"{name} selects {count} Ready. {first.metadata.name}: {case.world.why_not_ready(first).rstrip('.')}."
    port = next((port for port in service.spec.ports if _same(port, case)), None)
    if port is not None and isinstance(port.target_port, str):
        return (
            f"The pods that {name} selects are Ready, but none has a {port.protocol} port named {port.target_port!r}: "
            "correct the Service's targetPort, or name the container's port."
        )
    return None


def _selects_nobody(name: str, selector: Mapping[str, str], mates: list[Pod]) -> str:
    wanted = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    near = {f"{key}={pod.metadata.labels[key]}" for pod in mates for key in selector if key in pod.metadata.labels}
    has = f" There are pods with {', '.join(sorted(near)[:4])}." if near else ""
    return f"No pod of the namespace has the labels that {name} selects ({wanted}).{has} Correct the selector or the labels."


def _port_closed(case: Case) -> str | None:
    (address, port), service = case.end, case.asked
    listens = _listens(case)
    translated = address != case.flow.destination
    if service is None or not translated:
        return f"{address} listens on {listens}: ask for that, or let a process listen on {port}/{case.protocol}."
    if not service.spec.selector:
        return f"The EndpointSlices of {_name(service)} name port {port}, and {address} listens on {listens}: correct the one or the other."
    asked = next((item for item in service.spec.ports if _same(item, case)), None)
    if asked is None:
        return None
    return (
        f"{_name(service)} sends port {asked.port} to targetPort {_target(asked)}, and {address} listens on {listens}: "
        "correct the targetPort, or what the process binds (containerPort is documentation only)."
    )


def _node_port_closed(case: Case) -> str | None:
    service, (address, port) = case.asked, case.end
    if service is not None:
        ports = [item for item in service.spec.ports if item.node_port == port]
        if ports and not any(item.protocol.lower() == case.protocol for item in ports):
            return f"{_name(service)} has node port {port} for {ports[0].protocol} only."
        return None
    return f"No Service has node port {port}. If a process of the node ought to listen there, look whether it binds {address}."


def _listens(case: Case) -> str:
    """What has a socket where the packet ended: ``8080/tcp, 53/udp``."""
    assert case.branch.where is not None
    listeners = case.world.topology.namespaces[case.branch.where.netns].listeners
    listed = dict.fromkeys(f"{listener.port}/{listener.protocol.name.lower()}" for listener in listeners)
    return ", ".join(listed) or "no port"


# --- words -------------------------------------------------------------------------------------------------------


def _name(service: Service) -> str:
    return f"{service.metadata.namespace}/{service.metadata.name}"


def _ports(service: Service) -> str:
    return ", ".join(f"{port.port}/{port.protocol.lower()}" for port in service.spec.ports)


def _target(port: ServicePortSpec) -> str:
    return str(port.port if port.target_port is None else port.target_port)


def _same(port: ServicePortSpec, case: Case) -> bool:
    return case.flow.dport in (port.port, port.node_port) and port.protocol.lower() == case.protocol


ADVISERS: Mapping[str, Callable[[Case], str | None]] = {
    # reason: what the objects know of it
    "LEFT_MODEL": _left,
    "NEIGHBOUR_FAILED": _nobody,
    "NO_ENDPOINTS": _no_endpoints,
    "IPVS_NO_DESTINATION": _no_endpoints,
    "PORT_CLOSED": _port_closed,
    "NODE_PORT_CLOSED": _node_port_closed,
}
