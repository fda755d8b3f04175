"""``netsim verify`` on this machine's kernel: every shipped topology, random worlds, and what it leaves behind (nothing)."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from netsim.net.address import Family, parse_address
from netsim.net.packet import Protocol
from netsim.rules.xtables.ast import Verdict
from netsim.rules.xtables.parse import parse
from netsim.scenario.build import load_world
from netsim.scenario.every_flow import every_flow
from netsim.scenario.random_world import load_text
from netsim.scenario.sources import shipped
from netsim.topology.model import Listener, Netns, Role, Topology
from netsim.trace.model import Flow
from netsim.verify.claim import namespaces_of
from netsim.verify.enter import FOLDER, entered
from netsim.verify.namespaces import RealNetwork
from netsim.verify.observe import Observer
from netsim.verify.run import Answer, Case, Effort, verify, verify_case
from tests.table.test_fragments_again import (
    REFUSED,
    asked,
    interface,
    large,
    narrow_peer,
    through_a_bridge,
    to_the_tunnel,
)
from tests.table.test_fragments_again import ROWS as FRAGMENTS_AGAIN
from tests.table.test_untracked_answers import IN_TURN, in_turn, untracked
from tests.table.test_untracked_answers import ROW_IDS as UNTRACKED_IDS
from tests.table.test_untracked_answers import ROWS as UNTRACKED
from tests.unit.stack_world import lo, netns, route, veth
from tests.unit.stack_world import topology as topology_of

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).resolve().parents[3]
TOPOLOGIES = [each.name for each in shipped()]
LEGACY = ("default", "nodeport-local", "hairpin")
SEED = 20261124


def world(name: str):
    return load_world([next(each.file for each in shipped() if each.name == name)])[0]


def cases(found) -> list[Case]:
    flows = (each for version in (4, 6) for each in every_flow(found, version=version, one_of_each=True))
    return [Case(each.flow, each.source, each.target) for each in flows]


BEYOND = ("ipip", "ipvs", "neighbour-table-full", "conntrack-full")
"""Topologies that a kernel without IPVS, dummy or ipip cannot build, and those whose sysctl is the whole machine's."""


def disagreements(topology: Topology, asked: list[Case], **more) -> list[str]:
    outcomes = list(verify(topology, asked, effort=Effort(cover=False), **more))
    assert any(outcome.answer is Answer.AGREES for outcome in outcomes)
    return [f"{outcome.case}\n{outcome.difference}" for outcome in outcomes if outcome.answer is Answer.DIFFERS]


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_every_flow_of_a_shipped_topology(name):
    found = world(name)
    try:
        assert disagreements(found.topology, cases(found)) == []
    except OSError:  # verify ends with status 4 and says what is missing
        if not name.startswith(BEYOND):
            raise


@pytest.mark.parametrize("name", LEGACY)
def test_rules_that_iptables_legacy_loaded(name):
    found = world(name)
    assert disagreements(found.topology, cases(found), legacy=True) == []


def test_every_branch_is_seen_and_as_often_as_foretold():
    found = world("default")
    asked = [case for case in cases(found) if case.target.startswith("svc/default/svc-x:80")][:1]
    (outcome,) = verify(found.topology, asked, effort=Effort(samples=60))
    assert (outcome.answer, outcome.branches, outcome.seen) == (Answer.AGREES, 3, 3)


RANDOM = [
    # kube-proxy's mode, IP versions, flows
    ("iptables", "ipv4", 40),
    ("iptables", "dual", 40),
    ("nftables", "ipv6", 30),
    ("nftables", "dual", 40),
]


@pytest.mark.parametrize(("mode", "family", "flows"), RANDOM, ids=[f"{row[0]} {row[1]}" for row in RANDOM])
def test_random_worlds(mode, family, flows):
    pytest.importorskip("hypothesis")
    from netsim.scenario.random_check import check
    from netsim.scenario.random_ground import Families

    found = check(flows, SEED, mode=mode, families=Families(family))
    assert found.smallest is None, found.smallest
    assert len(found.outcomes) == flows
    assert found.refused == []


FRAGMENTS = """
apiVersion: netsim.io/v1alpha1
kind: Cluster
metadata: {name: fragments}
spec:
  nodes:
  - name: node1
    sysctls: {net.bridge.bridge-nf-call-iptables: '0'}
  cni: {mtu: 1450}
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  nodeName: node1
  containers: [{name: main, image: example.com/main}]
"""


