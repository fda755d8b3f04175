"""What makes a plan impossible: things that the kernel, the CNI plugin or the API server would refuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from netsim.rules.source import Origin
from netsim.topology.cni import bridge
from netsim.topology.lan import LAN, Card, on_link
from netsim.topology.model import Route, RouteType
from netsim.topology.naming import external_netns, node_netns
from netsim.topology.plan import ClusterPlan, HostPlan, MachinePlan, PlanProblem
from netsim.topology.sysctl import check


def contradictions(plan: ClusterPlan) -> list[PlanProblem]:
    """Names that are there twice, hosts without an address, pods that are nowhere or whose node could not have given their address.

    And sysctls that the kernel does not know, would not take, or that the walk would not obey.
    """
    problems: list[PlanProblem] = []
    for kind, hosts in (("node", plan.machines), ("external", plan.externals)):
        problems += [
            PlanProblem(f"{kind}/{host.name}", "has no address", "give it one, such as 192.168.0.11/24")
            for host in hosts
            if not host.addresses
        ]
        problems += _repeated([f"{kind}/{host.name}" for host in hosts])
    problems += _repeated([f"pod/{pod.namespace}/{pod.name}" for pod in plan.pods])
    return problems + _pod_problems(plan) + _sysctl_problems(plan)


def unreachable_routers(plan: ClusterPlan, lan: LAN) -> list[PlanProblem]:
    """Gateways, and routes through gateways, that are on no network of their host."""
    problems: list[PlanProblem] = []
    for subject, host, cards in _routed(plan, lan):
        networks = f"its networks: {', '.join(str(address.network) for card in cards for address in card.addresses)}"
        problems += [
            PlanProblem(subject, f"the gateway {router} is on none of its networks", networks)
            for router in host.gateways
            if on_link(router, cards) is None
        ]
        problems += [
            PlanProblem(subject, f"the route to {route.to} {refusal}", networks, origin=route.origin)
            for route in host.routes
            if (refusal := _refusal(route, cards, host)) is not None
        ]
    return problems


def _repeated(names: Sequence[str]) -> list[PlanProblem]:
    return [PlanProblem(name, "is described more than once") for name, times in Counter(names).items() if times > 1]


def _pod_problems(plan: ClusterPlan) -> list[PlanProblem]:
    machines: dict[str, MachinePlan] = {machine.name: machine for machine in plan.machines}
    problems: list[PlanProblem] = []
    for pod in plan.pods:
        machine = machines.get(pod.node)
        if machine is None:
            advice = f"the nodes are: {', '.join(machines) or 'none'}"
            problems.append(
                PlanProblem(f"pod/{pod.namespace}/{pod.name}", f"its node {pod.node!r} is not described", advice)
            )
        elif not pod.host_network:
            problems += bridge.problems_of(pod, machine)
    return problems


def _sysctl_problems(plan: ClusterPlan) -> list[PlanProblem]:
    settings: list[tuple[str, Mapping[str, str], Mapping[str, Origin]]] = [
        *((f"node/{host.name}", host.sysctls, host.places) for host in plan.machines),
        *((f"pod/{pod.namespace}/{pod.name}", pod.sysctls, {}) for pod in plan.pods),
        *((f"external/{host.name}", host.sysctls, host.places) for host in plan.externals),
        ("gateway", plan.gateway.sysctls, {}),
    ]
    return [
        PlanProblem(subject, problem.message, problem.advice, origin=places.get(name))
        for subject, sysctls, places in settings
        for name, value in sysctls.items()
        if (problem := check(name, value)) is not None
    ]


def _routed(plan: ClusterPlan, lan: LAN) -> list[tuple[str, HostPlan, Sequence[Card]]]:
    nodes = [(f"node/{host.name}", host, lan.cards[node_netns(host.name)]) for host in plan.machines]
    externals = [(f"external/{host.name}", host, lan.cards[external_netns(host.name)]) for host in plan.externals]
    router = HostPlan("gateway", (), routes=plan.gateway.routes)
    return [*nodes, *externals, ("gateway", router, lan.gateway_cards)]


def _refusal(route: Route, cards: Sequence[Card], host: HostPlan) -> str | None:
    """What the kernel says of a route; None where it takes it.

    A route through a device that is no network card (``cni0``) is left to ``validate``.
    Ref: net/ipv4/fib_semantics.c:fib_check_nh() (v6.12).
    """
    if route.type is not RouteType.UNICAST:
        return None
    if route.nexthops:
        hops = (replace(route, device=h.device, via=h.via, onlink=h.onlink, nexthops=()) for h in route.nexthops)
        return next((refusal for hop in hops if (refusal := _refusal(hop, cards, host)) is not None), None)
    if route.via is None:
        return None if route.device is not None else "names neither a gateway nor a device"
    beside = [card for card in cards if route.device in (None, card.device)]
    if route.onlink or (route.device is not None and not beside) or on_link(route.via, beside) is not None:
        return None
    if any(a.version == route.via.version and route.via in a.network for d in host.devices for a in d.addresses):
        return None
    return f"has the gateway {route.via}, which is on none of its networks"
