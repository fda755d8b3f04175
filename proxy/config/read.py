"""Reading KubeProxyConfiguration from its document, with every problem it has.

Types and unknown fields are told in the decoder's words, values in those of kube-proxy's validation; each problem has
the path of the field in the document, so that a loader can point at the line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netsim.objects.json import Document, Json, kind_of
from netsim.objects.path import Problem, nearest
from proxy.config.duration import HOUR, SECOND, parse_duration
from proxy.config.fields import FIELDS, SECTIONS, Kind
from proxy.config.model import (
    IPVS,
    Conntrack,
    DetectLocal,
    IPTables,
    KubeProxyConfiguration,
    LocalMode,
    NFTables,
    ProxyMode,
)
from proxy.config.validation import problem, validate
from proxy.config.values import Values

API_VERSION = "kubeproxy.config.k8s.io/v1alpha1"


class ConfigurationError(ValueError):
    """A document that kube-proxy would not start with; ``problems`` holds all that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(found.message for found in problems))
        self.problems = problems


def read_configuration(document: Document) -> KubeProxyConfiguration:
    """The configuration that a document describes, with kube-proxy's defaults. Raises ConfigurationError.

    ``apiVersion`` and ``kind`` may be left out. Fields that change no rule are checked for their type and then left
    alone (``proxy.config.fields`` says which and why).
    """
    values, problems = _decode(document)
    problems += validate(values)
    if problems:
        raise ConfigurationError(tuple(problems))
    return _build(values)


def _decode(document: Document) -> tuple[Values, list[Problem]]:
    found: dict[str, object] = {}
    problems: list[Problem] = []
    for path, value in _leaves(document, problems):
        field = FIELDS.get(path)
        if field is None:
            problems.append(_unknown(path))
        elif value is not None:
            try:
                found[path] = _convert(field.kind, value)
            except _MismatchError:
                problems.append(problem(path, _mismatch(path, field.kind, value)))
            except ValueError as error:
                problems.append(problem(path, str(error)))
    return Values(found), problems


def _leaves(document: Document, problems: list[Problem]) -> list[tuple[str, Json]]:
    leaves: list[tuple[str, Json]] = []
    for key, value in document.items():
        if key not in SECTIONS:
            leaves.append((key, value))
        elif isinstance(value, Mapping):
            leaves.extend((f"{key}.{inner}", item) for inner, item in value.items())
        elif value is not None:
            problems.append(problem(key, _unmarshal(key, value, "object")))
    return leaves


def _unknown(path: str) -> Problem:
    like = nearest(path, FIELDS)
    return problem(path, f'strict decoding error: unknown field "{path}"', f"did you mean {like}?" if like else "")


class _MismatchError(Exception):
    """A value of another type than its field's."""


def _convert(kind: Kind, value: Json) -> object:
    match kind, value:
        case Kind.STRING, str():
            return value
        case Kind.BOOL, bool():
            return value
        case ((Kind.INT | Kind.FLOAT), bool()):
            raise _MismatchError
        case Kind.INT, int():
            return value
        case Kind.FLOAT, int() | float():
            return value
        case Kind.DURATION, str():
            return parse_duration(value)
        case Kind.STRINGS, Sequence() if not isinstance(value, str) and all(isinstance(item, str) for item in value):
            return tuple(value)
        case Kind.BOOLS, Mapping() if all(isinstance(item, bool) for item in value.values()):
            return dict(value)
        case Kind.ANY, _:
            return value
        case _:
            raise _MismatchError


def _mismatch(path: str, kind: Kind, value: Json) -> str:
    return _unmarshal(path, value, kind.value)


def _unmarshal(path: str, value: Json, expected: str) -> str:
    found = kind_of(value).split()[-1]
    return f"json: cannot unmarshal {found} into Go struct field KubeProxyConfiguration.{path} of type {expected}"


def _build(values: Values) -> KubeProxyConfiguration:
    return KubeProxyConfiguration(
        mode=ProxyMode(values.text("mode") or "iptables"),
        hostname_override=values.text("hostnameOverride").strip().lower(),
        bind_address=values.text("bindAddress") or "0.0.0.0",
        cluster_cidrs=values.cluster_cidrs,
        detect_local_mode=LocalMode(values.text("detectLocalMode") or "ClusterCIDR"),
        detect_local=DetectLocal(
            values.text("detectLocal.bridgeInterface"), values.text("detectLocal.interfaceNamePrefix")
        ),
        iptables=_iptables(values),
        ipvs=_ipvs(values),
        nftables=_nftables(values),
        node_port_addresses=values.texts("nodePortAddresses"),
        conntrack=_conntrack(values),
        feature_gates=values.gates,
    )


def _conntrack(values: Values) -> Conntrack:
    return Conntrack(
        tcp_be_liberal=values.flag("conntrack.tcpBeLiberal", default=False),
        tcp_established_timeout=values.timeout("conntrack.tcpEstablishedTimeout", default=24 * HOUR),
        tcp_close_wait_timeout=values.timeout("conntrack.tcpCloseWaitTimeout", default=HOUR),
        udp_timeout=values.timeout("conntrack.udpTimeout", default=0),
        udp_stream_timeout=values.timeout("conntrack.udpStreamTimeout", default=0),
    )


def _iptables(values: Values) -> IPTables:
    return IPTables(
        masquerade_bit=values.number("iptables.masqueradeBit", default=14),
        masquerade_all=values.flag("iptables.masqueradeAll", default=False),
        localhost_node_ports=values.flag("iptables.localhostNodePorts", default=True),
        sync_period=values.period("iptables.syncPeriod", default=30 * SECOND),
        min_sync_period=values.period("iptables.minSyncPeriod", default=SECOND),
    )


def _ipvs(values: Values) -> IPVS:
    return IPVS(
        scheduler=values.text("ipvs.scheduler"),
        strict_arp=values.flag("ipvs.strictARP", default=False),
        exclude_cidrs=values.texts("ipvs.excludeCIDRs"),
        tcp_timeout=values.period("ipvs.tcpTimeout", default=0),
        tcp_fin_timeout=values.period("ipvs.tcpFinTimeout", default=0),
        udp_timeout=values.period("ipvs.udpTimeout", default=0),
        sync_period=values.period("ipvs.syncPeriod", default=30 * SECOND),
        min_sync_period=values.period("ipvs.minSyncPeriod", default=0),
    )


def _nftables(values: Values) -> NFTables:
    return NFTables(
        masquerade_bit=values.number("nftables.masqueradeBit", default=14),
        masquerade_all=values.flag("nftables.masqueradeAll", default=False),
        sync_period=values.period("nftables.syncPeriod", default=30 * SECOND),
        min_sync_period=values.period("nftables.minSyncPeriod", default=SECOND),
    )