def test_a_fragment_is_seen_as_it_was_though_the_node_cuts_the_datagram_again():
    """The node writes the new header, with the masqueraded source, over the bytes of the fragment that came."""
    topology = load_text(FRAGMENTS).topology
    flow = Flow("pod.default.p", parse_address("8.8.8.8"), Protocol.UDP, 53, payload=1460, dont_fragment=False)
    assert disagreements(topology, [Case(flow, "p", "8.8.8.8")]) == []


CUT_AGAIN = [(row[0], row[2](row[1], *row[3]), asked(row[1], *row[4:6])) for row in FRAGMENTS_AGAIN]
CUT_AGAIN.append(("to a tunnel", *to_the_tunnel()))


@pytest.mark.parametrize(("topology", "flow"), [row[1:] for row in CUT_AGAIN], ids=[row[0] for row in CUT_AGAIN])
def test_fragments_that_are_cut_again(topology, flow):
    assert disagreements(topology, [Case(flow, "c", "s")]) == []


def test_a_fragment_without_its_first_and_a_path_mtu_that_the_next_flow_does_not_know():
    """q drops the first fragment, as it is too big, and forwards the second; c learns from it."""
    case = Case(asked(6, (3, 2), 1460), "c", "s")
    assert disagreements(through_a_bridge(6, 1500, 1300), [case, case]) == []


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("row", REFUSED, ids=[row[0] for row in REFUSED])
def test_parts_behind_one_that_the_device_refuses(row, version):
    flow = large(version, *row[1:3])
    assert disagreements(narrow_peer(version), [Case(flow, row[1], str(flow.destination))]) == []


@pytest.mark.parametrize("version", [4, 6])
def test_what_rules_say_of_fragments_is_left_out_where_nobody_joins_them(version):
    """mangle alone tracks no connection: each fragment passes by itself, and a rule's trace knows the first of IPv4's only."""
    rules = "*mangle\n:PREROUTING ACCEPT\n-A PREROUTING -m mark --mark 0\nCOMMIT\n"
    given = {"rules": rules} if version == 4 else {"rules6": rules}
    here = netns("a", (lo(), veth("a/eth0", "b/eth0", interface(version, 1, 1))))
    there = netns("b", (lo(), veth("b/eth0", "a/eth0", interface(version, 1, 2))), **given)
    flow = large(version, "a", (1, 2))
    for legacy in (False, True):
        assert disagreements(topology_of(here, there), [Case(flow, "a", "b")], legacy=legacy) == []


@pytest.mark.parametrize("to", ["10.0.0.2", "fd00::2"])
def test_an_echo_request_that_is_ignored(to):
    ignoring = {"net.ipv4.icmp_echo_ignore_all": "1", "net.ipv6.icmp.echo_ignore_all": "1"}
    here = netns("a", (lo(), veth("a/eth0", "b/eth0", "10.0.0.1/24", "fd00::1/64")))
    there = netns("b", (lo(), veth("b/eth0", "a/eth0", "10.0.0.2/24", "fd00::2/64")), sysctls=ignoring)
    flow = Flow("a", parse_address(to), Protocol.ICMPV6 if ":" in to else Protocol.ICMP)
    assert disagreements(topology_of(here, there), [Case(flow, "a", "b")]) == []


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("row", UNTRACKED, ids=UNTRACKED_IDS)
def test_answers_about_what_is_not_tracked(row, version):
    topology, flow = untracked(version, *row[:3])
    assert disagreements(topology, [Case(flow, "c", "r")]) == []


@pytest.mark.parametrize("statements", [row[0] for row in IN_TURN])
def test_notrack_and_zones_of_nftables(statements):
    topology, flow = in_turn(statements)
    assert disagreements(topology, [Case(flow, "c", "r")]) == []


def two_hosts(rules: str, *, there: str = "fd00::2/64") -> Topology:
    """a with ip6tables rules, and b with an address; both listen."""
    web = (Listener(Protocol.TCP, 80, owner="web"),)
    here = netns(
        "a",
        (lo(), veth("a/eth0", "b/eth0", "fd00::1/64")),
        (route("fd01::/64", None, "eth0"),),
        listeners=web,
        rules6=rules,
    )
    return topology_of(here, netns("b", (lo(), veth("b/eth0", "a/eth0", there)), listeners=web))


INPUT = "*filter\n:INPUT ACCEPT\n-A INPUT {}\nCOMMIT\n"
SEEN_RIGHT = [
    # id, world, who asks, whom, protocol
    (
        "a rule rejects each advertisement, and the error about the SYN has the same type and code",
        two_hosts(INPUT.format("-s fd00::2/128 -j REJECT --reject-with icmp6-addr-unreachable")),
        ("a", "fd00::2", Protocol.TCP),
    ),
    (
        "a rule rejects the last ACK: the client is connected all the same",
        two_hosts(INPUT.format("-p tcp -m tcp --tcp-flags ALL ACK -j REJECT")),
        ("b", "fd00::1", Protocol.TCP),
    ),
    ("an echo request is answered in vain", two_hosts("", there="fd01::2/64"), ("a", "fd01::2", Protocol.ICMPV6)),
]


