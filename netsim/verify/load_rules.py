"""Loads rules into real namespaces with the machine's own tools."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from netsim.net.address import Family
from netsim.rules.ipset.ast import IPSets
from netsim.rules.ipset.dump import dump as dump_ipsets
from netsim.rules.nft.ast import Ruleset as NftRuleset
from netsim.rules.nft.dump import dump_as_loaded
from netsim.rules.xtables.ast import Ruleset
from netsim.rules.xtables.dump import dump
from netsim.verify.enter import entered

LOADERS: dict[tuple[Family, bool], str] = {
    # (family, legacy): the tool that loads rules
    (Family.IPV4, False): "iptables-nft-restore",
    (Family.IPV6, False): "ip6tables-nft-restore",
    (Family.IPV4, True): "iptables-legacy-restore",
    (Family.IPV6, True): "ip6tables-legacy-restore",
}


class RefusedRulesError(RuntimeError):
    """A tool does not load a machine's rules; the message names the machine and has the tool's own words."""


@contextmanager
def refusals_of(name: str) -> Iterator[None]:
    """Say of which modelled machine a tool refuses the rules."""
    try:
        yield
    except RuntimeError as error:
        raise RefusedRulesError(f"rules of {name}: {error}") from error


def load_xtables(real_name: str, ruleset: Ruleset, *, legacy: bool = False) -> None:
    """Load iptables rules into a real namespace, those of iptables-legacy with that.

    Raises RuntimeError with the tool's message where it refuses them.
    """
    tool = LOADERS[ruleset.family, legacy or ruleset.legacy]
    text = dump(ruleset)
    with entered(real_name):
        done = subprocess.run([tool], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        number = re.search(r"line:? (\d+)", done.stderr)
        lines = text.splitlines()
        line = lines[int(number[1]) - 1] if number and int(number[1]) <= len(lines) else ""
        raise RuntimeError(f"{tool} refused the rules of {real_name}: {done.stderr.strip()}\n{line}")


def load_nftables(real_name: str, ruleset: NftRuleset) -> None:
    """Load rules of nftables into a real namespace; tables of these names are made anew. Raises RuntimeError with nft's message."""
    names = [f"{family.value} {name}" for family, name in ruleset.tables]
    anew = "".join(f"add table {name}\ndelete table {name}\n" for name in names)
    run_tool(real_name, ["nft", "-f", "-"], anew + dump_as_loaded(ruleset))


def load_ipsets(real_name: str, sets: IPSets) -> None:
    """Make ipsets in a real namespace. Raises RuntimeError with the tool's message, as for a type that the kernel lacks."""
    run_tool(real_name, ["ipset", "restore"], dump_ipsets(sets))


def run_tool(real_name: str, words: list[str], text: str = "") -> None:
    """Run a tool in a real namespace. Raises RuntimeError with its message where it fails."""
    with entered(real_name):
        done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} failed in {real_name}: {done.stderr.strip()}")
