"""What the proxy sends is what a kernel takes: every case is run by nft in a network namespace, step after step."""

import os
import subprocess

import pytest

from netsim.net.address import Family
from proxy.replay.case import read_case, read_step
from proxy.replay.run import family_label, take
from proxy.server import nftables_proxy
from proxy.watch import ObjectFeed
from tests.differential.kubeproxy.kubeproxy_cases import case_names, documents, expected
from tests.nftables_texts import listing

NETNS = f"nsim-proxy-nft-{os.getpid()}"
FRESH = f"nsim-proxy-nft-{os.getpid()}-2"
WORD = {Family.IPV4: "ip", Family.IPV6: "ip6"}


def nft(netns, *arguments, text=""):
    command = ["ip", "netns", "exec", netns, "nft", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kernel_table(netns, family):
    return listing(nft(netns, "list", "table", WORD[family], "kube-proxy"))


def fresh(text, family):
    """What the kernel lists where a whole table was made at once."""
    nft(FRESH, "flush", "ruleset")
    nft(FRESH, "-f", "-", text=text)
    return kernel_table(FRESH, family)


@pytest.fixture
def netns():
    for name in (NETNS, FRESH):
        subprocess.run(["ip", "netns", "add", name], check=True)
    yield NETNS
    for name in (NETNS, FRESH):
        subprocess.run(["ip", "netns", "delete", name], check=True)


def run(netns, sync):
    for text in (sync.cleanup, sync.transaction):
        if text:
            nft(netns, "-f", "-", text=text)
    assert kernel_table(netns, sync.family) == fresh(sync.table(), sync.family)


@pytest.mark.kernel
@pytest.mark.parametrize("name", case_names("nftables"))
def test_each_transaction_leads_the_kernel_to_the_table_that_the_proxy_claims(name, netns):
    document, steps = documents(name)
    recorded = expected(name, "nftables")
    case = read_case(document, "nftables")
    proxy = nftables_proxy(case.configuration, case.node)
    proxy.on_service_cidrs(case.service_cidrs)
    feed = ObjectFeed(proxy)
    for number, step in enumerate(steps):
        take(feed, read_step(step))
        for family, sync in proxy.sync().items():
            run(netns, sync)
            recorded_list = recorded[f"step-{number:02d}.nftables.{family_label(family)}.nft-list"]
            assert fresh(sync.table_as_recorded(), family) == listing(recorded_list)
    for proxier in proxy.proxiers.values():
        proxier.force_full_sync()
    for now in (2_000_000_000, 4_000_000_000):
        for sync in proxy.sync(now).values():
            run(netns, sync)


@pytest.mark.kernel
def test_a_table_of_an_older_version_is_taken_over(netns):
    """Base chains with another priority, rules, and elements that nobody asks for are replaced; foreign ones stay."""
    nft(
        netns,
        "-f",
        "-",
        text="""add table ip kube-proxy
add chain ip kube-proxy filter-input { type filter hook input priority -110 ; }
add chain ip kube-proxy services
add rule ip kube-proxy services counter
add set ip kube-proxy cluster-ips { type ipv4_addr ; comment "Active ClusterIPs" ; }
add element ip kube-proxy cluster-ips { 10.96.0.99 }
add table ip other
""",
    )
    document, steps = documents("clusterip")
    case = read_case(document, "nftables")
    proxy = nftables_proxy(case.configuration, case.node)
    feed = ObjectFeed(proxy)
    take(feed, read_step(steps[0]))
    run(netns, proxy.sync()[Family.IPV4])
    assert "table ip other" in nft(netns, "list", "tables")


@pytest.mark.kernel
def test_linux_takes_over_the_new_timeout_of_an_affinity_set(netns):
    head = "add set ip kube-proxy a { type ipv4_addr ; flags dynamic,timeout ; timeout"
    nft(netns, "-f", "-", text=f"add table ip kube-proxy\n{head} 30s ; }}\n")
    nft(netns, "-f", "-", text=f"{head} 60s ; }}\n")
    assert "timeout 1m" in nft(netns, "list", "ruleset")