@pytest.mark.parametrize(("topology", "asked_for"), [row[1:] for row in SEEN_RIGHT], ids=[row[0] for row in SEEN_RIGHT])
def test_what_the_observer_sees(topology, asked_for):
    asker, to, protocol = asked_for
    flow = Flow(asker, parse_address(to), protocol, 0 if protocol is Protocol.ICMPV6 else 80)
    assert disagreements(topology, [Case(flow, asker, to)]) == []


def test_the_acknowledgement_of_data_comes_after_what_is_compared():
    """No walk has that packet, which this rule would mark the connection for."""
    rule = "-A PREROUTING -m conntrack --ctstatus ASSURED --ctdir REPLY -j CONNMARK --set-xmark 0x4/0x4"
    topology = two_hosts(f"*mangle\n:PREROUTING ACCEPT\n{rule}\nCOMMIT\n")
    flow = Flow("a", parse_address("fd00::2"), Protocol.TCP, 80, payload=16)
    assert disagreements(topology, [Case(flow, "a", "fd00::2")]) == []


DROPPED_BY_POLICY = ("pod/default/client", "pod/default/server:8080")
"""A flow of the topology forward-drop: node2, where the server is, has the policy DROP in FORWARD."""


def test_the_kernel_tells_why_it_drops():
    found = world("forward-drop")
    case = next(case for case in cases(found) if (case.source, case.target) == DROPPED_BY_POLICY)
    with RealNetwork(found.topology) as network, Observer(network) as observer:
        assert observer.without_reasons == ""
        seen = observer.observe(case.flow, patience_s=0.1)
    assert [(dropped.netns, dropped.reason) for _, dropped in seen.drops] == [("node.node2", "NETFILTER_DROP")]


def test_another_reason_than_the_models_is_found_out(monkeypatch):
    found = world("forward-drop")
    monkeypatch.setattr("netsim.verify.foretold.kernel_names", lambda reason, where: ("IP_RPFILTER",))
    case = next(case for case in cases(found) if (case.source, case.target) == DROPPED_BY_POLICY)
    (outcome,) = verify(found.topology, [case])
    assert outcome.answer is Answer.DIFFERS
    assert "- dropped: IP_RPFILTER" in outcome.difference
    assert "+ dropped: NETFILTER_DROP" in outcome.difference


# --- it finds what is wrong ------------------------------------------------------------------------------------------


def doctored(topology: Topology) -> Topology:
    """The topology with another FORWARD policy on node1: a model that is wrong about the kernel."""
    node = topology.namespaces["node.node1"]
    rulesets = []
    for ruleset in node.xtables:
        table = ruleset.tables["filter"]
        chain = replace(table.chains["INPUT"], policy=Verdict.DROP)
        changed = replace(table, chains={**table.chains, "INPUT": chain})
        rulesets.append(replace(ruleset, tables={**ruleset.tables, "filter": changed}))
    return replace(topology, namespaces={**topology.namespaces, node.name: replace(node, xtables=tuple(rulesets))})


def test_a_wrong_model_is_found_out():
    found = world("same-node")
    case = next(case for case in cases(found) if case.target == "node/node1" and case.source.startswith("pod/"))
    with RealNetwork(found.topology) as network, Observer(network) as observer:
        network.topology = doctored(found.topology)
        outcome = verify_case(observer, case, Effort())
    assert outcome.answer is Answer.DIFFERS
    assert "- filter INPUT: policy DROP" in outcome.difference
    assert "+ filter INPUT: policy ACCEPT" in outcome.difference
    assert outcome.difference.index("policy DROP") < outcome.difference.index("echo reply"), (
        "the first divergence is on top"
    )


# --- it leaves nothing behind ----------------------------------------------------------------------------------------

HOST = (
    ("ip", "-d", "link"),
    ("ip", "addr"),
    ("ip", "route", "show", "table", "all"),
    ("ip", "rule"),
    ("iptables-nft-save",),
    ("iptables-legacy-save",),
    ("nft", "list", "ruleset"),
)
SYSCTLS = (
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all",
    "net.ipv4.conf.default",
    "net.ipv4.neigh.default",
    "net.ipv4.icmp_ratelimit",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_synack_retries",
    "net.bridge",
    "net.netfilter.nf_log",
)


