"""What kube-proxy's configuration may say, what it defaults to, and how each mistake is told."""

import pytest

from netsim.objects.path import path_text
from proxy.config.duration import HOUR, MILLISECOND, MINUTE, SECOND, format_duration, parse_duration
from proxy.config.fields import FIELDS, Effect, Kind
from proxy.config.model import KubeProxyConfiguration, LocalMode, ProxyMode
from proxy.config.read import ConfigurationError, read_configuration

PREFIX = "KubeProxyConfiguration."
MODES = "must be iptables, ipvs, nftables or blank (blank means the best-available proxy [currently iptables])"
CIDR = "must be a valid CIDR block (e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)"
PAIR = "must be a either a single CIDR or dual-stack pair of CIDRs (e.g. [10.100.0.0/16, fde4:8dba:82e1::/48]"

LOCAL_MODES = '"ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix", ""'

PROBLEMS = [
    ({"mode": "userspace"}, "mode", f'Mode.ProxyMode: Invalid value: "userspace": {MODES}'),
    (
        {"iptables": {"masqueradeBit": 32}},
        "iptables.masqueradeBit",
        "KubeProxyIPTablesConfiguration.MasqueradeBit: Invalid value: 32: must be within the range [0, 31]",
    ),
    (
        {"mode": "nftables", "nftables": {"masqueradeBit": -1}},
        "nftables.masqueradeBit",
        "KubeProxyNFTablesConfiguration.MasqueradeBit: Invalid value: -1: must be within the range [0, 31]",
    ),
    (
        {"nodePortAddresses": ["10.0.0.0/8", "10.0.0.1"]},
        "nodePortAddresses[1]",
        (
            'NodePortAddresses[1]: Invalid value: "10.0.0.1": '
            "must be a valid CIDR or one of the keywords 'primary', 'localhost', 'all'"
        ),
    ),
    (
        {"nodePortAddresses": ["localhost", "10.0.0.0/8", "localhost"]},
        "nodePortAddresses[2]",
        'NodePortAddresses[2]: Duplicate value: "localhost"',
    ),
    (
        {"featureGates": {"KubeProxyIPSV": True}},
        "featureGates",
        'featureGates: Invalid value: {"KubeProxyIPSV":true}: unrecognized feature gate: KubeProxyIPSV',
    ),
    (
        {"featureGates": {"WatchList": True, "PreferSameTrafficDistribution": False}},
        "featureGates",
        (
            'featureGates: Invalid value: {"PreferSameTrafficDistribution":false,"WatchList":true}: '
            "cannot set feature gate PreferSameTrafficDistribution to false, feature is locked to true"
        ),
    ),
    (
        {"mode": "ipvs", "featureGates": {"KubeProxyIPVS": False}},
        "mode",
        (
            'Mode.ProxyMode: Invalid value: "ipvs": must be iptables, nftables or blank '
            "(blank means the best-available proxy [currently iptables])"
        ),
    ),
    (
        {"detectLocalMode": "BridgeInterface"},
        "detectLocal.bridgeInterface",
        'DetectLocalConfiguration.InterfaceName: Invalid value: "": must not be empty',
    ),
    (
        {"detectLocalMode": "InterfaceNamePrefix"},
        "detectLocal.interfaceNamePrefix",
        'DetectLocalConfiguration.InterfacePrefix: Invalid value: "": must not be empty',
    ),
    (
        {"detectLocalMode": "Pods"},
        "detectLocalMode",
        f'DetectLocalMode: Unsupported value: "Pods": supported values: {LOCAL_MODES}',
    ),
    (
        {"clusterCIDR": "10.244.0.0"},
        "clusterCIDR",
        f'DetectLocalConfiguration.ClusterCIDRs[0]: Invalid value: "10.244.0.0": {CIDR}',
    ),
    (
        {"clusterCIDR": "10.1.0.0/16,10.2.0.0/16"},
        "clusterCIDR",
        f'DetectLocalConfiguration.ClusterCIDRs: Invalid value: ["10.1.0.0/16","10.2.0.0/16"]: {PAIR}',
    ),
    (
        {"clusterCIDR": "10.1.0.0/16,fd00::/48,fd01::/48"},
        "clusterCIDR",
        f'DetectLocalConfiguration.ClusterCIDRs: Invalid value: ["10.1.0.0/16","fd00::/48","fd01::/48"]: {PAIR}',
    ),
    (
        {"bindAddress": "here"},
        "bindAddress",
        'BindAddress: Invalid value: "here": not a valid textual representation of an IP address',
    ),
    (
        {"healthzBindAddress": "1.2.3.4:0"},
        "healthzBindAddress",
        'HealthzBindAddress: Invalid value: "0": must be a valid port',
    ),
    ({"metricsBindAddress": "x:1"}, "metricsBindAddress", 'MetricsBindAddress: Invalid value: "x": must be a valid IP'),
    ({"metricsBindAddress": "x"}, "metricsBindAddress", 'MetricsBindAddress: Invalid value: "x": must be IP:port'),
    (
        {"iptables": {"syncPeriod": "-1s", "minSyncPeriod": "-2s"}},
        "iptables.syncPeriod",
        'SyncPeriod: Invalid value: "-1s": must be greater than 0',
    ),
    (
        {"iptables": {"syncPeriod": "1s", "minSyncPeriod": "2s"}},
        "iptables.syncPeriod",
        'SyncPeriod: Invalid value: "2s": must be greater than or equal to KubeProxyConfiguration.MinSyncPeriod',
    ),
    (
        {"mode": "ipvs", "ipvs": {"tcpTimeout": "-5s"}},
        "ipvs.tcpTimeout",
        'KubeProxyIPVSConfiguration.TCPTimeout: Invalid value: "-5s": must be greater than or equal to 0',
    ),
    (
        {"mode": "ipvs", "ipvs": {"excludeCIDRs": ["10.0.0.0/33"]}},
        "ipvs.excludeCIDRs[0]",
        'KubeProxyIPVSConfiguration.ExcludeCidrs[0]: Invalid value: "10.0.0.0/33": must be a valid CIDR',
    ),
    (
        {"conntrack": {"min": -1}},
        "conntrack.min",
        "KubeProxyLinuxConfiguration.KubeProxyConntrackConfiguration.Min: Invalid value: -1: must be greater than or equal to 0",
    ),
    (
        {"clientConnection": {"burst": -1}},
        "clientConnection.burst",
        "ClientConnection.Burst: Invalid value: -1: must be greater than or equal to 0",
    ),
    (
        {"oomScoreAdj": 1001},
        "oomScoreAdj",
        "KubeProxyLinuxConfiguration.OOMScoreAdj: Invalid value: 1001: must be within the range [-1000, 1000]",
    ),
]


