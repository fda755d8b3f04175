"""Changes of a machine's parameters, rules and routes, and of what it remembers, that may mend a failure."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.net.packet import Packet, Protocol
from netsim.objects.cluster import FORWARDING_SYSCTLS, StaticRoute
from netsim.rules.xtables.ast import Jump
from netsim.scenario.mends.changes import (
    Change,
    add_route,
    forget_connection,
    iptables_rule,
    nft_rule,
    set_sysctl,
    without_route,
    without_rule,
)
from netsim.scenario.mends.failure import Failure, Proposer
from netsim.stack.steps import ChainPass, ConntrackStep, Hook, IPVSStep, NftChainPass
from netsim.topology.model import Role
from netsim.topology.sysctl import known

# --- the kernel's parameters -----------------------------------------------------------------------------------


def sysctl(name: str, value: str) -> Proposer:
    """A parameter where the packet ended. ``{dev}`` is the device that it came in by."""

    def propose(failure: Failure) -> Iterator[Change]:
        machines = [failure.machine] if failure.machine else []
        device = (failure.received_on or "all").replace(".", "/")
        return (set_sysctl(machine, name.format(dev=device), value) for machine in machines)

    return propose


def bridged_to_iptables(failure: Failure) -> Iterator[Change]:
    """Let each node's bridge show its packets to iptables, so that answers between two pods of a node are translated back."""
    name = {4: "net.bridge.bridge-nf-call-iptables", 6: "net.bridge.bridge-nf-call-ip6tables"}
    return (set_sysctl(machine, name[failure.packet.ip.dst.version], "1") for machine in failure.nodes)


_OF_KUBEADM = frozenset(name for names in FORWARDING_SYSCTLS.values() for name in names)


def own_sysctl(failure: Failure) -> Iterator[Change]:
    """Set a parameter that the user changed on the way back to what kube-proxy sets, or to the kernel's default."""
    cluster, machines = failure.world.cluster, failure.machines
    for machine in machines:
        role, _, name = machine.partition("/")
        given = cluster.nodes if role == "node" else cluster.external
        proxy = failure.world.proxies.get(name) if role == "node" else None
        for sysctl_name, value in next((found.sysctls for found in given if found.name == name), {}).items():
            row = known(sysctl_name)
            usual = (proxy.sysctls if proxy else {}).get(sysctl_name) or (row.default if row else value)
            if usual != value and sysctl_name not in _OF_KUBEADM:
                yield set_sysctl(machine, sysctl_name, usual)


def forwarding(failure: Failure) -> Iterator[Change]:
    """Let the machine forward packets."""
    if failure.machine:
        by_version = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
        yield set_sysctl(failure.machine, by_version[failure.packet.ip.dst.version], "1")


def larger_table(name: str, unset: int) -> Proposer:
    """Double a table's limit."""

    def propose(failure: Failure) -> Iterator[Change]:
        if failure.machine is not None:
            role, _, host = failure.machine.partition("/")
            machines = failure.world.cluster.nodes if role == "node" else failure.world.cluster.external
            filled = name.format(version=failure.packet.ip.dst.version)
            held = next((int(m.sysctls.get(filled, unset)) for m in machines if m.name == host), unset)
            yield set_sysctl(failure.machine, filled, str(max(2 * held, unset)))

    return propose


# --- rules of the machine's own -------------------------------------------------------------------------------------


def accept(failure: Failure) -> Iterator[Change]:
    """Accept the packet before the rule that refuses it, and as a wider change by the chain's policy."""
    place, machine = failure.branch.where, failure.machine
    if place is None or machine is None or place.table is None or place.chain is None:
        return
    passes = [step for step in failure.finding.ending.hop.steps if isinstance(step, ChainPass | NftChainPass)]
    decided = next((step for step in reversed(passes) if step.table == place.table), None)
    version = failure.packet.ip.dst.version
    if isinstance(decided, NftChainPass):
        yield nft_rule(machine, f"{decided.family} {decided.table} {place.chain}", f"{_nft_words(failure)} accept")
    elif isinstance(decided, ChainPass) and place.hook is not None:
        legacy = decided.legacy
        rule = f"-I {place.hook.value} 1 {_words(failure)} -j ACCEPT"
        yield iptables_rule(machine, version, place.table, rule, legacy=legacy)
        if place.rule is None:
            yield iptables_rule(machine, version, place.table, f"-P {place.chain} ACCEPT", legacy=legacy)


def _words(failure: Failure) -> str:
    """Iptables matches for the packet that was refused."""
    packet = failure.packet
    if failure.on_reply and failure.branch.where and failure.branch.where.hook in _AFTER_CONNTRACK:
        return "-m conntrack --ctstate RELATED,ESTABLISHED"
    ends = f"-s {packet.ip.src} -d {packet.ip.dst} -p {_protocol(packet)}"
    if packet.dport is None:
        return ends
    return f"{ends} --sport {packet.sport}" if failure.on_reply else f"{ends} --dport {packet.dport}"


