"""The Cluster document (netsim.io/v1alpha1) → a draft of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import TypeVar

from netsim.manifest import networks
from netsim.manifest.devices import read_devices, read_fdb, read_neighbours
from netsim.manifest.drafts import ClusterDraft, ExternalDraft, NodeDraft
from netsim.manifest.entries import Entry, Report
from netsim.manifest.fields import Section, Spot
from netsim.manifest.routing import read_routes, read_rules
from netsim.objects.cluster import CNISpec, MachineRouting, MachineTexts, RecentList
from netsim.objects.core import Taint
from netsim.objects.listen import parse_listen
from netsim.objects.path import nearest, path_text
from netsim.objects.quantity import quantity
from netsim.objects.validation import names
from netsim.objects.validation.metadata import check_labels

SPEC_FIELDS = ("podCIDR", "serviceCIDR", "gateway", "loadBalancerPool", "kubeProxy", "cni", "nodes", "external")
CNI_FIELDS = ("plugin", "backend", "hairpin", "mtu", "masquerade", "iptablesForwardRules")
_TEXTS = (
    "iptables",
    "ip6tables",
    "iptablesLegacy",
    "ip6tablesLegacy",
    "ipset",
    "conntrack",
    "nftables",
    "ipvs",
    "ipvsConnections",
)
_MACHINE = ("name", "addresses", "sysctls", *_TEXTS, "recent", "routes", "rules", "neighbours", "devices", "fdb")
_KUBE_PROXY = ("kubeProxy", "kubeProxyRuns")
NODE_FIELDS = (
    *_MACHINE,
    "labels",
    "annotations",
    "taints",
    "unschedulable",
    "allocatable",
    "podCIDR",
    *_KUBE_PROXY,
    "state",
)
EXTERNAL_FIELDS = (*_MACHINE, "gateway", "listen")
_EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")

_NOT_MODELLED = "not modelled yet"

E = TypeVar("E", bound=Enum)
_T = TypeVar("_T")


def read_cluster(entry: Entry, report: Report) -> ClusterDraft:
    """Read a Cluster document; everything that is wrong goes to the report."""
    top = Section(entry, (), report)
    top.allow("apiVersion", "kind", "metadata", "spec")
    metadata = top.section("metadata")
    metadata.allow("name", "labels", "annotations")
    name = metadata.text("name")
    spec = top.section("spec")
    spec.allow(*SPEC_FIELDS)
    draft = ClusterDraft(name.value if name else "", spec.spot if spec.has("nodes") else top.spot)
    draft.kube_proxy = spec.placed("kubeProxy")
    draft.cni = _read_cni(spec.section("cni"))
    before = len(report.found)
    draft.pod_cidrs = list(_parsed_all(spec, "podCIDR", networks.prefix))
    draft.service_cidrs = list(_parsed_all(spec, "serviceCIDR", networks.prefix))
    draft.gateways = list(_parsed_all(spec, "gateway", networks.address))
    draft.load_balancer_pools = list(_parsed_all(spec, "loadBalancerPool", networks.prefix))
    if spec.raw("nodes") == []:
        spec.error(
            "spec.nodes: a cluster has at least one node", "name one, or leave it out for node1 and node2", "nodes"
        )
    draft.nodes = [
        node for section, raw in spec.sections("nodes", or_text=True) if (node := _read_node(section, raw)) is not None
    ]
    draft.external = [host for section, _ in spec.sections("external") if (host := _read_external(section)) is not None]
    draft.doubtful = len(report.found) > before
    return draft


def _parsed_all(section: Section, name: str, parse: Callable[[str], _T]) -> Iterator[tuple[_T, Spot]]:
    for text in section.texts(name):
        value = section.parsed(text, parse)
        if value is not None:
            yield value, text.spot


# --- cni --------------------------------------------------------------------------------------------------------


def _read_cni(section: Section) -> CNISpec:
    section.allow(*CNI_FIELDS)
    default = CNISpec()
    plugin = _choice(section, "plugin", default.plugin)
    backend = _choice(section, "backend", default.backend)
    mtu = section.integer("mtu", 576, 65535)
    return CNISpec(
        plugin=plugin,
        backend=backend,
        hairpin=_or(section.boolean("hairpin"), default.hairpin),
        mtu=mtu,
        masquerade=_or(section.boolean("masquerade"), default.masquerade),
        iptables_forward_rules=_or(section.boolean("iptablesForwardRules"), default.iptables_forward_rules),
    )


def _or(value: bool | None, default: bool) -> bool:  # noqa: FBT001
    return default if value is None else value


def _choice(section: Section, name: str, default: E) -> E:
    text = section.text(name)
    if text is None:
        return default
    words = {member.value: member for member in type(default)}
    member = words.get(text.value)
    if member is None:
        near = nearest(text.value, words)
        advice = f"did you mean {near}?" if near else f"one of {', '.join(words)}"
        section.error(f'{path_text(text.spot.path)}: unknown {name} "{text.value}"', advice, name)
    return member or default


# --- machines ---------------------------------------------------------------------------------------------------


def _read_node(section: Section, raw: object) -> NodeDraft | None:
    if isinstance(raw, str):
        draft = NodeDraft(raw, section.spot)
        _check_name(section, raw)
        return draft
    name = _machine_name(section, raw, "node")
    section.allow(*NODE_FIELDS)
    if section.has("state"):
        advice = "describe the node by its addresses, routes and iptables rules instead"
        section.error(
            f"{path_text((*section.path, 'state'))}: reading a real node's state is {_NOT_MODELLED}", advice, "state"
        )
    if name is None:
        return None
    draft = NodeDraft(name, section.spot_of("name"))
    draft.addresses = list(_parsed_all(section, "addresses", networks.interface))
    draft.pod_cidrs = list(_parsed_all(section, "podCIDR", networks.prefix))
    draft.labels = _read_labels(section)
    draft.annotations = section.mapping("annotations") or {}
    draft.taints = tuple(_read_taints(section))
    draft.unschedulable = bool(section.boolean("unschedulable"))
    draft.allocatable = _read_allocatable(section)
    _read_machine(section, draft)
    draft.kube_proxy = section.placed("kubeProxy")
    draft.kube_proxy_runs = section.boolean("kubeProxyRuns") is not False
    return draft


def _read_machine(section: Section, draft: NodeDraft | ExternalDraft) -> None:
    """What is said of every machine, whether it is one of the cluster's or not."""
    draft.sysctls = _read_sysctls(section)
    draft.iptables = section.rules("iptables")
    draft.ip6tables = section.rules("ip6tables")
    draft.texts = _read_texts(section)
    draft.routes = list(read_routes(section))
    draft.routing = _read_routing(section)
    draft.recent = tuple(_read_recent(section.section("recent")))


