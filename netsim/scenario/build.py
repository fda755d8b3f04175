"""From files to a world: load, run the control plane, start the kube-proxies, wire the topology, merge the rules.

Whatever any of these refuses becomes a diagnostic with its place in the user's files, and all of one stage are told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from netsim.cluster.controlplane import ControlPlane
from netsim.manifest import Diagnostic, Loaded, LoadError, Severity, load
from netsim.net.address import Family
from netsim.objects.cluster import ClusterNode, ClusterSpec, ExternalHost
from netsim.objects.core import Node, Pod
from netsim.objects.meta import Key
from netsim.objects.path import path_text
from netsim.rules.source import Origin, RuleSyntaxError, RuleSyntaxErrors
from netsim.rules.xtables.ast import Ruleset
from netsim.scenario.assumptions import assumptions_of
from netsim.scenario.kube_proxies import NodeProxy, configuration_of, start
from netsim.scenario.node_rules import (
    Parts,
    fresh_parts,
    legacy_rulesets,
    machine_conntrack,
    machine_ipsets,
    node_rulesets,
    own_ruleset,
)
from netsim.scenario.plans import cluster_plan, machine_plan, node_object, service_cidr_object
from netsim.scenario.recent_lists import recent_lists
from netsim.scenario.world import World
from netsim.topology.build import build, with_nftables, with_recent, with_rules, with_state
from netsim.topology.ipvs import IPVSPlan, with_ipvs
from netsim.topology.model import Topology
from netsim.topology.naming import external_netns, node_netns
from netsim.topology.plan import ClusterPlan, MachinePlan, PlanError, PlanProblem
from proxy.config.model import KubeProxyConfiguration, ProxyMode
from proxy.config.read import ConfigurationError, read_configuration
from proxy.watch import Views

if TYPE_CHECKING:
    from netsim.rules.nft.ast import Ruleset as NftRuleset

T = TypeVar("T")


def load_world(sources: Sequence[Path], *, mode: ProxyMode | None = None) -> tuple[World, tuple[Diagnostic, ...]]:
    """The world that files describe, at rest, and the load's warnings. ``mode`` overrides every kube-proxy's. Raises LoadError."""
    loaded = load(sources)
    return world_of(loaded, mode=mode), loaded.warnings


def world_of(loaded: Loaded, *, mode: ProxyMode | None = None) -> World:
    """The world of what was loaded. Raises LoadError."""
    return worlds_of(loaded)(mode)


def worlds_of(loaded: Loaded) -> Callable[[ProxyMode | None], World]:
    """What makes the world of what was loaded in a mode, or in each kube-proxy's own: one control plane, of which all read.

    Making one raises LoadError.
    """
    rest, views = cache(lambda: steady(loaded)), Views()

    def world_in(mode: ProxyMode | None) -> World:
        configurations = configurations_of(loaded.cluster, mode)
        store = rest().store
        nodes = {node.name: Node.of(store.get(Key("Node", "", node.name))) for node in loaded.cluster.nodes}
        proxies = {
            node.name: start(store, node, configurations[node.name], nodes[node.name], views)
            for node in loaded.cluster.nodes
        }
        return assembled(loaded, mode, rest(), proxies)

    return world_in


def assembled(
    loaded: Loaded,
    mode: ProxyMode | None,
    plane: ControlPlane,
    proxies: Mapping[str, NodeProxy],
    had_pods: Collection[str] = (),
) -> World:
    """The world of a control plane and the kube-proxies of its nodes, as they are at this moment. Raises LoadError.

    ``had_pods`` are nodes that had pods before, whose network plugin left its bridge behind.
    """
    cluster, store = loaded.cluster, plane.store
    pods = [Pod.of(item) for item in store.list("Pod").items]
    machines = tuple(
        replace(_machine(cluster, node, proxies[node.name]), had_pods=node.name in had_pods) for node in cluster.nodes
    )
    plan = cluster_plan(cluster, machines, filter(_runs, pods))
    topology = _with_rules(_wired(plan, loaded), cluster, proxies, plan)
    objects = {item.key: item for kind in store.kinds for item in store.list(kind).items}
    return World(loaded, mode, objects, proxies, topology, plane.events, assumptions_of(objects.values(), plane.events))


def _machine(cluster: ClusterSpec, node: ClusterNode, proxy: NodeProxy) -> MachinePlan:
    return machine_plan(cluster, node, proxy.sysctls)


def _runs(pod: Pod) -> bool:
    return bool(pod.spec.node_name and pod.status.pod_ip and pod.status.phase == "Running")


# --- stages -----------------------------------------------------------------------------------------------------


def configurations_of(cluster: ClusterSpec, mode: ProxyMode | None) -> dict[str, KubeProxyConfiguration]:
    """The configuration of each node's kube-proxy; ``mode`` overrides theirs. Raises LoadError."""
    found: dict[str, KubeProxyConfiguration] = {}
    problems: list[Diagnostic] = []
    for node in cluster.nodes:
        try:
            configuration = read_configuration(configuration_of(cluster, node))
            found[node.name] = replace(configuration, mode=mode) if mode else configuration
        except ConfigurationError as error:
            placed = cluster.kube_proxy_of(node)
            for problem in error.problems:
                origin = placed.where(problem.path) if placed else None
                problems.append(_at(origin, f"{path_text(problem.path)}: {problem.message}", problem.advice))
    if problems:
        raise _failed(problems)
    return found


