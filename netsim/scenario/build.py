"""From files to a world: load, run the control plane, start the kube-proxies, wire the topology, merge the rules.

Whatever any of these refuses becomes a diagnostic with its place in the user's files, and all of one stage are told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from netsim.cluster.controlplane import ControlPlane
from netsim.manifest import Diagnostic, Loaded, LoadError, Severity, load
from netsim.net.address import Family
from netsim.objects.cluster import ClusterNode, ClusterSpec, MachineTexts
from netsim.objects.core import Node, Pod
from netsim.objects.meta import Key
from netsim.objects.path import path_text
from netsim.rules.conntrack.ast import ConntrackEntry
from netsim.rules.ipset.ast import IPSets
from netsim.rules.nft.ast import Ruleset as NftRuleset
from netsim.rules.source import Origin, RuleSyntaxError, RuleSyntaxErrors
from netsim.rules.xtables.ast import Ruleset
from netsim.scenario.assumptions import assumptions_of
from netsim.scenario.ipvs_nodes import ipvs_plan, own_ipvs_plan
from netsim.scenario.kube_proxies import NodeProxy, configuration_of, start
from netsim.scenario.nft_rules import node_nftables, own_nftables
from netsim.scenario.node_rules import legacy_rulesets, machine_conntrack, machine_ipsets, node_rulesets, own_ruleset
from netsim.scenario.plans import cluster_plan, machine_plan, node_object, service_cidr_object
from netsim.scenario.world import World
from netsim.topology.build import build, with_nftables, with_rules, with_state
from netsim.topology.ipvs import IPVSPlan, with_ipvs
from netsim.topology.model import Topology
from netsim.topology.naming import external_netns, node_netns
from netsim.topology.plan import ClusterPlan, MachinePlan, PlanError, PlanProblem
from proxy.config.model import KubeProxyConfiguration, ProxyMode
from proxy.config.read import ConfigurationError, read_configuration


def load_world(sources: Sequence[Path], *, mode: ProxyMode | None = None) -> tuple[World, tuple[Diagnostic, ...]]:
    """The world that files describe, at rest, and the load's warnings. ``mode`` overrides every kube-proxy's. Raises LoadError."""
    loaded = load(sources)
    return world_of(loaded, mode=mode), loaded.warnings


def world_of(loaded: Loaded, *, mode: ProxyMode | None = None) -> World:
    """The world of what was loaded. Raises LoadError."""
    cluster = loaded.cluster
    configurations = _configurations(cluster, mode)
    plane = steady(loaded)
    store = plane.store
    nodes = {node.name: Node.of(store.get(Key("Node", "", node.name))) for node in cluster.nodes}
    proxies = {node.name: start(store, node, configurations[node.name], nodes[node.name]) for node in cluster.nodes}
    pods = [Pod.of(item) for item in store.list("Pod").items]
    machines = tuple(_machine(cluster, node, proxies[node.name]) for node in cluster.nodes)
    plan = cluster_plan(cluster, machines, filter(_runs, pods))
    topology = _with_rules(_wired(plan, loaded), cluster, proxies, plan)
    objects = {item.key: item for kind in store.kinds for item in store.list(kind).items}
    return World(cluster, objects, proxies, topology, plane.events, assumptions_of(objects.values(), plane.events))


def _machine(cluster: ClusterSpec, node: ClusterNode, proxy: NodeProxy) -> MachinePlan:
    return machine_plan(cluster, node, proxy.sysctls if proxy.walked else {})


def _runs(pod: Pod) -> bool:
    return bool(pod.spec.node_name and pod.status.pod_ip and pod.status.phase == "Running")


# --- stages -----------------------------------------------------------------------------------------------------


def _configurations(cluster: ClusterSpec, mode: ProxyMode | None) -> dict[str, KubeProxyConfiguration]:
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
    cluster = loaded.cluster
    plane = ControlPlane(
        [node_object(node) for node in cluster.nodes],
        [service_cidr_object(cluster), *(item for item in loaded.objects if item.kind != "Node")],
        service_cidrs=[str(cidr) for cidr in cluster.service_cidrs],
        api_server="auto" if any(node.control_plane for node in cluster.nodes) else None,
    )
    plane.run_until_steady()
    if plane.problems:
        raise _failed(_at(_place_of(loaded, p.object), f"{p.object}: {p.message}") for p in plane.problems)
    return plane


def _wired(plan: ClusterPlan, loaded: Loaded) -> Topology:
    try:
        return build(plan)
    except PlanError as error:
        raise _failed(_at(_subject_place(loaded, p), str(p), p.advice) for p in error.problems) from error


def _with_rules(topology: Topology, cluster: ClusterSpec, proxies: dict[str, NodeProxy], plan: ClusterPlan) -> Topology:
    rules: dict[str, tuple[Ruleset, ...]] = {}
    states: dict[str, MachineTexts] = {}
    errors: list[RuleSyntaxError] = []
    plans = {machine.name: machine for machine in plan.machines}
    for node in cluster.nodes:
        states[node_netns(node.name)] = node.texts
        try:
            pods = [pod for pod in plan.pods if pod.node == node.name]
            rules[node_netns(node.name)] = node_rulesets(node, proxies[node.name], plans[node.name], plan.cni, pods)
        except RuleSyntaxErrors as found:
            errors += found.errors
    for host in cluster.external:
        states[external_netns(host.name)] = host.texts
        try:
            own = (own_ruleset(host.iptables, Family.IPV4), own_ruleset(host.ip6tables, Family.IPV6))
            plain = tuple(ruleset for ruleset in own if ruleset is not None)
            rules[external_netns(host.name)] = (*legacy_rulesets(host.texts), *plain)
        except RuleSyntaxErrors as found:
            errors += found.errors
    ipsets: dict[str, IPSets] = {}
    known: dict[str, tuple[ConntrackEntry, ...]] = {}
    for netns, texts in states.items():
        try:
            ipsets[netns], known[netns] = machine_ipsets(texts), machine_conntrack(texts)
        except RuleSyntaxErrors as found:
            errors += found.errors
    nftables: dict[str, tuple[NftRuleset, ...]] = {}
    for node in cluster.nodes:
        try:
            nftables[node_netns(node.name)] = node_nftables(node.texts.nftables, proxies[node.name], node.name)
        except RuleSyntaxErrors as found:
            errors += found.errors
    for host in cluster.external:
        try:
            ruleset = own_nftables(host.texts.nftables)
            nftables[external_netns(host.name)] = () if ruleset is None else (ruleset,)
        except RuleSyntaxErrors as found:
            errors += found.errors
    virtual: dict[str, IPVSPlan] = {}
    for node in cluster.nodes:
        try:
            virtual[node_netns(node.name)] = ipvs_plan(node.name, node.texts, proxies[node.name])
        except RuleSyntaxErrors as found:
            errors += found.errors
    for host in cluster.external:
        try:
            virtual[external_netns(host.name)] = own_ipvs_plan(host.texts)
        except RuleSyntaxErrors as found:
            errors += found.errors
    if errors:
        raise _failed(_at(error.origin, error.message, error.advice) for error in errors)
    topology = with_nftables(topology, nftables)
    return with_ipvs(with_state(with_rules(topology, rules), ipsets, known), virtual)


# --- places -----------------------------------------------------------------------------------------------------


def _failed(problems: Iterable[Diagnostic]) -> LoadError:
    return LoadError(tuple(dict.fromkeys(problems)))


def _plain(message: str, advice: str = "") -> Diagnostic:
    return Diagnostic(Severity.ERROR, "", 0, 0, message, help=advice)


def _at(origin: Origin | None, message: str, advice: str = "") -> Diagnostic:
    if origin is None:
        return _plain(message, advice)
    return Diagnostic(Severity.ERROR, origin.file, origin.line, origin.column, message, origin.text, advice)


def _place_of(loaded: Loaded, key: Key) -> Origin | None:
    node: ClusterNode | None = loaded.cluster.node(key.name) if key.kind == "Node" else None
    if node is not None:
        return node.origin
    return loaded.where(key, "") if any(item.key == key for item in loaded.objects) else None


def _subject_place(loaded: Loaded, problem: PlanProblem) -> Origin | None:
    match problem.subject.split("/"):
        case ["node", name]:
            return _place_of(loaded, Key("Node", "", name))
        case ["external", name]:
            return next((host.origin for host in loaded.cluster.external if host.name == name), None)
        case ["pod", namespace, name]:
            return _place_of(loaded, Key("Pod", namespace, name))
        case _:
            return loaded.cluster.origin
