"""The iptables rules of one node, as the programs on it write them one after the other.

| order | program    | how                                                                                   |
| 1     | the node   | its own rules (``spec.nodes[].iptables``), there before the cluster                   |
| 2     | kube-proxy | its chains by ``iptables-restore --noflush``, its jumps put first into built-in chains |
| 3     | flannel    | its chains, its jumps appended                                                        |
| 4     | portmap    | its chains when a pod with host ports starts; jumps appended, in POSTROUTING put first |

kube-proxy puts its jumps first and flannel appends, so which of the two starts first makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar

from netsim.net.address import Family
from netsim.objects.cluster import ClusterNode, MachineTexts, RulesText
from netsim.rules.conntrack.ast import ConntrackEntry
from netsim.rules.conntrack.parse import parse as parse_conntrack
from netsim.rules.ipset.ast import IPSets
from netsim.rules.ipset.parse import parse as parse_ipset
from netsim.rules.source import Origin, RuleSyntaxError, RuleSyntaxErrors
from netsim.rules.xtables.ast import Ruleset
from netsim.rules.xtables.parts import PartReader
from netsim.rules.xtables.restore import Payload, restore
from netsim.scenario.kube_proxies import NodeProxy, WritesIptables
from netsim.topology.cni.flannel import flannel_rules
from netsim.topology.cni.portmap import portmap_rules
from netsim.topology.plan import CNIPlan, MachinePlan, PodPlan

T = TypeVar("T")


Parts: TypeAlias = Mapping[Family, PartReader]
"""What was read of rules before, by family: the nodes of a cluster have most of their rules in common."""


def fresh_parts() -> Parts:
    """Nothing read yet."""
    return {family: PartReader(family) for family in Family}


def node_rulesets(
    node: ClusterNode,
    proxy: NodeProxy,
    machine: MachinePlan,
    cni: CNIPlan,
    pods: Sequence[PodPlan] = (),
    parts: Parts | None = None,
) -> tuple[Ruleset, ...]:
    """A node's rule set in each family that it has rules in. Raises RuleSyntaxErrors, with places in the user's file for the node's own."""
    read = parts or fresh_parts()
    found = (_ruleset(node, proxy, machine, cni, pods, read[family]) for family in Family)
    return (*legacy_rulesets(node.texts), *(ruleset for ruleset in found if ruleset is not None))


def legacy_rulesets(texts: MachineTexts) -> tuple[Ruleset, ...]:
    """What iptables-legacy holds on a machine. Raises RuleSyntaxErrors with places in the user's file."""
    found = (own_ruleset(texts.iptables_legacy, Family.IPV4), own_ruleset(texts.ip6tables_legacy, Family.IPV6))
    return tuple(replace(ruleset, legacy=True) for ruleset in found if ruleset is not None)


def machine_ipsets(texts: MachineTexts) -> IPSets:
    """The sets of a machine. Raises RuleSyntaxErrors with places in the user's file."""
    return read_text(texts.ipset, parse_ipset) or IPSets()


def machine_conntrack(texts: MachineTexts) -> tuple[ConntrackEntry, ...]:
    """The connections that a machine knows. Raises RuleSyntaxErrors with places in the user's file."""
    entries = read_text(texts.conntrack, parse_conntrack) or ()
    if errors := list(_clashes(entries)):
        raise RuleSyntaxErrors(errors)
    return entries


def _clashes(entries: Iterable[ConntrackEntry]) -> Iterator[RuleSyntaxError]:
    taken: dict[tuple[object, ...], ConntrackEntry] = {}
    for entry in entries:
        zone, way = entry.zone, entry.zone_direction
        keys = {
            (entry.protocol, entry.original, zone if way != "REPLY" else 0),
            (entry.protocol, entry.reply, zone if way != "ORIGINAL" else 0),
        }
        other = next((taken[key] for key in sorted(keys, key=str) if key in taken), None)
        if other is not None and entry.origin is not None:
            first = f" (line {other.origin.line})" if other.origin is not None else ""
            yield RuleSyntaxError(
                f"another entry has one of its tuples{first}", entry.origin, "a tuple belongs to one entry"
            )
        taken |= dict.fromkeys(keys, entry)


def read_text(text: RulesText | None, parse: Callable[[str, str], T]) -> T | None:
    """What a user's text says; its errors point into the user's file."""
    if text is None:
        return None
    padded = "\n" * (text.origin.line - 1) + text.text
    try:
        return parse(padded, text.origin.file)
    except RuleSyntaxErrors as errors:
        raise RuleSyntaxErrors([in_file(error, text.origin) for error in errors.errors]) from errors


def own_ruleset(text: RulesText | None, family: Family) -> Ruleset | None:
    """Rules that a user wrote for a machine; errors and origins point into the user's file."""
    if text is None:
        return None
    # The parser counts lines from the start of its text; empty lines before it put them where they stand in the file.
    padded = "\n" * (text.origin.line - 1) + text.text
    try:
        return restore(None, Payload(padded, family, text.origin.file), noflush=True)
    except RuleSyntaxErrors as errors:
        raise RuleSyntaxErrors([in_file(error, text.origin) for error in errors.errors]) from errors


def in_file(error: RuleSyntaxError, start: Origin) -> RuleSyntaxError:
    """The same error with its column in the file: the text of a YAML block stands indented there."""
    indent = " " * (start.column - 1)
    place = error.origin
    moved = Origin(place.file, place.line, place.column + len(indent), indent + place.text)
    return RuleSyntaxError(error.message, moved, error.advice)


def _ruleset(
    node: ClusterNode, proxy: NodeProxy, machine: MachinePlan, cni: CNIPlan, pods: Sequence[PodPlan], parts: PartReader
) -> Ruleset | None:
    family = parts.family
    ruleset = own_ruleset(node.iptables if family is Family.IPV4 else node.ip6tables, family)
    sync = proxy.iptables(family)
    if sync is not None:
        for text in (_jumps_text(ruleset, sync), sync.restore):
            payload = Payload(text, family, f"kube-proxy on {node.name}")
            ruleset = restore(ruleset, payload, noflush=True, parts=parts)
    for program, text in (
        ("flannel", flannel_rules(machine, cni, family)),
        ("portmap", portmap_rules(machine, pods, family)),
    ):
        if text:
            ruleset = restore(ruleset, Payload(text, family, f"{program} on {node.name}"), noflush=True, parts=parts)
    return ruleset


def _jumps_text(there: Ruleset | None, sync: WritesIptables) -> str:
    """kube-proxy's jumps as a payload: each put first into its chain, in the order in which kube-proxy ensures them."""
    return "".join(_table_jumps(there, sync))


def _table_jumps(there: Ruleset | None, sync: WritesIptables) -> Iterator[str]:
    for table in dict.fromkeys(jump.table for jump in sync.jumps):
        jumps = [jump for jump in reversed(sync.jumps) if jump.table == table]
        yield f"*{table}\n"
        for target in dict.fromkeys(jump.target for jump in jumps):
            yield f":{target} - [0:0]\n"
        for jump in jumps:
            if not _stands(there, table, jump.chain, jump.target):
                yield f"-I {jump.chain} {jump.rule}\n"
        yield "COMMIT\n"


def _stands(there: Ruleset | None, table: str, chain: str, target: str) -> bool:
    """True where the node's own rules (a dump of a running node) have the jump already, which ``iptables -C`` finds."""
    if there is None or table not in there.tables:
        return False
    rules = there.tables[table].chains[chain].rules
    return any(getattr(rule.target, "chain", None) == target for rule in rules)
