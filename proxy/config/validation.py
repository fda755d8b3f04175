"""What kube-proxy refuses in its configuration, in its own words.

Ref: pkg/proxy/apis/config/validation/validation.go (v1.37); what is refused here because the emulation does not model
it says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from netsim.net.address import family_of
from netsim.objects.path import Problem, parse_path
from proxy.addresses import parse_address_sloppy, parse_prefix_sloppy
from proxy.config import gates
from proxy.config.duration import MINUTE, SECOND, format_duration
from proxy.config.values import Values

MODES = ("iptables", "ipvs", "nftables")
LOCAL_MODES = ("ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix", "")
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "fo", "ovf", "mh", "twos", "")
NODE_PORT_KEYWORDS = ("primary", "localhost", "all")

_ROOT = "KubeProxyConfiguration"


def validate(values: Values) -> list[Problem]:
    """Everything that is wrong with the values of fields, in the order in which kube-proxy looks."""
    return [found for check in _CHECKS for found in check(values)]


def problem(path: str, message: str, advice: str = "") -> Problem:
    """A problem of the field at a path like ``nodePortAddresses[1]``."""
    return Problem(parse_path(path), message, advice)


def _invalid(path: str, name: str, value: object, detail: str) -> Problem:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return problem(path, f"{_ROOT}.{name}: Invalid value: {shown}: {detail}")


def _document(values: Values) -> list[Problem]:
    problems = []
    if values.text("apiVersion") not in ("", "kubeproxy.config.k8s.io/v1alpha1"):
        text = f'no kind "KubeProxyConfiguration" is registered for version "{values.text("apiVersion")}"'
        problems.append(problem("apiVersion", text))
    if values.text("kind") not in ("", "KubeProxyConfiguration"):
        text = f'no kind "{values.text("kind")}" is registered for version "kubeproxy.config.k8s.io/v1alpha1"'
        problems.append(problem("kind", text))
    return problems


def _masquerade_bits(values: Values) -> list[Problem]:
    sections = [("iptables", "KubeProxyIPTablesConfiguration")]
    if values.text("mode") == "nftables":
        sections.append(("nftables", "KubeProxyNFTablesConfiguration"))
    return [
        _invalid(f"{section}.masqueradeBit", f"{name}.MasqueradeBit", bit, "must be within the range [0, 31]")
        for section, name in sections
        if not 0 <= (bit := values.number(f"{section}.masqueradeBit", default=14)) <= 31
    ]


def _ipvs(values: Values) -> list[Problem]:
    if values.text("mode") != "ipvs":
        return []
    name = "KubeProxyIPVSConfiguration"
    problems = [
        _invalid(f"ipvs.{key}", f"{name}.{shown}", format_duration(value), "must be greater than or equal to 0")
        for key, shown in (
            ("tcpTimeout", "TCPTimeout"),
            ("tcpFinTimeout", "TCPFinTimeout"),
            ("udpTimeout", "UDPTimeout"),
        )
        if (value := values.period(f"ipvs.{key}", default=0)) < 0
    ]
    problems += [
        _invalid(f"ipvs.excludeCIDRs[{i}]", f"{name}.ExcludeCidrs[{i}]", text, "must be a valid CIDR")
        for i, text in enumerate(values.texts("ipvs.excludeCIDRs"))
        if parse_prefix_sloppy(text) is None
    ]
    if values.text("ipvs.scheduler") not in SCHEDULERS:
        detail = f"must be in [{' '.join(SCHEDULERS)}], blank means the default algorithm method (currently rr)"
        problems.append(_invalid("ipvs.scheduler", f"{name}.Scheduler", values.text("ipvs.scheduler"), detail))
    return problems


def _conntrack(values: Values) -> list[Problem]:
    name = "KubeProxyLinuxConfiguration.KubeProxyConntrackConfiguration"
    detail = "must be greater than or equal to 0"
    numbers = (("maxPerCore", "MaxPerCore"), ("min", "Min"))
    durations = (
        ("tcpEstablishedTimeout", "TCPEstablishedTimeout"),
        ("tcpCloseWaitTimeout", "TCPCloseWaitTimeout"),
        ("udpTimeout", "UDPTimeout"),
        ("udpStreamTimeout", "UDPStreamTimeout"),
    )
    problems = [
        _invalid(f"conntrack.{key}", f"{name}.{shown}", value, detail)
        for key, shown in numbers
        if (value := values.number(f"conntrack.{key}", default=0)) < 0
    ]
    problems += [
        _invalid(f"conntrack.{key}", f"{name}.{shown}", format_duration(value), detail)
        for key, shown in durations
        if (value := values.period(f"conntrack.{key}", default=0)) < 0
    ]
    if not -1000 <= (score := values.number("oomScoreAdj", default=0)) <= 1000:
        shown = "KubeProxyLinuxConfiguration.OOMScoreAdj"
        problems.append(_invalid("oomScoreAdj", shown, score, "must be within the range [-1000, 1000]"))
    return problems


def _gates(values: Values) -> list[Problem]:
    shown = json.dumps(values.gates, separators=(",", ":"), sort_keys=True)
    text = f"{_ROOT}.featureGates: Invalid value: {shown}: "
    return [problem("featureGates", text + reason) for reason in gates.refusals(values.gates)]


def _mode(values: Values) -> list[Problem]:
    mode = values.text("mode")
    modes = [name for name in MODES if name != "ipvs" or values.gates.get("KubeProxyIPVS", True)]
    if mode not in (*modes, ""):
        detail = f"must be {', '.join(modes)} or blank (blank means the best-available proxy [currently iptables])"
        return [_invalid("mode", "Mode.ProxyMode", mode, detail)]
    return []


def _periods(values: Values) -> list[Problem]:
    problems = []
    if (value := values.period("configSyncPeriod", default=15 * MINUTE)) <= 0:
        problems.append(
            _invalid("configSyncPeriod", "ConfigSyncPeriod", format_duration(value), "must be greater than 0")
        )
    section = values.text("mode") if values.text("mode") in ("ipvs", "nftables") else "iptables"
    sync = values.period(f"{section}.syncPeriod", default=30 * SECOND)
    minimum = values.period(f"{section}.minSyncPeriod", default=0 if section == "ipvs" else SECOND)
    if sync <= 0:
        problems.append(
            _invalid(f"{section}.syncPeriod", "SyncPeriod", format_duration(sync), "must be greater than 0")
        )
    if minimum < 0:
        detail = "must be greater than or equal to 0"
        problems.append(_invalid(f"{section}.minSyncPeriod", "MinSyncPeriod", format_duration(minimum), detail))
    if minimum > sync:
        detail = f"must be greater than or equal to {_ROOT}.MinSyncPeriod"
        problems.append(_invalid(f"{section}.syncPeriod", "SyncPeriod", format_duration(minimum), detail))
    return problems


def _bind_addresses(values: Values) -> list[Problem]:
    problems = []
    bind = values.text("bindAddress") or "0.0.0.0"
    if parse_address_sloppy(bind) is None:
        detail = "not a valid textual representation of an IP address"
        problems.append(_invalid("bindAddress", "BindAddress", bind, detail))
    for key, name in (("healthzBindAddress", "HealthzBindAddress"), ("metricsBindAddress", "MetricsBindAddress")):
        if (text := values.text(key)) and parse_address_sloppy(text) is None:
            problems += _host_port(key, name, text)
    return problems


def _host_port(key: str, name: str, text: str) -> list[Problem]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host:
        return [_invalid(key, name, text, "must be IP:port")]
    problems = []
    if parse_address_sloppy(host) is None:
        problems.append(_invalid(key, name, host, "must be a valid IP"))
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        problems.append(_invalid(key, name, port, "must be a valid port"))
    return problems


def _unused(values: Values) -> list[Problem]:
    """A field that changes nothing and yet must be well formed."""
    problems = []
    if (burst := values.number("clientConnection.burst", default=0)) < 0:
        detail = "must be greater than or equal to 0"
        problems.append(_invalid("clientConnection.burst", "ClientConnection.Burst", burst, detail))
    return problems


def _node_port_addresses(values: Values) -> list[Problem]:
    problems = []
    detail = f"must be a valid CIDR or one of the keywords {', '.join(map(repr, NODE_PORT_KEYWORDS))}"
    texts = values.texts("nodePortAddresses")
    for i, text in enumerate(texts):
        name = f"NodePortAddresses[{i}]"
        if text in NODE_PORT_KEYWORDS:
            if text in texts[:i]:
                problems.append(problem(f"nodePortAddresses[{i}]", f'{_ROOT}.{name}: Duplicate value: "{text}"'))
        elif parse_prefix_sloppy(text) is None:
            problems.append(_invalid(f"nodePortAddresses[{i}]", name, text, detail))
    return problems


def _detect_local(values: Values) -> list[Problem]:
    name = "DetectLocalConfiguration"
    match values.text("detectLocalMode") or "ClusterCIDR":
        case "BridgeInterface" if not values.text("detectLocal.bridgeInterface"):
            return [_invalid("detectLocal.bridgeInterface", f"{name}.InterfaceName", "", "must not be empty")]
        case "InterfaceNamePrefix" if not values.text("detectLocal.interfaceNamePrefix"):
            return [_invalid("detectLocal.interfaceNamePrefix", f"{name}.InterfacePrefix", "", "must not be empty")]
        case "ClusterCIDR":
            return _cluster_cidrs(values.cluster_cidrs)
        case mode if mode not in LOCAL_MODES:
            supported = ", ".join(f'"{m}"' for m in LOCAL_MODES)
            text = f'{_ROOT}.DetectLocalMode: Unsupported value: "{mode}": supported values: {supported}'
            return [problem("detectLocalMode", text)]
        case _:
            return []


def _cluster_cidrs(cidrs: tuple[str, ...]) -> list[Problem]:
    name = "DetectLocalConfiguration.ClusterCIDRs"
    pair = "must be a either a single CIDR or dual-stack pair of CIDRs (e.g. [10.100.0.0/16, fde4:8dba:82e1::/48]"
    shown = json.dumps(cidrs, separators=(",", ":"))
    if len(cidrs) > 2:
        return [problem("clusterCIDR", f"{_ROOT}.{name}: Invalid value: {shown}: {pair}")]
    detail = "must be a valid CIDR block (e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)"
    prefixes = [parse_prefix_sloppy(text) for text in cidrs]
    problems = [
        _invalid("clusterCIDR", f"{name}[{i}]", text, detail)
        for i, (text, prefix) in enumerate(zip(cidrs, prefixes, strict=True))
        if prefix is None
    ]
    if not problems and len(cidrs) == 2 and len({family_of(p) for p in prefixes if p is not None}) == 1:
        problems.append(problem("clusterCIDR", f"{_ROOT}.{name}: Invalid value: {shown}: {pair}"))
    return problems


def _not_modelled(values: Values) -> list[Problem]:
    """What kube-proxy takes and the emulation cannot follow: an error, so that no wrong rules are shown."""
    problems = []
    if values.flag("iptables.snatNodeInternalIP", default=False):
        problems.append(problem("iptables.snatNodeInternalIP", "snatNodeInternalIP: true is not modelled"))
    return problems + [problem(f"featureGates.{name}", text) for name, text in gates.not_modelled(values.gates)]


_CHECKS: tuple[Callable[[Values], list[Problem]], ...] = (
    _document,
    _gates,
    _masquerade_bits,
    _ipvs,
    _conntrack,
    _mode,
    _periods,
    _bind_addresses,
    _unused,
    _node_port_addresses,
    _detect_local,
    _not_modelled,
)
