"""A kind configuration file (kind.x-k8s.io/v1alpha4) → a draft of the cluster that kind makes of it.

Ref: kind pkg/apis/config/v1alpha4/{types,default}.go, pkg/cluster/internal/create/actions (v0.31).
"""

from __future__ import annotations

from netsim.manifest import networks
from netsim.manifest.diagnostics import Severity
from netsim.manifest.drafts import ClusterDraft, Defaults, NodeDraft
from netsim.manifest.entries import Entry, Report
from netsim.manifest.fields import Section
from netsim.net.address import Prefix, parse_interface, parse_prefix
from netsim.objects.cluster import CONTROL_PLANE_LABEL, PlacedDocument
from netsim.objects.core import Taint
from netsim.objects.path import Problem, nearest, path_text

KIND_API_VERSION = "kind.x-k8s.io/v1alpha4"

_TOP = (
    "apiVersion",
    "kind",
    "name",
    "nodes",
    "networking",
    "featureGates",
    "runtimeConfig",
    "kubeadmConfigPatches",
    "kubeadmConfigPatchesJSON6902",
    "containerdConfigPatches",
    "containerdConfigPatchesJSON6902",
)
_NODE = (
    "role",
    "image",
    "labels",
    "extraMounts",
    "extraPortMappings",
    "kubeadmConfigPatches",
    "kubeadmConfigPatchesJSON6902",
)
_NETWORKING = (
    "ipFamily",
    "apiServerPort",
    "apiServerAddress",
    "podSubnet",
    "serviceSubnet",
    "disableDefaultCNI",
    "kubeProxyMode",
    "dnsSearch",
)
_ROLES = ("control-plane", "worker")
_MODES = ("iptables", "ipvs", "nftables", "none")
_FAMILIES = {"ipv4": (4,), "ipv6": (6,), "dual": (4, 6)}

_PODS = {4: "10.244.0.0/16", 6: "fd00:10:244::/56"}
_SERVICES = {4: "10.96.0.0/16", 6: "fd00:10:96::/112"}
_NODES = {4: "172.18.0.2/16", 6: "fc00:f853:ccd:e793::2/64"}

_CONTROL_PLANE_TAINT = Taint(CONTROL_PLANE_LABEL, "NoSchedule")


def read_kind_config(entry: Entry, report: Report) -> ClusterDraft:
    """Read a kind configuration; what netsim cannot follow is reported as an error or, where it changes no path, a warning."""
    top = Section(entry, (), report)
    top.allow(*_TOP)
    name = top.text("name")
    draft = ClusterDraft(name.value if name else "kind", top.spot)
    networking = top.section("networking")
    networking.allow(*_NETWORKING)
    draft.defaults = _defaults(networking)
    _read_subnets(networking, draft)
    draft.kube_proxy = _kube_proxy(networking)
    draft.nodes = _read_nodes(top, draft.name)
    if networking.boolean("disableDefaultCNI"):
        _warn(
            networking, "disableDefaultCNI", "the CNI that is installed instead is not known here: a bridge is modelled"
        )
    else:
        message = "kindnet attaches pods point to point; they are modelled on a bridge, as flannel attaches them"
        report.problem(entry, Problem((), message), Severity.WARNING)
    return draft


def _defaults(networking: Section) -> Defaults:
    family = networking.text("ipFamily")
    versions = _FAMILIES.get(family.value if family else "ipv4")
    if family is not None and versions is None:
        near = nearest(family.value, _FAMILIES)
        advice = f"did you mean {near}?" if near else f"one of {', '.join(_FAMILIES)}"
        networking.error(f'unknown ipFamily "{family.value}"', advice, "ipFamily")
    versions = versions or (4,)
    return Defaults(
        tuple(parse_prefix(_PODS[version]) for version in versions),
        tuple(parse_prefix(_SERVICES[version]) for version in versions),
        tuple(parse_interface(_NODES[version]) for version in versions),
    )


def _read_subnets(networking: Section, draft: ClusterDraft) -> None:
    before = len(networking.report.found)
    for name, target in (("podSubnet", draft.pod_cidrs), ("serviceSubnet", draft.service_cidrs)):
        for text in networking.texts(name):
            found: Prefix | None = networking.parsed(text, networks.prefix)
            if found is not None:
                target.append((found, text.spot))
    draft.doubtful = len(networking.report.found) > before


def _kube_proxy(networking: Section) -> PlacedDocument | None:
    mode = networking.text("kubeProxyMode")
    if mode is None:
        return None
    if mode.value == "none":
        networking.error("kubeProxyMode none: a cluster without kube-proxy is not modelled yet", "", "kubeProxyMode")
        return None
    if mode.value not in _MODES:
        near = nearest(mode.value, _MODES)
        where = path_text(mode.spot.path)
        advice = f"did you mean {near}?" if near else f"one of {', '.join(_MODES)}"
        networking.error(f'{where}: unknown mode "{mode.value}"', advice, "kubeProxyMode")
        return None
    document = {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": mode.value}
    return PlacedDocument(document, mode.spot.origin, {("mode",): mode.spot.origin})


def _read_nodes(top: Section, cluster: str) -> list[NodeDraft]:
    nodes: list[NodeDraft] = []
    counts = dict.fromkeys(_ROLES, 0)
    for section, _ in top.sections("nodes"):
        section.allow(*_NODE)
        text = section.text("role")
        role = text.value if text else "control-plane"
        if role not in _ROLES:
            section.error(f'unknown role "{role}"', f"one of {', '.join(_ROLES)}", "role")
            continue
        counts[role] += 1
        suffix = "" if counts[role] == 1 else str(counts[role])
        node = NodeDraft(f"{cluster}-{role}{suffix}", section.spot)
        node.labels = section.mapping("labels") or {}
        nodes.append(node)
    if not nodes:
        nodes = [NodeDraft(f"{cluster}-control-plane", top.spot)]
        counts["control-plane"] = 1
    if not counts["control-plane"]:
        top.error("the cluster has no control-plane node", "add - role: control-plane", "nodes")
    for node in nodes:
        if node.name.startswith(f"{cluster}-control-plane"):
            node.labels = {CONTROL_PLANE_LABEL: "", **node.labels}
            node.taints = (_CONTROL_PLANE_TAINT,) if counts["worker"] else ()
    return nodes


def _warn(section: Section, name: str, message: str) -> None:
    section.report.problem(section.entry, Problem((*section.path, name), message), Severity.WARNING)