def host() -> dict[str, str]:
    """Rules, links, addresses, routes and sysctls of this machine itself; counters and times aside."""
    found = {}
    for words in HOST:
        printed = subprocess.run(words, capture_output=True, text=True, check=False).stdout
        lines = (line for line in printed.splitlines() if not line.startswith("#") and "valid_lft" not in line)
        found[" ".join(words)] = "\n".join(line.split("[")[0] for line in lines)
    printed = subprocess.run(("sysctl", "-a"), capture_output=True, text=True, check=False).stdout
    found["sysctl"] = "\n".join(line for line in printed.splitlines() if line.startswith(SYSCTLS))
    assert "net.ipv4.ip_forward" in found["sysctl"]
    return found


@contextmanager
def command(*words: str) -> Iterator[subprocess.Popen[str]]:
    """``netsim verify`` as a process of its own, which does not outlive the block. It heeds SIGINT, also where this one ignores it."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from netsim.cli.main import main; main()"
    )
    line = [sys.executable, "-c", code, "verify", *words]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            yield run
        finally:
            if run.poll() is None:
                run.kill()
                run.communicate()


def claimed(run: subprocess.Popen[str]) -> str:
    """The name of a run, once it has its first namespaces."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for lock in Path("/run").glob("netsim-*.lock"):
            name = lock.name.removeprefix("netsim-").removesuffix(".lock")
            if _holds(run.pid, lock) and len(namespaces_of(name)) > 2:
                return name
        time.sleep(0.02)
    raise AssertionError("the run made no namespaces")


def _holds(pid: int, lock: Path) -> bool:
    try:
        return any(each.readlink() == lock for each in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def test_the_host_is_as_it_was():
    before = host()
    with command("-t", "nodeport-local") as run:
        out, err = run.communicate(timeout=120)
    assert run.returncode == 0, out + err
    assert host() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(number):
    with command("-t", "default", "--all-flows") as run:
        name = claimed(run)
        run.send_signal(number)
        run.communicate(timeout=30)
    assert run.returncode == 130
    assert namespaces_of(name) == []
    assert not Path(f"/run/netsim-{name}.lock").exists()


def test_the_next_run_cleans_what_a_killed_one_left():
    with command("-t", "default", "--all-flows") as run:
        name = claimed(run)
        run.kill()
        run.communicate(timeout=30)
        left = namespaces_of(name)
    with RealNetwork(Topology("nothing", {})):
        assert namespaces_of(name) == []
    assert left
    assert not Path(f"/run/netsim-{name}.lock").exists()


def test_two_runs_at_once_do_not_meet():
    with command("-t", "same-node") as first, command("-t", "same-node") as second:
        for run in (first, second):
            out, err = run.communicate(timeout=120)
            assert run.returncode == 0, out + err


def test_interfaces_are_in_their_namespaces_only():
    topology = world("same-node").topology
    with RealNetwork(topology) as network:
        names = {name: Path(FOLDER, network.real_name(name)) for name in topology.namespaces}
        assert all(path.exists() for path in names.values())
        with entered(network.real_name("node.node1")):
            inside = {entry.name for entry in Path("/proc/sys/net/ipv4/conf").iterdir()}
        assert "cni0" in inside
        assert "cni0" not in {entry.name for entry in Path("/proc/sys/net/ipv4/conf").iterdir()}
    assert not any(path.exists() for path in names.values())


# --- rules that are drawn are rules that the tools take ---------------------------------------------------------------


TOOLS = [(variant, version) for variant in ("nft", "legacy") for version in (4, 6)]


@pytest.mark.parametrize(("variant", "version"), TOOLS)
def test_drawn_rules_survive_the_real_tools(variant, version):
    """What iptables-restore takes, iptables-save prints back as equal rules."""
    hypothesis = pytest.importorskip("hypothesis")
    from netsim.scenario.random_rules import rules_text

    empty = Topology("tools", {"tools": Netns("tools", Role.NODE, "tools")})

    tool = f"{'iptables' if version == 4 else 'ip6tables'}-{variant}"

    @hypothesis.seed(SEED)
    @hypothesis.settings(max_examples=30, deadline=None, database=None)
    @hypothesis.given(rules_text(version=version))
    def survives(text):
        with entered(real):
            run(f"{tool}-restore", text)
            printed = run(f"{tool}-save", "")
        ours, theirs = (parse(each, Family(version), "rules") for each in (text, printed))
        for name, drawn in ours.tables.items():
            assert theirs.tables[name] == drawn

    def run(words: str, text: str) -> str:
        return subprocess.run([words], input=text, capture_output=True, text=True, check=True).stdout

    with RealNetwork(empty) as network:
        real = network.real_name("tools")
        survives()
