"""``netsim trace``: what it takes, what it prints, how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import netsim

DUAL = """
apiVersion: netsim.io/v1alpha1
kind: Cluster
metadata: {name: dual}
spec:
  podCIDR: [10.244.0.0/16, "fd00:10:244::/56"]
  serviceCIDR: [10.96.0.0/16, "fd00:10:96::/112"]
  nodes: [node1, node2]
---
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {nodeName: node1, containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b, labels: {app: b}}
spec:
  nodeName: node2
  containers: [{name: c, image: i, ports: [{containerPort: 8080, name: http}, {containerPort: 53, protocol: UDP}]}]
---
apiVersion: v1
kind: Service
metadata: {name: s}
spec:
  selector: {app: b}
  ipFamilyPolicy: PreferDualStack
  ports: [{name: web, port: 80, targetPort: http}, {name: dns, port: 53, protocol: UDP}]
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: other}
spec: {containers: [{name: c, image: i}]}
"""


@pytest.fixture(autouse=True)
def _nowhere_in_particular(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NETSIM_TOPOLOGY", raising=False)


@pytest.fixture
def dual(tmp_path: Path) -> str:
    file = tmp_path / "dual.yaml"
    file.write_text(DUAL)
    return str(file)


EXITS = [
    # (words, exit status, the first words of the answer)
    pytest.param(["pod-a", "svc-x"], 0, "DELIVERED to default/x-", id="delivered"),
    pytest.param(["-t", "no-endpoints", "client", "svc/web"], 1, "REJECTED: connection refused", id="rejected"),
    pytest.param(["-t", "hairpin-off", "web", "svc/web"], 1, "DROPPED: ", id="dropped"),
    pytest.param(["-t", "unused-clusterip-port", "client", "10.96.0.10:81"], 1, "LEFT: ", id="left"),
    pytest.param(["-t", "bridge-nf-off", "client", "svc/web"], 1, "MISDELIVERED: ", id="misdelivered"),
    pytest.param(
        ["-t", "no-endpoints", "client", "svc/web", "--expect", "rejected:no_endpoints"], 0, "REJECTED", id="expected"
    ),
    pytest.param(
        ["pod-a", "192.168.0.255:9", "--proto", "udp"], 1, "DROPPED: node/node1 neither takes", id="broadcast"
    ),
    pytest.param(["pod-a", "svc-x", "--expect", "DROPPED"], 1, "DELIVERED", id="not as expected"),
]


@pytest.mark.parametrize(("words", "status", "begins"), EXITS)
def test_exit_status(words: list[str], status: int, begins: str) -> None:
    done = netsim("trace", *words)
    assert done.out.startswith(begins)
    assert done.status == status


ERRORS = [
    # (words, what is said on standard error)
    pytest.param(["pod-b", "svc-x"], "error: no pod-b here\nhelp: did you mean pod/pod-a?\n", id="unknown source"),
    pytest.param(["svc/svc-x", "svc-x"], "error: svc/svc-x: a Service sends no packets\n", id="a Service as a source"),
    pytest.param(["pod-a", "svc-y"], "error: no svc-y here\nhelp: did you mean svc/svc-x?\n", id="unknown target"),
    pytest.param(["pod-a", "deployment/y"], "error: no deployment is called deployment/y", id="unknown workload"),
    pytest.param(
        ["pod-a", "svc-x:http"], "error: svc/default/svc-x has no port named 'http'\n", id="unknown port name"
    ),
    pytest.param(["pod-a", "svc-x:99999"], "error: '99999' is not a port\n", id="port out of range"),
    pytest.param(["pod-a", "svc-x:"], "error: svc-x:: a port is missing after the colon", id="empty port"),
    pytest.param(["pod-a", "node/node1"], "error: node/node1: no port is named\n", id="no port"),
    pytest.param(["pod-a", "svc-x:80", "-p", "81"], "error: svc/default/svc-x:80 names port 80, and", id="two ports"),
    pytest.param(["pod-a", "svc-x", "-p", "80", "--proto", "icmp"], "error: icmp has no ports", id="a port of a ping"),
    pytest.param(["pod-a", "svc-x:80", "--proto", "icmp"], "error: icmp has no ports", id="a port of DST of a ping"),
    pytest.param(
        ["x", "svc-x"],
        "error: no pod, node or external host is called x, and it is no address\nhelp: did you mean deployment/x?\n",
        id="a workload without its kind",
    ),
    pytest.param(["", "svc-x"], "error: SRC is empty\n", id="an empty source"),
    pytest.param(["pod-a", ""], "error: DST is empty\n", id="an empty target"),
    pytest.param(
        ["10.244.1.2:99", "svc-x"],
        "error: SRC 10.244.1.2:99 names a port\nhelp: --sport sets the source port\n",
        id="a port of a source",
    ),
    pytest.param(["pod-a:99", "svc-x"], "error: SRC pod-a:99 names a port\n", id="a port of a named source"),
    pytest.param(
        ["pod-a", "10.96.0.300:80"], "error: no pod, Service, node or external host is called", id="no address"
    ),
    pytest.param(["10.9.9.9", "svc-x"], "error: 10.9.9.9: no host of this topology has that address\n", id="no host"),
    pytest.param(["pod-a", "[fd00::1]:80"], "error: pod/default/pod-a has no IPv6 address, and fd00::1", id="no IPv6"),
    pytest.param(["pod-a", "svc-x", "-6"], "error: svc/default/svc-x has no IPv6 address\n", id="no IPv6 Service"),
    pytest.param(["pod-a", "svc-x", "--at-once"], "error: --at-once is for udp", id="tcp at once"),
    pytest.param(
        ["pod-a", "svc-x", "--flags", "fin,ack", "--seq-offset", "1"],
        "error: --seq-offset and --answer-seq-offset are for a segment after TCP's handshake",
        id="an offset of a lone segment",
    ),
    pytest.param(["pod-a", "svc-x", "--flags", "sin"], "error: 'SIN' is not a TCP flag\n", id="unknown flag"),
    pytest.param(
        ["pod-a", "svc-x", "--proto", "udp", "--flags", "syn"], "error: --flags is for tcp", id="flags of udp"
    ),
    pytest.param(["pod-a", "svc-x", "--pick", "4"], "error: there is no branch 4\n", id="no such branch"),
    pytest.param(
        ["pod-a", "svc-x", "--pick", "1", "--seed", "1"], "error: more than one choice of branch\n", id="two choices"
    ),
    pytest.param(["pod-a", "svc-x", "--backend", "1.2.3.4"], "error: 1.2.3.4 is not ADDRESS:PORT\n", id="bad backend"),
    pytest.param(
        ["pod-a", "svc-x", "--backend", "1.2.3.4:5"], "error: no branch goes to 1.2.3.4:5\n", id="no such backend"
    ),
    pytest.param(["pod-a", "svc-x", "--expect", "FINE"], "error: --expect: 'FINE' is no verdict\n", id="no verdict"),
    pytest.param(["pod-a", "svc-x", "--expect", "DROPPED:X"], "error: --expect: 'X' is no reason\n", id="no reason"),
    pytest.param(
        ["pod-a", "svc-x", "--expect", "REJECTED:NO_ENDPOINT"],
        "error: --expect: 'NO_ENDPOINT' is no reason\nhelp: did you mean NO_ENDPOINTS?\n",
        id="nearly a reason",
    ),
    pytest.param(
        ["pod-a", "svc-x", "--minimal", "-o", "json"],
        "error: --minimal says nothing beside -o json\n",
        id="detail of JSON",
    ),
    pytest.param(
        ["pod-a", "svc-x", "--one-way", "--answer-seq-offset", "1"],
        "error: --answer-seq-offset is of the answer, and --one-way leaves it out\n",
        id="an offset of no answer",
    ),
    pytest.param(["pod-a", "svc-x", "--mark", "-1"], "error: Invalid value for '--mark'", id="bad mark"),
    pytest.param(["pod-a"], "error: Missing argument 'DST'.\nhelp: see 'netsim trace --help'\n", id="no target"),
    pytest.param(["-t", "defualt", "a", "b"], "error: defualt: no such file, folder or shipped", id="unknown topology"),
    pytest.param(["-t", "no/such.yaml", "a", "b"], "error: no/such.yaml: no such file or folder\n", id="no file"),
    pytest.param(
        ["pod-a", "svc-x", "-f", "/no/such/folder/x"], "error: /no/such/folder/x: cannot be written", id="no folder"
    ),
]


@pytest.mark.parametrize(("words", "says"), ERRORS)
def test_error(words: list[str], says: str) -> None:
    done = netsim("trace", *words)
    assert done.err.startswith(says)
    assert (done.status, done.out) == (2, "")


def test_an_ambiguous_name_lists_what_it_may_be(dual: str) -> None:
    done = netsim("trace", "-t", dual, "a", "s")
    assert done.err.startswith(
        "error: svc/default/s: no port is named, and it has 80/tcp (web), 53/udp (dns)\nhelp: add :PORT or --port PORT"
    )
    done = netsim("trace", "-t", "hairpin", "web", "web")
    assert done.err.startswith("error: web is ambiguous: it may be svc/web, pod/web\n")


NAMES = [
    # (DST, what it stands for)
    pytest.param("s:web", "10.244.2.2:8080", id="a Service port's name"),
    pytest.param("svc/s:80", "10.244.2.2:8080", id="a Service port's number"),
    pytest.param("default/svc/s:80", "10.244.2.2:8080", id="with its namespace"),
    pytest.param("default/b:http", "10.244.2.2:8080", id="a pod's port by name"),
    pytest.param("pod/b:8080", "10.244.2.2:8080", id="its own namespace first"),
    pytest.param("10.244.2.2:8080", "10.244.2.2:8080", id="an address"),
    pytest.param("node/node2:10250", "192.168.0.12:10250", id="a node"),
]


@pytest.mark.parametrize(("destination", "backend"), NAMES)
def test_names(dual: str, destination: str, backend: str) -> None:
    done = netsim("trace", "-t", dual, "a", destination, "--minimal")
    assert done.out.splitlines()[0].startswith(f"DELIVERED DELIVERED 1 {backend} ")


def test_the_protocol_is_that_of_the_port(dual: str) -> None:
    document = json.loads(netsim("trace", "-t", dual, "a", "s:dns", "-o", "json").out)
    assert document["flow"]["protocol"].lower() == "udp"
    assert document["verdict"] == "DELIVERED"


@pytest.mark.parametrize(("port", "protocol"), [("80", "tcp"), ("53", "udp"), ("99", "tcp")])
def test_a_port_beside_the_name_is_as_good_as_one_in_it(dual: str, port: str, protocol: str) -> None:
    beside = netsim("trace", "-t", dual, "a", "s", "--port", port, "-o", "json")
    assert beside.out == netsim("trace", "-t", dual, "a", f"s:{port}", "-o", "json").out
    assert json.loads(beside.out)["flow"]["protocol"].lower() == protocol


def test_ping_of_a_service_with_several_ports_needs_none(dual: str) -> None:
    assert netsim("trace", "-t", dual, "a", "s", "--proto", "icmp").out.startswith("LEFT: ")


RECEIVERS = [
    # (topology, words, who took it)
    pytest.param("default", ["pod-a", "node/node1:22"], "node/node1 (sshd)", id="a node's process"),
    pytest.param("default", ["node/node2", "10.244.1.3:8080"], "default/x-5fc7d458d6-kjb9q", id="a pod"),
    pytest.param("nodeport", ["node/node1", "client", "--proto", "icmp"], "external/client", id="an external host"),
]


@pytest.mark.parametrize(("topology", "words", "receiver"), RECEIVERS)
def test_who_took_the_packet(topology: str, words: list[str], receiver: str) -> None:
    assert netsim("trace", "-t", topology, *words).out.startswith(f"DELIVERED to {receiver}: ")


@pytest.mark.parametrize("port", ["80", "53"])
def test_an_external_host_is_named_once(port: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(
        "apiVersion: netsim.io/v1alpha1\nkind: Cluster\n"
        "spec: {external: [{name: ext, addresses: [192.168.0.100/24], listen: '80,53/udp'}]}\n"
    )
    protocol = "udp" if port == "53" else "tcp"
    done = netsim("trace", "-t", "x.yaml", "node/node1", f"ext:{port}", "--proto", protocol)
    assert done.out.startswith("DELIVERED to external/ext: ")


def test_ping_needs_no_port() -> None:
    assert netsim("trace", "pod-a", "node/node2", "--proto", "icmp").out.startswith("DELIVERED to node/node2: ")


def test_ipv6_is_walked_as_ipv4_is(dual: str) -> None:
    done = netsim("trace", "-t", dual, "a", "default/b:8080", "-6")
    assert done.out.startswith("DELIVERED to default/b")
    assert "[fd00:10:244:" in done.out
    assert done.status == 0


@pytest.mark.parametrize("mode", ["iptables", "ipvs", "nftables"])
def test_every_mode_leads_to_the_same_backends(mode: str) -> None:
    document = json.loads(netsim("trace", "pod-a", "svc-x", "--mode", mode, "-o", "json").out)
    backends = sorted(branch["backend"]["text"] for branch in document["branches"])
    assert backends == ["10.244.1.3:8080", "10.244.2.2:8080", "10.244.2.3:8080"]
    assert {branch["probability"] for branch in document["branches"]} == {"1/3"}


def test_the_environment_and_the_current_folder_name_topologies(monkeypatch: pytest.MonkeyPatch, dual: str) -> None:
    monkeypatch.setenv("NETSIM_TOPOLOGY", dual)
    assert netsim("trace", "a", "s:web").status == 0
    monkeypatch.delenv("NETSIM_TOPOLOGY")
    Path("netsim.yaml").write_text(DUAL)
    assert netsim("trace", "a", "s:web").status == 0


def test_one_branch() -> None:
    backend = "10.244.2.2:8080"
    assert netsim("trace", "pod-a", "svc-x", "--backend", backend, "--minimal").out.count("DELIVERED DELIVERED") == 1
    drawn = {netsim("trace", "pod-a", "svc-x", "--seed", str(seed), "--minimal").out for seed in range(12)}
    assert len(drawn) == 3


def test_a_file_is_whole_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    done = netsim("trace", "pod-a", "svc-x", "-o", "json", "-f", "answer.json")
    assert done.out == ""
    assert json.loads(Path("answer.json").read_text())["verdict"] == "DELIVERED"
    assert [path.name for path in tmp_path.iterdir()] == ["answer.json"]


def test_captures(tmp_path: Path) -> None:
    assert netsim("trace", "pod-a", "svc-x", "--pick", "1", "--pcap", "caught").status == 0
    assert "pod.default.pod-a.pcap" in {path.name for path in (tmp_path / "caught").iterdir()}


def test_no_colour_off_a_terminal() -> None:
    assert "\x1b" not in netsim("trace", "pod-a", "svc-x").out


def test_the_same_question_has_the_same_answer() -> None:
    assert netsim("trace", "pod-a", "svc-x", "--all").out == netsim("trace", "pod-a", "svc-x", "--all").out
