"""What would deliver the packet: for each shipped lesson that fails, the first change that was tried and does."""

from __future__ import annotations

import re

import pytest

from netsim.manifest.load import load_text
from netsim.net.address import parse_address, parse_prefix
from netsim.objects.cluster import StaticRoute
from netsim.objects.meta import Key
from netsim.scenario.build import world_of
from netsim.scenario.mends.changes import (
    Change,
    forget_connection,
    patch_object,
    set_kube_proxy,
    set_sysctl,
    without_route,
)
from netsim.scenario.mends.search import with_mends
from netsim.scenario.question import PacketOptions, answer, question_of
from netsim.trace.model import Trace, Verdict
from tests.cli.commands import netsim
from tests.cli.console import ROOT
from tests.golden.topologies import Lesson, lessons

FIRST_MENDS = {
    # lesson: words of the first change of the first mend
    "asymmetric-reply": "on external/firewall: iptables -t filter -I FORWARD 1 -s 172.16.0.100",
    "bridge-nf-off": "set net.bridge.bridge-nf-call-iptables=1 on node/node1",
    "calico-rpfilter": "remove the route 172.16.0.0/24 dev cni0 on node/node1",
    "clusterip-from-outside": 'set clusterCIDR: "10.244.0.0/16" in kube-proxy',
    "conntrack-before-rules": "remove the old conntrack entry on node/node1",
    "conntrack-full": "set net.netfilter.nf_conntrack_max=262144 on node/node1",
    "docker-forward-drop": "on node/node2: iptables -t filter -I FORWARD 1 -s 10.244.1.2",
    "firewalld-rejects": "on node/node1: iptables -t filter -I FORWARD 1 -s 10.244.2.2",
    "forward-drop": "on node/node2: iptables -t filter -I FORWARD 1 -s 10.244.1.2",
    "hairpin-no-masquerade": "on node/node1: iptables -t mangle -D POSTROUTING -o cni0",
    "hairpin-off": "let the bridge plugin set hairpinMode",
    "hostport-before-nodeport": "take hostPort 443 away from pod default/edge",
    "internal-local": "set internalTrafficPolicy of default/web to Cluster",
    "ip-forward-off": "set net.ipv4.ip_forward=1 on node/node1",
    "ipvs-affinity-stale": "set net.ipv4.vs.expire_quiescent_template=1 on node/node1",
    "ipvs-first-syn-dropped": "remove the old conntrack entry on node/node1",
    "ipvs-host-firewall": "on node/node1: iptables -t filter -I INPUT 1 -s 10.244.1.2",
    "ipvs-hostport": "on node/node1: iptables -t nat -D CNI-HOSTPORT-DNAT",
    "ipvs-local-policy": "set externalTrafficPolicy of default/web to Cluster",
    "ipvs-node-to-clusterip": "set net.ipv4.vs.conntrack=1 on node/node1",
    "ipvs-port-reused": "wait until the old IPVS connection has run out on node/node1",
    "ipvs-ssh-to-clusterip": "give default/web the port 22",
    "lb-health-check": "set externalTrafficPolicy of default/web to Cluster",
    "legacy-and-nft": "on node/node2: iptables-legacy -t filter -I FORWARD 1 -s 10.244.1.2",
    "masquerade-other-address": "on external/firewall: iptables -t filter -I FORWARD 1 -s 10.10.0.11",
    "mtu": "give pods the MTU 1450",
    "named-port-absent": "let port 80 of default/web have targetPort 8080",
    "neighbour-table-full": "set net.ipv4.neigh.default.gc_thresh3=1024 on node/node1",
    "nft-second-node-address": 'set nodePortAddresses: ["0.0.0.0/0", "::/0"]',
    "nft-unused-clusterip-port": "give default/web the port 81",
    "nodeport-forward-drop": "on node/node1: iptables -t filter -I FORWARD 1 -s 192.168.0.100",
    "nodeport-local": "set externalTrafficPolicy of default/web to Cluster",
    "reply-out-of-window": "set conntrack.tcpBeLiberal: true",
    "route-missing": "add the route 10.244.1.0/24 via 192.168.0.11 on external/client",
    "rp-filter": "set net.ipv4.conf.eth1.rp_filter=2 on node/node2",
    "selector-mismatch": "let default/web select app=web",
    "snat-ports-exhausted": "on node/node1: iptables -t nat -D POSTROUTING",
    "source-ranges": "add 192.168.0.100/32 to loadBalancerSourceRanges of default/web",
    "stale-conntrack": "remove the old conntrack entry on node/node1",
    "ufw-denies-routed": "on node/node1: iptables -t filter -I FORWARD 1 -s 10.244.2.2",
    "unused-clusterip-port": "give default/web the port 81",
    "wrong-target-port": "let port 80 of default/web have targetPort 8080",
}