def steady(loaded: Loaded) -> ControlPlane:
    """The control plane of what was loaded, at rest. Raises LoadError."""
    plane = begun(loaded)
    plane.run_until_steady()
    if plane.problems:
        raise _failed(_at(_place_of(loaded, p.object, p.path), f"{p.object}: {p.message}") for p in plane.problems)
    return plane


def begun(loaded: Loaded) -> ControlPlane:
    """The control plane of what was loaded, before anything happened."""
    cluster = loaded.cluster
    return ControlPlane(
        [node_object(node) for node in cluster.nodes],
        [service_cidr_object(cluster), *(item for item in loaded.objects if item.kind != "Node")],
        service_cidrs=[str(cidr) for cidr in cluster.service_cidrs],
        api_server="auto" if any(node.control_plane for node in cluster.nodes) else None,
        load_balancer_pools=[str(pool) for pool in cluster.load_balancer_pools],
    )


def _wired(plan: ClusterPlan, loaded: Loaded) -> Topology:
    try:
        return build(plan)
    except PlanError as error:
        raise _failed(_at(p.origin or _subject_place(loaded, p), str(p), p.advice) for p in error.problems) from error


def _with_rules(
    topology: Topology, cluster: ClusterSpec, proxies: Mapping[str, NodeProxy], plan: ClusterPlan
) -> Topology:
    """The topology with what the programs on its machines loaded: every machine's rules, sets, entries and virtual servers."""
    errors: list[RuleSyntaxError] = []
    parts = fresh_parts()
    nodes = {node_netns(node.name): node for node in cluster.nodes}
    hosts = {external_netns(host.name): host for host in cluster.external}
    texts = {**{name: node.texts for name, node in nodes.items()}, **{name: host.texts for name, host in hosts.items()}}
    proxy_of = {name: proxies[node.name] for name, node in nodes.items()}
    rules = _gathered(
        {name: partial(_node_rulesets, node, proxy_of[name], plan, parts) for name, node in nodes.items()}
        | {name: partial(_host_rulesets, host) for name, host in hosts.items()},
        errors,
    )
    ipsets = _gathered({name: partial(machine_ipsets, text) for name, text in texts.items()}, errors)
    known = _gathered({name: partial(machine_conntrack, text) for name, text in texts.items()}, errors)
    recent = _gathered(
        {name: partial(recent_lists, node.recent, rules.get(name, ())) for name, node in nodes.items()}
        | {name: partial(recent_lists, host.recent, rules.get(name, ())) for name, host in hosts.items()},
        errors,
    )
    nftables = _gathered(
        {name: partial(_node_nftables, node, proxy_of[name]) for name, node in nodes.items()}
        | {name: partial(_host_nftables, host) for name, host in hosts.items()},
        errors,
    )
    virtual = _gathered(
        {name: partial(_node_ipvs, node, proxy_of[name]) for name, node in nodes.items()}
        | {name: partial(_host_ipvs, host) for name, host in hosts.items()},
        errors,
    )
    if errors:
        raise _failed(_at(error.origin, error.message, error.advice) for error in errors)
    loaded = with_nftables(with_rules(topology, rules), nftables)
    return with_ipvs(with_recent(with_state(loaded, ipsets, known), recent), virtual)


