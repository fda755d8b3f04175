"""The rules of one service port.

Rules in chains that service ports share ("capture") are written at every sync; a port's own chains only when its Service
changed. Text is as kube-proxy sends it to iptables-restore: a comment of one word has no quotes.
Ref: pkg/proxy/iptables/proxier.go:syncProxyRules(), writeServiceToEndpointRules() (v1.37)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Address
from proxy.endpoint import Endpoint
from proxy.iptables.chains import (
    EXTERNAL_SERVICES,
    MARK_MASQ,
    NODEPORTS,
    PROXY_FIREWALL,
    SERVICES,
    ServiceChains,
    endpoint_chain,
    service_chains,
)
from proxy.iptables.settings import Settings
from proxy.plan import Refusal, ServicePlan

TARGETS = {Refusal.NO_ENDPOINTS: "REJECT", Refusal.NO_LOCAL_ENDPOINTS: "DROP"}


@dataclass(slots=True)
class ServiceRules:
    """The rules of one service port by chain; each text is whole lines.

    ``filter`` and ``nat`` are its part of shared chains; ``own`` its own chains of table nat, in the order in which they
    are named.
    """

    filter: dict[str, str] = field(default_factory=dict)
    nat: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)


def service_rules(plan: ServicePlan, settings: Settings, *, endpoint_comments: bool) -> ServiceRules:
    """Write the rules of a service port. ``endpoint_comments`` is False in large clusters, where rules must be short."""
    return _Writer(plan, settings, endpoint_comments).write()


class _Writer:
    def __init__(self, plan: ServicePlan, settings: Settings, endpoint_comments: bool) -> None:  # noqa: FBT001
        self._plan = plan
        self._port = plan.port
        self._settings = settings
        self._comments = endpoint_comments
        self._name = str(plan.name)
        protocol = plan.port.protocol.lower()
        self._protocol = f"-m {protocol} -p {protocol}"
        self._chains: ServiceChains = service_chains(plan.name)
        self._rules = ServiceRules()
        self._endpoint_chains = {e.text: endpoint_chain(plan.name, e.text) for e in plan.reachable}

    def write(self) -> ServiceRules:
        self._capture_cluster_ip()
        self._capture_external_ips()
        self._capture_vips()
        self._capture_node_port()
        self._accept_health_checks()
        if self._plan.captures_external:
            self._own(self._chains.ext, self._external_chain())
        if self._plan.restricts_sources:
            self._own(self._chains.fw, self._firewall_chain())
        if self._plan.uses_cluster_policy:
            self._own(self._chains.svc, self._policy_chain(self._chains.svc, self._plan.cluster))
        if self._plan.uses_local_policy:
            self._own(self._chains.svl, self._policy_chain(self._chains.svl, self._plan.local))
        for endpoint in self._plan.reachable:
            self._own(self._endpoint_chains[endpoint.text], self._endpoint_chain(endpoint))
        return self._rules

    @property
    def _internal_chain(self) -> str:
        return self._chains.svl if self._port.internal_policy_local else self._chains.svc

    @property
    def _external_policy_chain(self) -> str:
        return self._chains.svl if self._port.external_policy_local else self._chains.svc

    def _own(self, chain: str, rules: Iterator[str]) -> None:
        self._rules.own[chain] = "".join(f"-A {chain} {rule}\n" for rule in rules)

    def _nat(self, chain: str, rule: str) -> None:
        self._rules.nat[chain] = f"{self._rules.nat.get(chain, '')}-A {chain} {rule}\n"

    def _filter(self, chain: str, rule: str) -> None:
        self._rules.filter[chain] = f"{self._rules.filter.get(chain, '')}-A {chain} {rule}\n"

    def _to(self, what: str, destination: Address) -> str:
        """A match for one destination address of the port, with a comment that says what it is."""
        comment = f'-m comment --comment "{self._name} {what}"'
        return f"{comment} {self._protocol} -d {destination} --dport {self._port.port}"

    def _capture_cluster_ip(self) -> None:
        refusal = self._plan.internal_refusal
        if refusal is None:
            self._nat(SERVICES, f"{self._to('cluster IP', self._port.cluster_ip)} -j {self._internal_chain}")
        else:
            self._filter(SERVICES, f"{self._to(refusal.value, self._port.cluster_ip)} -j {TARGETS[refusal]}")

    def _capture_external_ips(self) -> None:
        for address in self._port.external_ips:
            if self._plan.has_endpoints:
                self._nat(SERVICES, f"{self._to('external IP', address)} -j {self._chains.ext}")
            self._refuse_external(address)

    def _capture_vips(self) -> None:
        restricted = self._plan.restricts_sources
        chain = self._chains.fw if restricted else self._chains.ext
        for address in self._port.load_balancer_vips:
            if self._plan.has_endpoints:
                self._nat(SERVICES, f"{self._to('loadbalancer IP', address)} -j {chain}")
            if restricted:
                what = f"traffic not accepted by {self._chains.fw}"
                self._filter(PROXY_FIREWALL, f"{self._to(what, address)} -j DROP")
            self._refuse_external(address)

    def _refuse_external(self, address: Address) -> None:
        refusal = self._plan.external_refusal
        if refusal is not None:
            self._filter(EXTERNAL_SERVICES, f"{self._to(refusal.value, address)} -j {TARGETS[refusal]}")

    def _capture_node_port(self) -> None:
        """Node ports are not subject to source ranges."""
        number = self._port.node_port
        if not number:
            return
        if self._plan.has_endpoints:
            match = f"-m comment --comment {self._name} {self._protocol} --dport {number}"
            self._nat(NODEPORTS, f"{match} -j {self._chains.ext}")
        refusal = self._plan.external_refusal
        if refusal is not None:
            comment = f'-m comment --comment "{self._name} {refusal.value}"'
            match = f"{comment} -m addrtype --dst-type LOCAL {self._protocol} --dport {number}"
            self._filter(EXTERNAL_SERVICES, f"{match} -j {TARGETS[refusal]}")

    def _accept_health_checks(self) -> None:
        number = self._port.health_check_node_port
        if number:
            comment = f'-m comment --comment "{self._name} health check node port"'
            self._filter(NODEPORTS, f"{comment} -m tcp -p tcp --dport {number} -j ACCEPT")

    def _external_chain(self) -> Iterator[str]:
        """What becomes of external traffic: masquerade, or for policy Local the exceptions for local clients."""
        if not self._port.external_policy_local:
            yield f'-m comment --comment "masquerade traffic for {self._name} external destinations" -j {MARK_MASQ}'
        else:
            yield from self._short_circuit()
        if self._plan.external_refusal is None:
            yield f"-j {self._external_policy_chain}"

    def _short_circuit(self) -> Iterator[str]:
        """Pods and the node itself reach an external address as if by way of a load balancer: any endpoint serves them."""
        local = "-m addrtype --src-type LOCAL"
        if self._settings.if_local:
            comment = f'-m comment --comment "pod traffic for {self._name} external destinations"'
            yield f"{comment} {self._settings.if_local} -j {self._chains.svc}"
        yield f'-m comment --comment "masquerade LOCAL traffic for {self._name} external destinations" {local} -j {MARK_MASQ}'
        yield f'-m comment --comment "route LOCAL traffic for {self._name} external destinations" {local} -j {self._chains.svc}'

    def _firewall_chain(self) -> Iterator[str]:
        """Who may pass to the external chain. What does not is dropped in table filter, since it is not DNATed.

        Where the node itself may, so may the VIPs: a node that has a VIP as its own sends from it to itself.
        """
        sources = [str(prefix) for prefix in self._port.source_ranges]
        if self._plan.allows_node:
            sources += [str(vip) for vip in self._port.load_balancer_vips]
        comment = f'-m comment --comment "{self._name} loadbalancer IP"'
        for source in sources:
            yield f"{comment} -s {source} -j {self._chains.ext}"
        yield f'-m comment --comment "other traffic to {self._name} will be dropped by KUBE-PROXY-FIREWALL"'

    def _policy_chain(self, chain: str, endpoints: Sequence[Endpoint]) -> Iterator[str]:
        """Who is masqueraded on the way to the cluster IP; then affinity; then an even choice."""
        if chain == self._internal_chain and self._plan.internal_refusal is None:
            yield from self._masquerade_internal()
        if self._port.affinity_seconds is not None:
            for endpoint in endpoints:
                yield self._affine(endpoint, self._port.affinity_seconds)
        count = len(endpoints)
        for position, endpoint in enumerate(endpoints):
            chance = f"-m statistic --mode random --probability {probability(count - position)} "
            last = position == count - 1
            yield f"{self._arrow(endpoint)}{'' if last else chance}-j {self._endpoint_chains[endpoint.text]}"

    def _masquerade_internal(self) -> Iterator[str]:
        match = self._to("cluster IP", self._port.cluster_ip)
        if self._settings.masquerade_all:
            yield f"{match} -j {MARK_MASQ}"
        elif self._settings.if_not_local:
            yield f"{match} {self._settings.if_not_local} -j {MARK_MASQ}"

    def _affine(self, endpoint: Endpoint, seconds: int) -> str:
        chain = self._endpoint_chains[endpoint.text]
        recent = f"-m recent --name {chain} --rcheck --seconds {seconds} --reap"
        return f"{self._arrow(endpoint)}{recent} -j {chain}"

    def _arrow(self, endpoint: Endpoint) -> str:
        return f'-m comment --comment "{self._name} -> {endpoint.text}" ' if self._comments else ""

    def _endpoint_chain(self, endpoint: Endpoint) -> Iterator[str]:
        """Masquerade what an endpoint sends to itself; remember its client; DNAT."""
        comment = f"-m comment --comment {self._name} " if self._comments else ""
        yield f"{comment}-s {endpoint.ip} -j {MARK_MASQ}"
        chain = self._endpoint_chains[endpoint.text]
        remember = f"-m recent --name {chain} --set " if self._port.affinity_seconds is not None else ""
        yield f"{comment}{remember}{self._protocol} -j DNAT --to-destination {endpoint.text}"


def probability(remaining: int) -> str:
    """The chance of the first of ``remaining`` endpoints, as kube-proxy writes it."""
    return f"{1 / remaining:.10f}"