@pytest.mark.parametrize(
    ("document", "path", "message"), PROBLEMS, ids=[row[1] + "=" + str(row[0])[:30] for row in PROBLEMS]
)
def test_values_are_refused_in_kube_proxys_words(document, path, message):
    assert (path, PREFIX + message) in problems(document)


DECODING = [
    ({"iptabels": {}}, "iptabels", 'strict decoding error: unknown field "iptabels"'),
    ({"iptables": {"masqBit": 1}}, "iptables.masqBit", 'strict decoding error: unknown field "iptables.masqBit"'),
    (
        {"iptables": {"masqueradeBit": "14"}},
        "iptables.masqueradeBit",
        "json: cannot unmarshal string into Go struct field KubeProxyConfiguration.iptables.masqueradeBit of type int32",
    ),
    (
        {"iptables": {"masqueradeBit": True}},
        "iptables.masqueradeBit",
        "json: cannot unmarshal boolean into Go struct field KubeProxyConfiguration.iptables.masqueradeBit of type int32",
    ),
    (
        {"iptables": 3},
        "iptables",
        "json: cannot unmarshal number into Go struct field KubeProxyConfiguration.iptables of type object",
    ),
    (
        {"nodePortAddresses": "all"},
        "nodePortAddresses",
        "json: cannot unmarshal string into Go struct field KubeProxyConfiguration.nodePortAddresses of type []string",
    ),
    ({"ipvs": {"syncPeriod": "10"}}, "ipvs.syncPeriod", 'time: missing unit in duration "10"'),
    ({"ipvs": {"syncPeriod": "1d"}}, "ipvs.syncPeriod", 'time: unknown unit "d" in duration "1d"'),
    ({"kind": "Pod"}, "kind", 'no kind "Pod" is registered for version "kubeproxy.config.k8s.io/v1alpha1"'),
    (
        {"iptables": {"snatNodeInternalIP": True}},
        "iptables.snatNodeInternalIP",
        "snatNodeInternalIP: true is not modelled",
    ),
    (
        {"featureGates": {"KubeProxyNFTablesLocalhostNodePorts": True}},
        "featureGates.KubeProxyNFTablesLocalhostNodePorts",
        "feature gate KubeProxyNFTablesLocalhostNodePorts=true is not modelled",
    ),
    (
        {"featureGates": {"AllAlpha": True}},
        "featureGates.AllAlpha",
        "feature gate AllAlpha=true sets KubeProxyNFTablesLocalhostNodePorts=true, which is not modelled",
    ),
    (
        {"featureGates": {"AllowServiceExternalIPs": False}},
        "featureGates.AllowServiceExternalIPs",
        "feature gate AllowServiceExternalIPs=false is not modelled",
    ),
]


@pytest.mark.parametrize(("document", "path", "message"), DECODING, ids=[str(row[0]) for row in DECODING])
def test_what_cannot_be_read_is_told_with_its_path(document, path, message):
    assert (path, message) in problems(document)


def problems(document):
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(document)
    return [(path_text(problem.path), problem.message) for problem in caught.value.problems]


def test_all_problems_are_told_at_once():
    assert len(problems({"mode": "x", "nope": 1, "iptables": {"masqueradeBit": 99}, "clusterCIDR": "y"})) == 4


def test_a_near_miss_gets_advice():
    with pytest.raises(ConfigurationError) as caught:
        read_configuration({"iptables": {"masqueradeBits": 1}})
    assert caught.value.problems[0].advice == "did you mean iptables.masqueradeBit?"