BEYOND_ONE_CHANGE = {
    # lesson: why no small change delivers the packet
    "affinity-stuck": "whoever writes the EndpointSlice has to take the dead address out",
    "invalid-asymmetric": "node1 never saw the SYN: whichever rule lets the SYN-ACK through, the client's host knows nothing of it",
    "ipvs-external-no-endpoints": "there is no pod to select",
    "ipvs-localhost-nodeport": "IPVS serves no loopback address, whatever is set",
    "ipvs-real-server-gone": "the connection's server is gone: nothing brings its state back",
    "kube-proxy-behind": "kube-proxy on the node has to write again",
    "legacy-stale-dnat": "there is no pod to select: without the old rule the Service refuses",
    "nft-hairpin-elsewhere": "the rule that masquerades is kube-proxy's, and the packet meets it on another node only",
    "nft-invalid-segment": "a segment of no connection: there is nobody to give it to",
    "nft-localhost-nodeport": "nftables mode serves no loopback address, whatever is set",
    "nft-unallocated-clusterip": "no Service has the address",
    "no-endpoints": "there is no pod to select",
    "no-endpoints-accepted-first": "there is no pod to select",
    "one-family-endpoints": "whoever writes the EndpointSlices has to write one for IPv6",
    "pod-cidr-overlap": "another network has the pods' addresses: the cluster has to be numbered anew",
    "vxlan-stale-fdb": "what flannel should have written cannot be written here",
}


FAILING = [lesson for lesson in lessons() if lesson.id in FIRST_MENDS or lesson.id in BEYOND_ONE_CHANGE]


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("NETSIM_TOPOLOGY", raising=False)


@pytest.mark.parametrize("lesson", FAILING, ids=lambda lesson: lesson.id)
def test_what_would_deliver_the_packet(lesson: Lesson) -> None:
    mends = lesson.answer["mends"]
    if lesson.id in BEYOND_ONE_CHANGE:
        assert mends == []
        return
    assert mends[0]["steps"][0]["change"].startswith(FIRST_MENDS[lesson.id])
    assert {mend["verdict"] for mend in mends} == {"DELIVERED"}
    assert 1 <= len(mends) <= 3


def test_every_failing_lesson_has_a_row() -> None:
    failed = {lesson.id for lesson in lessons() if lesson.answer["verdict"] != "DELIVERED"}
    assert failed == FIRST_MENDS.keys() | BEYOND_ONE_CHANGE.keys()


WORLD = """
apiVersion: netsim.io/v1alpha1
kind: Cluster
spec:
  nodes:
  - name: node1
    sysctls: {net.ipv4.ip_forward: 0}
    iptables: |
      *filter
      :FORWARD DROP [0:0]
      COMMIT
    conntrack: |
      udp 17 20 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1
      udp 17 20 src=10.0.0.1 dst=10.0.0.2 sport=3 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=3
  - name: node2
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec: {nodeName: node1, containers: [{name: main, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: web}}
spec: {nodeName: node2, containers: [{name: main, image: x, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"""


def traced(text: str, source: str = "client", destination: str = "svc/web") -> Trace:
    world = world_of(load_text(text))
    return with_mends(world, answer(world, question_of(world, source, destination, PacketOptions())))


def test_two_changes_are_proposed_where_one_is_not_enough() -> None:
    found = traced(WORLD.replace("FORWARD DROP", "INPUT ACCEPT")).mends
    assert [len(mend.steps) for mend in found] == [1]
    text = WORLD.replace("targetPort: 8080", "targetPort: 8081").replace("      :FORWARD DROP [0:0]\n", "")
    assert [[step.words for step in mend.steps] for mend in traced(text).mends] == [
        ["set net.ipv4.ip_forward=1 on node/node1", "let port 80 of default/web have targetPort 8080"]
    ]


CLOSED = WORLD.replace("net.ipv4.ip_forward: 0", "")


def test_a_firewall_is_not_opened_wide_where_a_rule_for_the_flow_will_do() -> None:
    found = traced(CLOSED.replace("spec:\n  nodes:", "spec:\n  cni: {iptablesForwardRules: false}\n  nodes:")).mends
    steps = [step.words for mend in found for step in mend.steps]
    assert steps[0].startswith(
        "on node/node1: iptables -t filter -I FORWARD 1 -s 10.244.1.2 -d 10.244.2.2 -p tcp --dport 8080"
    )
    assert not any(" -P " in words for words in steps)


