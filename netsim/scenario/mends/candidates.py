"""Which changes may mend which reason. They are only proposals: what is told was tried first (``search``).

The narrower change stands before the wider one; of proposals that are equally small the search keeps this order.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain

from netsim.net.address import parse_address
from netsim.net.packet import Packet, Protocol
from netsim.objects.cluster import FORWARDING_SYSCTLS, StaticRoute
from netsim.objects.core import Pod
from netsim.objects.json import Json
from netsim.objects.meta import Key
from netsim.rules.xtables.ast import Jump
from netsim.scenario.mends.changes import (
    Change,
    add_route,
    forget_connection,
    iptables_rule,
    nft_rule,
    patch_object,
    set_cni,
    set_kube_proxy,
    set_sysctl,
    without_route,
    without_rule,
)
from netsim.scenario.mends.failure import Failure
from netsim.stack.steps import ChainPass, ConntrackStep, Hook, IPVSStep, NftChainPass
from netsim.topology.model import Role
from netsim.topology.sysctl import known
from proxy.config.model import ProxyMode

Proposer = Callable[[Failure], Iterable[Change]]

# --- Services -----------------------------------------------------------------------------------------------------

OF_CONTROLLERS = frozenset(
    # labels that a controller gives each pod, and no selector of a Service should name
    {
        "pod-template-hash",
        "controller-revision-hash",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
    }
)


def selector(failure: Failure) -> Iterator[Change]:
    """Let the Service select pods that are there."""
    service = failure.service
    if service is None or not service.spec.selector:
        return
    pods = list(failure.neighbours_in_namespace())
    if any(service.spec.selector.items() <= pod.metadata.labels.items() for pod in pods):
        return
    seen: list[dict[str, str]] = []
    for pod in sorted(pods, key=lambda pod: -len(service.spec.selector.keys() & pod.metadata.labels.keys())):
        labels = {key: value for key, value in pod.metadata.labels.items() if key not in OF_CONTROLLERS}
        wanted = {key: labels[key] for key in service.spec.selector if key in labels} or labels
        if wanted and wanted not in seen:
            seen.append(wanted)
            said = ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))
            operation: dict[str, Json] = {
                "op": "replace",
                "path": "/spec/selector",
                "value": dict(sorted(wanted.items())),
            }
            yield patch_object(failure.service_key, [operation], f"let {_name(failure)} select {said}")


def target_port(failure: Failure) -> Iterator[Change]:
    """Let the Service send its port to one that its pods listen on."""
    asked, service = failure.service_port, failure.service
    if asked is None or service is None:
        return
    index, port = asked
    addresses = [failure.packet.ip.dst] if failure.packet.ip.dst != failure.flow.destination else []
    selected = (
        p for p in failure.neighbours_in_namespace() if service.spec.selector.items() <= p.metadata.labels.items()
    )
    addresses += [address for pod in selected for address in map(parse_address, (ip.ip for ip in pod.status.pod_ips))]
    for number in dict.fromkeys(chain.from_iterable(map(failure.listened_at, addresses))):
        operation: dict[str, Json] = {"op": "replace", "path": f"/spec/ports/{index}/targetPort", "value": number}
        yield patch_object(
            failure.service_key, [operation], f"let port {port.port} of {_name(failure)} have targetPort {number}"
        )


def another_port(failure: Failure) -> Iterator[Change]:
    """Give the Service the port that was asked."""
    service = failure.service
    if service is None or failure.icmp or failure.service_port is not None or not service.spec.ports:
        return
    if str(failure.flow.destination) not in service.spec.cluster_ips:
        return
    protocol = failure.flow.protocol.name
    like = next((port for port in service.spec.ports if port.protocol == protocol), None)
    if like is None:
        return
    added: dict[str, Json] = {"name": f"port-{failure.flow.dport}", "port": failure.flow.dport, "protocol": protocol}
    added["targetPort"] = like.port if like.target_port is None else like.target_port
    operations: list[dict[str, Json]] = [{"op": "add", "path": "/spec/ports/-", "value": added}]
    operations += [
        {"op": "add", "path": f"/spec/ports/{n}/name", "value": f"port-{port.port}"}
        for n, port in enumerate(service.spec.ports)
        if not port.name
    ]
    yield patch_object(
        failure.service_key,
        operations,
        f"give {_name(failure)} the port {failure.flow.dport}, with the targetPort of its port {like.port}",
    )


def traffic_policy(failure: Failure) -> Iterator[Change]:
    """Let the Service use endpoints of other nodes."""
    if failure.service is None:
        return
    spec = failure.world.objects[failure.service_key].document.get("spec")
    for field in ("externalTrafficPolicy", "internalTrafficPolicy"):
        if isinstance(spec, Mapping) and spec.get(field) == "Local":
            operation: dict[str, Json] = {"op": "replace", "path": f"/spec/{field}", "value": "Cluster"}
            yield patch_object(failure.service_key, [operation], f"set {field} of {_name(failure)} to Cluster")


def source_range(failure: Failure) -> Iterator[Change]:
    """Let the source into the Service's ranges."""
    if failure.service is not None:
        own = str(ipaddress.ip_network(failure.packet.ip.src))
        operation: dict[str, Json] = {"op": "add", "path": "/spec/loadBalancerSourceRanges/-", "value": own}
        yield patch_object(
            failure.service_key, [operation], f"add {own} to loadBalancerSourceRanges of {_name(failure)}"
        )