def _nft_words(failure: Failure) -> str:
    packet = failure.packet
    if failure.on_reply:
        return "ct state related,established"
    family, protocol = ("ip" if packet.ip.dst.version == 4 else "ip6"), _protocol(packet)
    ends = f"{family} saddr {packet.ip.src} {family} daddr {packet.ip.dst}"
    return f"{ends} meta l4proto {protocol}" if packet.dport is None else f"{ends} {protocol} dport {packet.dport}"


_AFTER_CONNTRACK = frozenset({Hook.INPUT, Hook.FORWARD, Hook.OUTPUT, Hook.POSTROUTING})


def _protocol(packet: Packet) -> str:
    protocol = packet.ip.protocol
    return "ipv6-icmp" if protocol is Protocol.ICMPV6 else protocol.name.lower()


def own_rule(failure: Failure) -> Iterator[Change]:
    """Take away a rule of the user's that matched on the way, the last one first."""
    for hop in reversed([hop for leg in failure.branch.legs for hop in leg.hops]):
        netns = failure.world.topology.namespaces[hop.netns]
        if netns.role not in (Role.NODE, Role.EXTERNAL):
            continue
        for step in reversed([step for step in hop.steps if isinstance(step, ChainPass)]):
            for seen in reversed([each for each in step.evaluations if each.matched]):
                origin = seen.ref.rule.origin
                tool = ("iptables" if seen.ref.family == 4 else "ip6tables") + ("-legacy" if step.legacy else "")
                if origin is not None and not isinstance(seen.ref.rule.target, Jump):
                    yield without_rule(netns.label, tool, step.table, origin)


# --- routes -------------------------------------------------------------------------------------------------------


def route_to_pod(failure: Failure) -> Iterator[Change]:
    """Where the packet goes to a pod, a route to its node's pods."""
    yield from _route(failure, of_source=False)


def route_back(failure: Failure) -> Iterator[Change]:
    """A route to where the packet came from."""
    yield from _route(failure, of_source=True)


def _route(failure: Failure, *, of_source: bool) -> Iterator[Change]:
    address = failure.packet.ip.src if of_source else failure.packet.ip.dst
    owner = failure.world.owner_of(address)
    netns = failure.world.topology.namespaces[owner] if owner else None
    if netns is None or netns.role is not Role.POD or netns.node is None:
        return
    node = failure.world.cluster.node(netns.node)
    assert node is not None
    block = next((cidr for cidr in node.pod_cidrs if address in cidr), None)
    via = next((held.ip for held in node.addresses if held.ip.version == address.version), None)
    if block is not None and via is not None:
        passed = (machine for machine in failure.machines if machine != f"node/{node.name}")
        yield from (add_route(machine, StaticRoute(block, via)) for machine in passed)


def own_route(failure: Failure) -> Iterator[Change]:
    """Take away a route that the user gave a machine on the way."""
    cluster, ends = failure.world.cluster, (failure.packet.ip.src, failure.packet.ip.dst)
    for machine in failure.machines:
        role, _, name = machine.partition("/")
        given = cluster.nodes if role == "node" else cluster.external
        routes = next((found.routes for found in given if found.name == name), ())
        for route in routes:
            if any(end.version == route.to.version and end in route.to for end in ends):
                yield without_route(machine, route)


# --- what is remembered ---------------------------------------------------------------------------------------------


def forget(failure: Failure) -> Iterator[Change]:
    """Remove the connection that sent the packet where it went."""
    for leg in failure.branch.legs[:1]:
        for hop in leg.hops:
            netns = failure.world.topology.namespaces[hop.netns]
            if netns.role is not Role.NODE or leg.sent is None:
                continue
            if any(isinstance(step, ConntrackStep) for step in hop.steps):
                yield _forgotten(netns.label, leg.sent)
            if any(isinstance(step, IPVSStep) for step in hop.steps):
                yield _unscheduled(netns.label, leg.sent)


def _forgotten(machine: str, sent: Packet) -> Change:
    protocol = _protocol(sent)
    ends = [f"src={sent.ip.src}", f"dst={sent.ip.dst}", f"sport={sent.sport}", f"dport={sent.dport}"]
    command = f"conntrack -D -p {protocol} --orig-src {sent.ip.src} --orig-dst {sent.ip.dst}"
    ports = f" --sport {sent.sport} --dport {sent.dport}" if sent.dport is not None else ""
    return forget_connection(machine, "conntrack", [protocol, *ends], command + ports)


def _unscheduled(machine: str, sent: Packet) -> Change:
    ends = [f"{sent.ip.src}:{sent.sport}", f"{sent.ip.dst}:{sent.dport}"]
    return forget_connection(
        machine, "ipvs_connections", ends, f"ipvsadm -Lnc | grep '{ends[0]}'  # its timer, towards {ends[1]}"
    )