def test_a_pod_is_made_anew_where_its_ports_have_to_change() -> None:
    change = patch_object(Key("Pod", "shop", "edge"), [{"op": "remove", "path": "/spec/x"}], "")
    assert change.command == (
        "kubectl -n shop get pod edge -o yaml | kubectl patch --local -f - --type json -p "
        """'[{"op":"remove","path":"/spec/x"}]' -o yaml | kubectl replace --force -f -"""
    )


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("-A FORWARD -j DROP", "iptables -t filter -D FORWARD -j DROP"),
        (
            '[7:60] -A FORWARD -m comment --comment "no 1" -j DROP',
            'iptables -t filter -D FORWARD -m comment --comment "no 1" -j DROP',
        ),
        ("-I FORWARD -j DROP", "iptables -t filter -D FORWARD -j DROP"),
        ("-I FORWARD 1 -d 10.244.0.0/16 -j DROP", "iptables -t filter -D FORWARD -d 10.244.0.0/16 -j DROP"),
    ],
)
def test_a_rule_is_taken_away_as_it_was_added(line: str, command: str) -> None:
    text = CLOSED.replace(":FORWARD DROP [0:0]", f":FORWARD ACCEPT [0:0]\n      {line}")
    assert command in [step.command for mend in traced(text).mends for step in mend.steps]


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (StaticRoute(parse_prefix("10.0.0.0/8"), type="blackhole"), "blackhole 10.0.0.0/8"),
        (StaticRoute(parse_prefix("10.0.0.0/8"), device="eth0", table=100), "10.0.0.0/8 dev eth0 table 100"),
        (StaticRoute(parse_prefix("::/0"), parse_address("fd00::1"), metric=5), "::/0 via fd00::1 metric 5"),
    ],
)
def test_a_route_is_named_as_ip_route_names_it(route: StaticRoute, words: str) -> None:
    assert without_route("node/node1", route).command == f"ip route del {words}"


def test_a_bridge_that_hides_ipv6_from_ip6tables() -> None:
    text = (ROOT / "topologies/bridge-nf-off/bridge-nf-off.yaml").read_text(encoding="utf-8")
    text = text.replace("bridge-nf-call-iptables", "bridge-nf-call-ip6tables")
    text = text.replace("spec:\n", "spec:\n  podCIDR: [fd00:10:244::/56]\n  serviceCIDR: [fd00:10:96::/112]\n", 1)
    text = re.sub(r"  clusterIP: .*\n", "", text)
    assert traced(text).mends[0].steps[0].words == "set net.bridge.bridge-nf-call-ip6tables=1 on node/node1"


def test_nothing_is_tried_for_what_is_delivered() -> None:
    found = traced(WORLD.replace("net.ipv4.ip_forward: 0", "").replace("FORWARD DROP", "INPUT ACCEPT"))
    assert (found.verdict, found.mends) == (Verdict.DELIVERED, ())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(set_sysctl("node/node1", "net.ipv4.ip_forward", "0"), id="as it is"),
        pytest.param(set_sysctl("node/elsewhere", "net.ipv4.ip_forward", "1"), id="no such machine"),
        pytest.param(patch_object(Key("Service", "default", "other"), [], ""), id="no such object"),
        pytest.param(
            patch_object(Key("Service", "default", "web"), [{"op": "remove", "path": "/spec/absent"}], ""),
            id="no such field",
        ),
        pytest.param(forget_connection("node/node1", "conntrack", ["tcp"], ""), id="no such connection"),
        pytest.param(forget_connection("node/node2", "conntrack", ["udp"], ""), id="no connections"),
    ],
)
def test_a_change_that_changes_nothing_is_none(change: Change) -> None:
    assert change.apply(load_text(WORLD)) is None


def test_changes_change_what_they_say() -> None:
    loaded = load_text(WORLD)
    forgotten = forget_connection("node/node1", "conntrack", ["udp", "sport=1", "dport=2"], "").apply(loaded)
    assert forgotten is not None
    text = forgotten.cluster.nodes[0].texts.conntrack
    assert text is not None
    assert text.text.count("udp") == 1
    configured = set_kube_proxy(("conntrack", "tcpBeLiberal"), value=True).apply(loaded)
    assert configured is not None
    assert configured.cluster.kube_proxy is not None
    assert configured.cluster.kube_proxy.document == {"conntrack": {"tcpBeLiberal": True}}


def test_the_option_leaves_them_out() -> None:
    words = ("trace", "-t", "topologies/no-endpoints", "client", "svc/web")
    assert "mend " not in netsim(*words, "--no-mends").out
    lesson = ("trace", "-t", "topologies/wrong-target-port", "client", "svc/web")
    assert "mend " in netsim(*lesson).out
    assert "mend " not in netsim(*lesson, "--no-mends").out