def _read_external(section: Section) -> ExternalDraft | None:
    name = _machine_name(section, section.entry.node.inside(section.path), "host")
    section.allow(*EXTERNAL_FIELDS)
    if name is None:
        return None
    draft = ExternalDraft(name, section.spot_of("name"))
    draft.addresses = list(_parsed_all(section, "addresses", networks.interface))
    if not section.has("addresses"):
        advice = "such as addresses: [192.168.0.100/24]"
        section.error(f"the external host {name} has no addresses", advice)
    draft.gateways = list(_parsed_all(section, "gateway", networks.address))
    _read_machine(section, draft)
    listen = section.texts("listen")
    found = (section.parsed(text, parse_listen) for text in listen)
    draft.listen = tuple(dict.fromkeys(item for items in found if items for item in items))
    return draft


def _read_routing(section: Section) -> MachineRouting:
    sysctls = section.raw("sysctls")
    return MachineRouting(
        rules=tuple(read_rules(section)),
        neighbours=tuple(read_neighbours(section)),
        devices=tuple(read_devices(section)),
        fdb=tuple(read_fdb(section)),
        sysctl_places={
            name: section.spot_of("sysctls", name).origin for name in (sysctls if isinstance(sysctls, dict) else {})
        },
    )


def _read_texts(section: Section) -> MachineTexts:
    return MachineTexts(
        iptables_legacy=section.rules("iptablesLegacy"),
        ip6tables_legacy=section.rules("ip6tablesLegacy"),
        ipset=section.rules("ipset"),
        conntrack=section.rules("conntrack"),
        nftables=section.rules("nftables"),
        ipvs=section.rules("ipvs"),
        ipvs_connections=section.rules("ipvsConnections"),
    )


def _read_recent(section: Section) -> Iterator[RecentList]:
    for name in section.names():
        addresses = tuple(address for address, _ in _parsed_all(section, name, networks.address))
        yield RecentList(name, addresses, section.spot_of(name).origin)


def _machine_name(section: Section, raw: object, what: str) -> str | None:
    if raw is None:
        section.error(f"the {what} is empty", "write a name, or - name: …")
        return None
    name = section.text("name")
    if name is None:
        if not section.has("name"):
            section.error(f"the {what} has no name", "write - name: …")
        return None
    _check_name(section, name.value, "name")
    return name.value


def _check_name(section: Section, name: str, *steps: str) -> None:
    for why in names.dns1123_subdomain(name):
        section.error(f'"{name}" is not a name: {why}', "", *steps)


def _read_sysctls(section: Section) -> dict[str, str]:
    found: dict[str, str] = {}
    raw = section.raw("sysctls")
    if raw is not None and not isinstance(raw, dict):
        section.mapping("sysctls")
        return found
    for key, value in (raw or {}).items():
        if isinstance(value, str | int) and not isinstance(value, bool):
            found[key] = str(value)
        else:
            where = path_text((*section.path, "sysctls", key))
            section.error(f"{where}: a sysctl's value is text or an integer", "", "sysctls", key)
    return found


def _read_allocatable(section: Section) -> dict[str, str]:
    found: dict[str, str] = {}
    raw = section.raw("allocatable")
    if raw is not None and not isinstance(raw, dict):
        section.mapping("allocatable")
        return found
    for name, value in (raw or {}).items():
        try:
            quantity(value if isinstance(value, str | int) and not isinstance(value, bool) else "")
            found[name] = str(value)
        except ValueError:
            where = path_text((*section.path, "allocatable", name))
            section.error(f"{where}: {value!r} is not a quantity", "such as 4, 500m or 8Gi", "allocatable", name)
    return found


def _read_labels(section: Section) -> dict[str, str]:
    """The labels of the Node object, as the API server takes them. Ref: apimachinery validation.ValidateLabels() (v1.37)."""
    found = section.mapping("labels") or {}
    for problem in check_labels(found, (*section.path, "labels")):
        section.report.problem(section.entry, problem)
    return found


def _read_taints(section: Section) -> Iterator[Taint]:
    for item, _ in section.sections("taints"):
        item.allow("key", "value", "effect")
        key, value, effect = item.text("key"), item.text("value"), item.text("effect")
        if key is None or effect is None:
            item.error("a taint has a key and an effect", "such as {key: dedicated, value: db, effect: NoSchedule}")
        elif effect.value not in _EFFECTS:
            item.error(f'unknown effect "{effect.value}"', f"one of {', '.join(_EFFECTS)}", "effect")
        else:
            yield Taint(key.value, effect.value, value.value if value else "")