def host_port(failure: Failure) -> Iterator[Change]:
    """Take the port of the node away from the pod that got the packet."""
    for pod in failure.world.pods():
        if failure.world.pod_netns(pod) != failure.finding.ending.hop.netns:
            continue
        for at, container in enumerate(pod.spec.containers):
            for n, port in enumerate(container.ports):
                if port.host_port == failure.flow.dport:
                    path = f"/spec/containers/{at}/ports/{n}/hostPort"
                    key = Key("Pod", pod.metadata.namespace, pod.metadata.name)
                    words = f"take hostPort {port.host_port} away from pod {_pod(pod)}"
                    yield patch_object(key, [{"op": "remove", "path": path}], words)


def _name(failure: Failure) -> str:
    return f"{failure.service_key.namespace}/{failure.service_key.name}"


def _pod(pod: Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"


# --- the kernel's parameters -----------------------------------------------------------------------------------


def sysctl(name: str, value: str, *, everywhere: bool = False) -> Proposer:
    """A parameter where the packet ended, or on each node. ``{dev}`` is the device that it came in by."""

    def propose(failure: Failure) -> Iterator[Change]:
        machines = failure.nodes if everywhere else [failure.machine] if failure.machine else []
        filled = name.format(dev=failure.received_on or "all")
        return (set_sysctl(machine, filled, value) for machine in machines)

    return propose


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


# --- kube-proxy and the network plugin --------------------------------------------------------------------------


def kube_proxy(path: tuple[str, ...], value: Json) -> Proposer:
    """A field of kube-proxy's configuration."""
    return lambda _: [set_kube_proxy(path, value)]


def masquerade_all(failure: Failure) -> Iterator[Change]:
    """Let kube-proxy masquerade everything that comes to a Service."""
    of_nftables = any(proxy.configuration.mode is ProxyMode.NFTABLES for proxy in failure.world.proxies.values())
    yield set_kube_proxy(("nftables" if of_nftables else "iptables", "masqueradeAll"), value=True)


def node_port_addresses(failure: Failure) -> Iterator[Change]:
    """Let kube-proxy take node ports on every address."""
    if failure.service_port is not None:
        yield set_kube_proxy(("nodePortAddresses",), ["0.0.0.0/0", "::/0"])


def hairpin(failure: Failure) -> Iterator[Change]:
    """Let the bridge send a frame back by the port that it came in by."""
    command = f"ip link set {failure.received_on} type bridge_slave hairpin on"
    yield set_cni("let the bridge plugin set hairpinMode", command, lambda cni: replace(cni, hairpin=True))


def pod_mtu(failure: Failure) -> Iterator[Change]:
    """Give pods the MTU that the network between the nodes leaves them."""
    fitting = replace(failure.world.cluster.cni, mtu=None).pod_mtu(
        {cidr.version for cidr in failure.world.cluster.pod_cidrs}
    )
    words = f"give pods the MTU {fitting}"
    yield set_cni(
        words, f'"mtu": {fitting} in the CNI configuration, then restart the pods', lambda cni: replace(cni, mtu=None)
    )


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
        machine, "ipvs_connections", ends, f"ipvsadm -Lnc  # {ends[0]} → {ends[1]}: wait for its timer"
    )