def test_an_empty_document_has_kube_proxys_defaults():
    found = read_configuration({})
    assert found == KubeProxyConfiguration()
    assert (found.mode, found.detect_local_mode) == (ProxyMode.IPTABLES, LocalMode.CLUSTER_CIDR)
    assert (found.sync_period, found.min_sync_period, found.masquerade_mark) == (30 * SECOND, SECOND, 1 << 14)
    assert found.effective_node_port_addresses == ()


def test_defaults_depend_on_the_mode():
    assert read_configuration({"mode": "nftables"}).effective_node_port_addresses == ("primary",)
    assert read_configuration({"mode": "ipvs"}).min_sync_period == 0


def test_each_mode_reads_its_own_section():
    document = {"iptables": {"masqueradeAll": True, "masqueradeBit": 7}, "nftables": {"masqueradeBit": 9}}
    by_mode = {mode: read_configuration({**document, "mode": mode}) for mode in ("iptables", "ipvs", "nftables")}
    assert {mode: (c.masquerade_all, c.masquerade_mark) for mode, c in by_mode.items()} == {
        "iptables": (True, 1 << 7),
        "ipvs": (True, 1 << 7),
        "nftables": (False, 1 << 9),
    }


SAMPLES = {
    Kind.STRING: "",
    Kind.BOOL: False,
    Kind.INT: 1,
    Kind.FLOAT: 1.5,
    Kind.DURATION: "5s",
    Kind.STRINGS: [],
    Kind.BOOLS: {},
    Kind.ANY: {"a": 1},
}


@pytest.mark.parametrize("path", sorted(FIELDS))
def test_every_field_is_read(path):
    section, _, key = path.rpartition(".")
    value = SAMPLES[FIELDS[path].kind]
    found = read_configuration({section: {key: value}} if section else {key: value})
    if FIELDS[path].effect is Effect.NONE:
        assert found == KubeProxyConfiguration()
        assert FIELDS[path].why


DURATIONS = [("1h0m0s", HOUR), ("1m30s", 90 * SECOND), ("1.5s", 1500 * MILLISECOND), ("250ms", 250 * MILLISECOND)]
DURATIONS += [("0s", 0), ("-1m0s", -MINUTE), ("1µs", 1000), ("1ns", 1), ("15m0.5s", 15 * MINUTE + 500 * MILLISECOND)]


@pytest.mark.parametrize(("text", "nanoseconds"), DURATIONS)
def test_durations_are_gos(text, nanoseconds):
    assert parse_duration(text) == nanoseconds
    assert format_duration(nanoseconds) == text


@pytest.mark.parametrize("text", ["", "-", "1", "s", "1x", "1s-1s", "."])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="time:"):
        parse_duration(text)


KUBEADM = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "bindAddress": "0.0.0.0",
    "bindAddressHardFail": False,
    "clientConnection": {
        "acceptContentTypes": "",
        "burst": 0,
        "contentType": "",
        "kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf",
        "qps": 0,
    },
    "clusterCIDR": "",
    "configSyncPeriod": "0s",
    "conntrack": {
        "maxPerCore": None,
        "min": None,
        "tcpBeLiberal": False,
        "tcpCloseWaitTimeout": None,
        "tcpEstablishedTimeout": None,
        "udpStreamTimeout": "0s",
        "udpTimeout": "0s",
    },
    "detectLocal": {"bridgeInterface": "", "interfaceNamePrefix": ""},
    "detectLocalMode": "",
    "enableProfiling": False,
    "featureGates": None,
    "healthzBindAddress": "",
    "hostnameOverride": "",
    "iptables": {
        "localhostNodePorts": None,
        "masqueradeAll": False,
        "masqueradeBit": None,
        "minSyncPeriod": "0s",
        "syncPeriod": "0s",
    },
    "ipvs": {
        "excludeCIDRs": None,
        "minSyncPeriod": "0s",
        "scheduler": "",
        "strictARP": False,
        "syncPeriod": "0s",
        "tcpFinTimeout": "0s",
        "tcpTimeout": "0s",
        "udpTimeout": "0s",
    },
    "kind": "KubeProxyConfiguration",
    "logging": {"flushFrequency": 0, "options": {"json": {"infoBufferSize": "0"}}, "verbosity": 0},
    "metricsBindAddress": "",
    "mode": "",
    "nftables": {"masqueradeAll": False, "masqueradeBit": None, "minSyncPeriod": "0s", "syncPeriod": "0s"},
    "nodePortAddresses": None,
    "oomScoreAdj": None,
    "portRange": "",
    "showHiddenMetricsForVersion": "",
    "winkernel": {
        "enableDSR": False,
        "forwardHealthCheckVip": False,
        "networkName": "",
        "rootHnsEndpointName": "",
        "sourceVip": "",
    },
}


def test_what_kubeadm_writes_is_the_default():
    assert read_configuration(KUBEADM) == KubeProxyConfiguration()


@pytest.mark.parametrize("text", ["", "0-0", "300-2000", "80", "30-20", "x"])
def test_a_port_range_is_no_longer_looked_at(text):
    assert read_configuration({"portRange": text}) == KubeProxyConfiguration()