def _gathered(makers: Mapping[str, Callable[[], T]], errors: list[RuleSyntaxError]) -> dict[str, T]:
    """What each machine's maker makes, by namespace; what a text is refused for is added to the errors."""
    found: dict[str, T] = {}
    for netns, make in makers.items():
        try:
            found[netns] = make()
        except RuleSyntaxErrors as refused:
            errors += refused.errors
    return found


def _node_rulesets(node: ClusterNode, proxy: NodeProxy, plan: ClusterPlan, parts: Parts) -> tuple[Ruleset, ...]:
    machine = next(machine for machine in plan.machines if machine.name == node.name)
    pods = [pod for pod in plan.pods if pod.node == node.name]
    return node_rulesets(node, proxy, machine, plan.cni, pods, parts)


def _host_rulesets(host: ExternalHost) -> tuple[Ruleset, ...]:
    own = (own_ruleset(host.iptables, Family.IPV4), own_ruleset(host.ip6tables, Family.IPV6))
    return (*legacy_rulesets(host.texts), *(ruleset for ruleset in own if ruleset is not None))


# What follows is imported where it is needed: most clusters have neither nftables of their own nor IPVS, and a cold trace should
# not pay for reading their languages.


def _node_nftables(node: ClusterNode, proxy: NodeProxy) -> tuple[NftRuleset, ...]:
    if node.texts.nftables is None and proxy.configuration.mode is not ProxyMode.NFTABLES:
        return ()
    from netsim.scenario.nft_rules import node_nftables

    return node_nftables(node.texts.nftables, proxy, node.name)


def _host_nftables(host: ExternalHost) -> tuple[NftRuleset, ...]:
    if host.texts.nftables is None:
        return ()
    from netsim.scenario.nft_rules import own_nftables

    ruleset = own_nftables(host.texts.nftables)
    return () if ruleset is None else (ruleset,)


def _node_ipvs(node: ClusterNode, proxy: NodeProxy) -> IPVSPlan:
    texts = node.texts
    if texts.ipvs is None and texts.ipvs_connections is None and proxy.configuration.mode is not ProxyMode.IPVS:
        return IPVSPlan()
    from netsim.scenario.ipvs_nodes import ipvs_plan

    return ipvs_plan(node.name, texts, proxy)


def _host_ipvs(host: ExternalHost) -> IPVSPlan:
    if host.texts.ipvs is None and host.texts.ipvs_connections is None:
        return IPVSPlan()
    from netsim.scenario.ipvs_nodes import own_ipvs_plan

    return own_ipvs_plan(host.texts)


# --- places -----------------------------------------------------------------------------------------------------


def _failed(problems: Iterable[Diagnostic]) -> LoadError:
    return LoadError(tuple(dict.fromkeys(problems)))


def _plain(message: str, advice: str = "") -> Diagnostic:
    return Diagnostic(Severity.ERROR, "", 0, 0, message, help=advice)


def _at(origin: Origin | None, message: str, advice: str = "") -> Diagnostic:
    if origin is None:
        return _plain(message, advice)
    return Diagnostic(Severity.ERROR, origin.file, origin.line, origin.column, message, origin.text, advice)


def _place_of(loaded: Loaded, key: Key, path: str = "") -> Origin | None:
    node: ClusterNode | None = loaded.cluster.node(key.name) if key.kind == "Node" else None
    if node is not None:
        return node.origin
    return loaded.where(key, path) if any(item.key == key for item in loaded.objects) else None


def _subject_place(loaded: Loaded, problem: PlanProblem) -> Origin | None:
    match problem.subject.split("/"):
        case ["node", name]:
            return _place_of(loaded, Key("Node", "", name))
        case ["external", name]:
            return next((host.origin for host in loaded.cluster.external if host.name == name), None)
        case ["pod", namespace, name]:
            return _place_of(loaded, Key("Pod", namespace, name), problem.path)
        case _:
            return loaded.cluster.origin
