"""What the proxy sends is what a kernel takes: every case is loaded into a network namespace, step after step."""

import os
import subprocess
from contextlib import suppress

import pytest

from netsim.net.address import Family
from tests.differential.kubeproxy.kubeproxy_cases import case_names, documents, syncs

NETNS = f"nsim-proxy-restore-{os.getpid()}"
TOOL = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}


def run(*command: str, text: str = "") -> str:
    done = subprocess.run(
        ["ip", "netns", "exec", NETNS, *command], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def netns():
    subprocess.run(["ip", "netns", "add", NETNS], check=True)
    yield
    with suppress(subprocess.CalledProcessError):
        subprocess.run(["ip", "netns", "delete", NETNS], check=True)


@pytest.mark.kernel
@pytest.mark.parametrize("name", case_names("iptables"))
def test_each_payload_leads_the_kernel_to_the_rules_that_the_proxy_claims(name, netns):
    for _, family, sync in syncs(*documents(name), "iptables"):
        if sync.full:
            ensure_jumps(TOOL[family], sync)
        run(f"{TOOL[family]}-restore", "--noflush", "--counters", text=sync.restore)
        assert listing(TOOL[family], run(f"{TOOL[family]}-save")) == fresh(TOOL[family], sync.rules())


def ensure_jumps(tool, sync):
    for jump in reversed(sync.jumps):
        text = f"*{jump.table}\n:{jump.target} - [0:0]\n-I {jump.chain} {jump.rule}\nCOMMIT\n"
        run(f"{tool}-restore", "--noflush", text=text)


def fresh(tool, rules):
    """What the kernel lists where the whole text was loaded at once, in a namespace of its own."""
    name = f"{NETNS}-2"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        enter = ["ip", "netns", "exec", name]
        done = subprocess.run([*enter, f"{tool}-restore"], input=rules, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        saved = subprocess.run([*enter, f"{tool}-save"], capture_output=True, text=True, check=True)
        return listing(tool, saved.stdout)
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def listing(tool, saved):
    """Rules by chain, of the tables that the proxy has rules in."""
    found = {}
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line
        elif line.startswith(":") and line.split()[0] != ":":
            found[table, line.split()[0][1:]] = []
        elif line.startswith("-A "):
            found[table, line.split()[1]].append(line)
    return {key: rules for key, rules in found.items() if key[0] in ("*nat", "*filter")}
