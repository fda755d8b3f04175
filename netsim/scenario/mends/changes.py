"""Changes to what a user wrote, and the command that makes the same change on a real cluster.

A change works on what was loaded, so it goes the whole way again: control plane, kube-proxy, topology. What cannot be changed there (an
object that a controller made, a text that is not given) gives None.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from shlex import quote
from typing import Protocol, TypeVar

from netsim.cluster.errors import StatusError
from netsim.cluster.patching.patches import json_patch
from netsim.dataclass import dataclass
from netsim.manifest import Loaded
from netsim.objects.cluster import (
    MAIN_TABLE,
    ClusterNode,
    CNISpec,
    ExternalHost,
    PlacedDocument,
    RulesText,
    StaticRoute,
)
from netsim.objects.json import Json
from netsim.objects.meta import Key, Object
from netsim.rules.source import Origin

Machine = TypeVar("Machine", ClusterNode, ExternalHost)


class MachineChange(Protocol):
    """A change of what is said of a node or an external host."""

    def __call__(self, found: Machine, /) -> Machine:
        """The machine with the change."""


_OWN = Origin("a proposed change", 1, 1, "")
_ADDED = re.compile(r"(?:\[\d+:\d+\]\s+)?(?:-A|--append|-I|--insert)\s+(\S+)(?:\s+\d+(?=\s|$))?")
"""How a line of ``iptables-restore`` adds a rule: counters, command, chain, and where it is inserted."""


@dataclass(frozen=True, slots=True)
class Change:
    """``words`` say what is changed, ``command`` makes the change on a real cluster, ``apply`` makes it in what was loaded.

    ``wide``: it lets much more through than the packet, so it is tried only where nothing narrower delivers.
    """

    words: str
    command: str
    apply: Callable[[Loaded], Loaded | None] = field(repr=False, compare=False)
    wide: bool = False


# --- objects ----------------------------------------------------------------------------------------------------


def patch_object(key: Key, operations: Sequence[Mapping[str, Json]], words: str) -> Change:
    """A JSON patch (RFC 6902) of an object that the user wrote."""

    def apply(loaded: Loaded) -> Loaded | None:
        found = next((item for item in loaded.objects if item.key == key), None)
        if found is None:
            return None
        try:
            changed = Object.of(json_patch(found.document, list(operations)))
        except StatusError:
            return None
        return replace(loaded, objects=tuple(changed if item is found else item for item in loaded.objects))

    place = f"-n {key.namespace} " if key.namespace else ""
    patch = f"--type json -p {quote(json.dumps(list(operations), separators=(',', ':')))}"
    kind = key.kind.lower()
    if kind == "pod":
        # the API server takes no change of a pod's ports, so the pod is made anew
        command = f"kubectl {place}get pod {key.name} -o yaml | kubectl patch --local -f - {patch} -o yaml | kubectl replace --force -f -"
    else:
        command = f"kubectl {place}patch {kind} {key.name} {patch}"
    return Change(words, command, apply)


# --- machines ---------------------------------------------------------------------------------------------------


def set_sysctl(machine: str, name: str, value: str) -> Change:
    """A kernel parameter of a node or an external host."""

    def setting(found: Machine) -> Machine:
        return replace(found, sysctls={**found.sysctls, name: value})

    return Change(f"set {name}={value} on {machine}", f"sysctl -w {name}={value}", _on_machine(machine, setting))


def add_route(machine: str, route: StaticRoute) -> Change:
    """A route of a node or an external host."""

    def routed(found: Machine) -> Machine:
        return replace(found, routes=(*found.routes, route))

    words = _route_words(route)
    return Change(f"add the route {words} on {machine}", f"ip route add {words}", _on_machine(machine, routed))


def iptables_rule(machine: str, version: int, table: str, rule: str, *, legacy: bool = False) -> Change:
    """An iptables command of a machine, such as ``-I FORWARD 1 … -j ACCEPT`` or ``-P FORWARD ACCEPT``."""
    tool = ("iptables" if version == 4 else "ip6tables") + ("-legacy" if legacy else "")
    words = rule.split()
    line = f":{words[1]} {words[2]} [0:0]" if words[0] == "-P" else rule
    text = f"*{table}\n{line}\nCOMMIT\n"

    def ruled(found: Machine) -> Machine:
        if legacy:
            name = "iptables_legacy" if version == 4 else "ip6tables_legacy"
            return replace(found, texts=replace(found.texts, **{name: _longer(getattr(found.texts, name), text)}))
        if version == 4:
            return replace(found, iptables=_longer(found.iptables, text))
        return replace(found, ip6tables=_longer(found.ip6tables, text))

    command = f"{tool} -t {table} {rule}"
    return Change(f"on {machine}: {command}", command, _on_machine(machine, ruled), wide=words[0] == "-P")


def without_rule(machine: str, tool: str, table: str, origin: Origin) -> Change:
    """One rule less of those that the user wrote for a machine. ``tool`` is the command: ``iptables``, ``ip6tables-legacy``."""
    rule = _ADDED.sub(r"\1", origin.text.strip(), count=1)

    def shorter(text: RulesText | None) -> RulesText | None:
        if text is None or text.origin.file != origin.file:
            return text
        lines = text.text.split("\n")
        at = origin.line - text.origin.line
        if not 0 <= at < len(lines) or lines[at].strip() != origin.text.strip():
            return text
        return replace(text, text="\n".join((*lines[:at], "", *lines[at + 1 :])))

    def ruled(found: Machine) -> Machine:
        texts = replace(
            found.texts,
            iptables_legacy=shorter(found.texts.iptables_legacy),
            ip6tables_legacy=shorter(found.texts.ip6tables_legacy),
        )
        return replace(found, iptables=shorter(found.iptables), ip6tables=shorter(found.ip6tables), texts=texts)

    command = f"{tool} -t {table} -D {rule}"
    return Change(f"on {machine}: {command}", command, _on_machine(machine, ruled))


def without_route(machine: str, route: StaticRoute) -> Change:
    """One route less of those that the user gave a machine."""

    def routed(found: Machine) -> Machine:
        return replace(found, routes=tuple(other for other in found.routes if other != route))

    words = _route_words(route)
    return Change(f"remove the route {words} on {machine}", f"ip route del {words}", _on_machine(machine, routed))


def _route_words(route: StaticRoute) -> str:
    """What of a route tells it from others, as ``ip route`` takes it."""
    parts = (
        ("", "" if route.type == "unicast" else route.type),
        ("", str(route.to)),
        ("via", route.via),
        ("dev", route.device),
        ("table", "" if route.table == MAIN_TABLE else route.table),
        ("metric", route.metric),
    )
    return " ".join(f"{word} {value}".strip() for word, value in parts if value)


def nft_rule(machine: str, where: str, rule: str) -> Change:
    """A rule at the head of an nftables chain; ``where`` is ``FAMILY TABLE CHAIN``."""
    command = f"nft insert rule {where} {rule}"

    def ruled(found: Machine) -> Machine:
        return replace(found, texts=replace(found.texts, nftables=_longer(found.texts.nftables, f"{command[4:]}\n")))

    return Change(f"on {machine}: {command}", command, _on_machine(machine, ruled))


def forget_connection(machine: str, tool: str, words: Sequence[str], command: str) -> Change:
    """Remove the entries whose line has all of the words, from what ``conntrack -L`` or ``ipvsadm -Lnc`` printed."""

    def forgotten(found: Machine) -> Machine:
        text: RulesText | None = getattr(found.texts, tool)
        if text is None:
            return found
        lines = (line for line in text.text.splitlines(keepends=True) if not set(words) <= set(line.split()))
        return replace(found, texts=replace(found.texts, **{tool: replace(text, text="".join(lines))}))

    return Change(f"{_FORGOTTEN[tool]} on {machine}", command, _on_machine(machine, forgotten))


_FORGOTTEN = {
    "conntrack": "remove the old conntrack entry",
    "ipvs_connections": "wait until the old IPVS connection has run out",  # no command removes a single one
}


def _longer(text: RulesText | None, more: str) -> RulesText:
    """A text with more behind it; its first lines keep their places in the user's file."""
    if text is None:
        return RulesText(more, _OWN)
    return replace(text, text=f"{text.text.rstrip()}\n{more}")


