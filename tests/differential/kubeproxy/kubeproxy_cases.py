"""Reading the reference cases, and the form in which two texts of a mode are compared."""

from __future__ import annotations

import gzip
from collections import defaultdict
from functools import cache
from pathlib import Path

import yaml

from proxy.iptables.chains import ORDER_FREE
from proxy.ipvs.iptables_rules import ORDER_FREE as IPVS_ORDER_FREE
from proxy.replay.case import read_case, read_step
from proxy.replay.run import synced
from proxy.server import iptables_proxy, ipvs_proxy, nftables_proxy

DATA = Path(__file__).parents[2] / "data" / "kube-proxy"
PROXIES = {"iptables": iptables_proxy, "ipvs": ipvs_proxy, "nftables": nftables_proxy}
LAST = "NOTE: this must be the last rule in this chain"


def case_names(mode: str) -> list[str]:
    """The cases that were recorded in a mode."""
    return [p.parent.name for p in sorted(DATA.glob("*/case.yaml")) if mode in _case(p.parent.name)["modes"]]


@cache
def documents(name: str):
    """``case.yaml`` and the steps of a case, parsed."""
    folder = DATA / name
    steps = sorted(p for p in folder.iterdir() if p.name.startswith("step-") and ".yaml" in p.suffixes)
    return _case(name), [load(p) for p in steps]


@cache
def _case(name: str):
    return load(DATA / name / "case.yaml")


def load(path: Path):
    return yaml.load(read(path), yaml.CSafeLoader)


def read(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()


def expected(name: str, mode: str) -> dict[str, str]:
    """The recorded files of a case in a mode, by name."""
    return {p.name.removesuffix(".gz"): read(p) for p in sorted((DATA / name).glob(f"step-*.{mode}.*"))}


def syncs(case, steps, mode: str):
    """The number of each step, a family, and what the sync of that family gives. Raises ConfigurationError."""
    read = read_case(case, mode)
    proxy = PROXIES[mode](read.configuration, read.node)
    for number, families in synced(proxy, read, [read_step(step) for step in steps]):
        for family, sync in families.items():
            yield number, family, sync


def iptables_form(text: str):
    """Tables with chains, deletions and each chain's rules; sorted only where kube-proxy keeps no order."""
    tables = {}
    table = None
    for line in text.splitlines():
        if line.startswith("*"):
            table = tables[line] = {"chains": [], "deleted": [], "rules": defaultdict(list), "committed": False}
        elif line.startswith(":"):
            table["chains"].append(line)
        elif line.startswith("-X "):
            table["deleted"].append(line)
        elif line.startswith("-A "):
            table["rules"][line.split()[1]].append(line)
        else:
            assert line == "COMMIT", line
            table["committed"] = True
    return {name: _normal(table) for name, table in tables.items()}


def rules_form(text: str):
    """The lines of ipvs mode's rules in order, and those of chains that have none, sorted."""
    lines = text.splitlines()
    free = [line for line in lines if line.startswith("-A ") and line.split()[1] in IPVS_ORDER_FREE]
    return [line for line in lines if line not in free], sorted(free)


def _normal(table):
    return {
        "chains": sorted(table["chains"]),
        "deleted": sorted(table["deleted"]),
        "rules": {chain: _ordered(chain, rules) for chain, rules in table["rules"].items()},
        "committed": table["committed"],
    }


def _ordered(chain: str, rules: list[str]) -> list[str]:
    """The last rules are one for each address of the node ports, which kube-proxy keeps in a map (GetNodeIPs)."""
    if chain not in ORDER_FREE:
        return rules
    last = [rule for rule in rules if LAST in rule]
    assert rules[len(rules) - len(last) :] == last
    return sorted(rules[: len(rules) - len(last)]) + sorted(last)