# --- the table ------------------------------------------------------------------------------------------------------

_LIBERAL = (
    sysctl("net.netfilter.nf_conntrack_tcp_be_liberal", "1"),
    kube_proxy(("conntrack", "tcpBeLiberal"), value=True),
)

PROPOSERS: Mapping[str, tuple[Proposer, ...]] = {
    # reason (without REPLY_): what may mend it
    "NO_ENDPOINTS": (selector, target_port),
    "IPVS_NO_DESTINATION": (selector, target_port),
    "PORT_CLOSED": (target_port,),
    "NO_LOCAL_ENDPOINTS": (traffic_policy,),
    "SOURCE_RANGE_DENIED": (source_range,),
    "VIP_PORT_NOT_SERVED": (another_port,),
    "CLUSTER_IP_PORT_UNKNOWN": (another_port,),
    "LEFT_MODEL": (forget, route_to_pod, another_port),
    "REPLY_LEFT_MODEL": (route_to_pod,),
    "NO_ROUTE": (route_to_pod,),
    "ROUTE_UNREACHABLE": (route_to_pod,),
    "ROUTE_BLACKHOLE": (route_to_pod,),
    "NEIGHBOUR_FAILED": (forget, route_to_pod),
    "NEIGHBOUR_TABLE_FULL": (larger_table("net.ipv{version}.neigh.default.gc_thresh3", 1024),),
    "CONNTRACK_FULL": (larger_table("net.netfilter.nf_conntrack_max", 262144),),
    "CONNTRACK_CLASH": (forget,),
    "INVALID_STATE_DROP": (*_LIBERAL, accept),
    "RULE_REJECT": (own_rule, accept),
    "RULE_DROP": (own_route, own_rule, accept),
    "POLICY_DROP": (accept,),
    "NODE_PORT_CLOSED": (node_port_addresses, sysctl("net.ipv4.conf.all.route_localnet", "1")),
    "ARRIVED_ELSEWHERE": (host_port,),
    "REPLY_NOT_TRANSLATED_BACK": (*_LIBERAL,),
    "REPLY_FROM_OTHER_PEER": (
        sysctl("net.bridge.bridge-nf-call-iptables", "1", everywhere=True),
        traffic_policy,
        masquerade_all,
    ),
    "REPLY_TO_OTHER_HOST": (masquerade_all,),
    "MARTIAN_SOURCE": (masquerade_all,),
    "IP_FORWARDING_OFF": (forwarding,),
    "RP_FILTER": (sysctl("net.ipv4.conf.{dev}.rp_filter", "2"), route_back),
    "HAIRPIN_OFF": (hairpin,),
    "PACKET_TOO_BIG": (pod_mtu,),
    "IPVS_DESTINATION_GONE": (forget, sysctl("net.ipv4.vs.expire_nodest_conn", "1")),
    "IPVS_RESCHEDULED": (forget, sysctl("net.ipv4.vs.conn_reuse_mode", "0")),
    "NO_CONNECTION": _LIBERAL,
}


LAST_RESORTS: tuple[Proposer, ...] = (own_route, own_rule, own_sysctl)
"""What may be unusual on the way, whatever the reason: what the user set up beside Kubernetes, taken away piece by piece."""


def proposed(failure: Failure) -> Iterator[Change]:
    """Every change that may mend a failure, the best first, each once."""
    proposers = (*PROPOSERS.get(failure.code, ()), *LAST_RESORTS)
    return iter(dict.fromkeys(chain.from_iterable(propose(failure) for propose in proposers)))