def _on_machine(machine: str, change: MachineChange) -> Callable[[Loaded], Loaded | None]:
    """``node/NAME`` or ``external/NAME`` changed; None where nothing came of it."""
    role, _, name = machine.partition("/")

    def apply(loaded: Loaded) -> Loaded | None:
        cluster = loaded.cluster
        nodes = tuple(change(node) if (role, node.name) == ("node", name) else node for node in cluster.nodes)
        hosts = tuple(change(host) if (role, host.name) == ("external", name) else host for host in cluster.external)
        changed = replace(cluster, nodes=nodes, external=hosts)
        return None if changed == cluster else replace(loaded, cluster=changed)

    return apply


# --- the cluster ------------------------------------------------------------------------------------------------


def set_kube_proxy(path: Sequence[str], value: Json) -> Change:
    """A field of every kube-proxy's configuration."""
    name, shown = ".".join(path), json.dumps(value)

    def apply(loaded: Loaded) -> Loaded | None:
        cluster = loaded.cluster
        nodes = tuple(
            replace(node, kube_proxy=_configured(node.kube_proxy, path, value)) if node.kube_proxy else node
            for node in cluster.nodes
        )
        changed = replace(cluster, kube_proxy=_configured(cluster.kube_proxy, path, value), nodes=nodes)
        return None if changed == cluster else replace(loaded, cluster=changed)

    command = "kubectl -n kube-system edit configmap kube-proxy && kubectl -n kube-system rollout restart daemonset kube-proxy"
    return Change(f"set {name}: {shown} in kube-proxy's configuration", command, apply)


def _configured(given: PlacedDocument | None, path: Sequence[str], value: Json) -> PlacedDocument:
    placed = given or PlacedDocument({}, _OWN)
    document: dict[str, Json] = dict(placed.document)
    inner = document
    for step in path[:-1]:
        before = inner.get(step)
        below: dict[str, Json] = dict(before) if isinstance(before, Mapping) else {}
        inner[step] = below
        inner = below
    inner[path[-1]] = value
    return replace(placed, document=document)


def set_cni(words: str, command: str, change: Callable[[CNISpec], CNISpec]) -> Change:
    """A setting of the network plugin."""

    def apply(loaded: Loaded) -> Loaded | None:
        cni = change(loaded.cluster.cni)
        return None if cni == loaded.cluster.cni else replace(loaded, cluster=replace(loaded.cluster, cni=cni))

    return Change(words, command, apply)
