"""What the ipvs mode tells ipset and iptables is what a kernel takes: every case, step after step.

The kernel of these machines has no IPVS, so ``ipvsadm`` is not run, and the rules of KUBE-IPVS-OUT-FILTER (``-m ipvs``) are left
out, when they are loaded and when they are compared.
"""

import os
import subprocess
from contextlib import suppress

import pytest

from netsim.net.address import Family
from tests.differential.kubeproxy.kubeproxy_cases import case_names, documents, syncs

NETNS = f"nsim-ipvs-restore-{os.getpid()}"
TOOL = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}


def run(*command, text="", netns=NETNS):
    done = subprocess.run(["ip", "netns", "exec", netns, *command], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def netns():
    names = (NETNS, f"{NETNS}-2")
    for name in names:
        subprocess.run(["ip", "netns", "add", name], check=True)
    yield
    for name in names:
        with suppress(subprocess.CalledProcessError):
            subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.mark.kernel
@pytest.mark.parametrize("name", case_names("ipvs"))
def test_sets_and_rules_load_and_are_those_that_the_proxy_claims(name, netns):
    for _, family, sync in syncs(*documents(name), "ipvs"):
        run("ipset", "restore", text=sync.changes.ipset)
        load(TOOL[family], sync)
        assert sets(family) == {s.name: (s.type.value, set(s.members)) for s in sync.sets.values()}
        assert listing(TOOL[family]) == fresh(TOOL[family], sync)


def without_ipvs_match(rules):
    return "".join(line for line in rules.splitlines(keepends=True) if "-m ipvs " not in line)


def load(tool, sync):
    if not listing(tool):
        for jump in reversed(sync.jumps):
            text = f"*{jump.table}\n:{jump.target} - [0:0]\n-I {jump.chain} {jump.rule}\nCOMMIT\n"
            run(f"{tool}-restore", "--noflush", text=text)
    run(f"{tool}-restore", "--noflush", "--counters", text=without_ipvs_match(sync.restore))


def sets(family):
    """The kernel's sets of one family: name to type and members."""
    found = {}
    for line in run("ipset", "save").splitlines():
        verb, name, rest = line.split(maxsplit=2)
        if (name.startswith("KUBE-6-")) is not (family is Family.IPV6):
            continue
        if verb == "create":
            found[name] = (rest.split()[0], set())
        else:
            found[name][1].add(as_kube_proxy_writes(rest, found[name][0]))
    return found


def as_kube_proxy_writes(member, kind):
    """ipset leaves the length of a whole address out."""
    whole = "/128" if ":" in member.rpartition(",")[2] else "/32"
    return f"{member}{whole}" if kind == "hash:ip,port,net" and "/" not in member else member


def fresh(tool, sync):
    """What the kernel lists where the sets and all rules were loaded at once, in a namespace of its own."""
    other = f"{NETNS}-2"
    run("ipset", "restore", "-exist", text=sync.ipset_save(), netns=other)
    run(f"{tool}-restore", text=without_ipvs_match(sync.rules()), netns=other)
    return listing(tool, other)


def listing(tool, netns=NETNS):
    """Rules by chain, of the tables that the proxy has rules in."""
    found = {}
    table = ""
    for line in run(f"{tool}-save", netns=netns).splitlines():
        if line.startswith("*"):
            table = line
        elif line.startswith(":"):
            found[table, line.split()[0][1:]] = []
        elif line.startswith("-A "):
            found[table, line.split()[1]].append(line)
    return {key: rules for key, rules in found.items() if key[0] in ("*nat", "*filter")}
