"""The chains, sets, elements and rules of one service port.

Ref: pkg/proxy/nftables/proxier.go:syncProxyRules(), writeServiceToEndpointRules() (v1.37)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Address
from proxy.endpoint import Endpoint
from proxy.nftables.elements import Element
from proxy.nftables.names import (
    CLUSTER_IPS,
    FIREWALL_IPS,
    HAIRPIN_CONNECTIONS,
    NO_ENDPOINT_NODE_PORTS,
    NO_ENDPOINT_SERVICES,
    REJECT,
    SERVICE_IPS,
    SERVICE_NODE_PORTS,
    TABLE,
    EndpointNames,
    endpoint_names,
    service_chains,
)
from proxy.nftables.settings import Settings
from proxy.plan import Refusal, ServicePlan

VERDICTS = {Refusal.NO_ENDPOINTS: f"goto {REJECT}", Refusal.NO_LOCAL_ENDPOINTS: "drop"}


@dataclass(slots=True)
class ServiceObjects:
    """What one service port needs in the table.

    ``chains`` are its chains' rules (whole lines) by name, ``affinity`` the timeouts (seconds) of its affinity sets by
    name. ``statements`` make all of it in kube-proxy's order: text as it stands, and elements, for which the backend has
    to look at what others ask for.
    """

    chains: dict[str, str] = field(default_factory=dict)
    affinity: dict[str, int] = field(default_factory=dict)
    statements: list[str | Element] = field(default_factory=list)


def service_objects(plan: ServicePlan, settings: Settings) -> ServiceObjects:
    """Write what a service port needs."""
    return _Writer(plan, settings).write()


class _Writer:
    def __init__(self, plan: ServicePlan, settings: Settings) -> None:
        self._plan = plan
        self._port = plan.port
        self._settings = settings
        self._where = f"{settings.ip} {TABLE}"
        self._protocol = plan.port.protocol.lower()
        self._tail = f" . {self._protocol} . {plan.port.port}"
        self._name = str(plan.name)
        self._chains = service_chains(plan.name)
        self._endpoints: dict[str, EndpointNames] = {}
        self._objects = ServiceObjects()

    def write(self) -> ServiceObjects:
        self._note_endpoints()
        self._ensure_chains()
        self._capture_cluster_ip()
        self._capture_external_ips()
        self._capture_vips()
        self._capture_node_port()
        self._write_external_chain()
        self._write_firewall_chain()
        self._declare_affinity_sets()
        self._write_policy_chains()
        self._write_endpoint_chains()
        return self._objects

    @property
    def _internal_chain(self) -> str:
        return self._chains.local if self._port.internal_policy_local else self._chains.service

    @property
    def _external_policy_chain(self) -> str:
        return self._chains.local if self._port.external_policy_local else self._chains.service

    @property
    def _restricts_sources(self) -> bool:
        """Unlike in the other modes, with no endpoint too: a source that may not come is dropped and not rejected."""
        return bool(self._port.load_balancer_vips) and bool(self._port.source_ranges)

    def _ensure(self, chain: str) -> None:
        self._objects.chains[chain] = ""
        self._objects.statements.append(f"add chain {self._where} {chain}\nflush chain {self._where} {chain}\n")

    def _element(self, container: str, key: str, value: str = "", comment: str = "") -> None:
        self._objects.statements.append(Element(container, key, value, comment))

    def _rules(self, chain: str, rules: Iterator[str]) -> None:
        text = "".join(f"add rule {self._where} {chain} {rule}\n" for rule in rules)
        self._objects.chains[chain] += text
        self._objects.statements.append(text)

    def _note_endpoints(self) -> None:
        """Endpoints have chains with affinity only, since only then a rule has to lead to one that is known.

        An endpoint of this node may get its own request back; its connections to itself are told by the hairpin set.
        """
        sticky = self._port.affinity_seconds is not None
        for endpoint in self._plan.reachable:
            if sticky:
                names = endpoint_names(self._plan.name, endpoint.ip, endpoint.port)
                self._endpoints[endpoint.text] = names
                self._ensure(names.chain)
            if endpoint.local:
                key = f"{endpoint.ip} . {endpoint.ip} . {self._protocol} . {endpoint.port}"
                self._element(HAIRPIN_CONNECTIONS, key)

    def _ensure_chains(self) -> None:
        if self._plan.uses_cluster_policy:
            self._ensure(self._chains.service)
        if self._plan.uses_local_policy:
            self._ensure(self._chains.local)
        if self._plan.captures_external:
            self._ensure(self._chains.external)

    def _capture_cluster_ip(self) -> None:
        address = str(self._port.cluster_ip)
        refusal = self._plan.internal_refusal
        self._element(CLUSTER_IPS, address)
        if refusal is None:
            self._element(SERVICE_IPS, f"{address}{self._tail}", f"goto {self._internal_chain}")
        else:
            self._element(NO_ENDPOINT_SERVICES, f"{address}{self._tail}", VERDICTS[refusal], self._name)

    def _capture_external_ips(self) -> None:
        for address in self._port.external_ips:
            self._capture_external(address)
            self._refuse_external(address)

    def _capture_vips(self) -> None:
        vips = self._port.load_balancer_vips
        if self._restricts_sources:
            self._ensure(self._chains.firewall)
        for address in vips:
            self._capture_external(address)
            if self._restricts_sources:
                self._element(FIREWALL_IPS, f"{address}{self._tail}", f"goto {self._chains.firewall}")
        for address in vips:
            self._refuse_external(address)

    def _capture_external(self, address: Address) -> None:
        if self._plan.has_endpoints:
            self._element(SERVICE_IPS, f"{address}{self._tail}", f"goto {self._chains.external}")

    def _refuse_external(self, address: Address) -> None:
        refusal = self._plan.external_refusal
        if refusal is not None:
            self._element(NO_ENDPOINT_SERVICES, f"{address}{self._tail}", VERDICTS[refusal], self._name)

    def _capture_node_port(self) -> None:
        """Node ports are not subject to source ranges."""
        if not self._port.node_port:
            return
        key = f"{self._protocol} . {self._port.node_port}"
        refusal = self._plan.external_refusal
        if self._plan.has_endpoints:
            self._element(SERVICE_NODE_PORTS, key, f"goto {self._chains.external}")
        if refusal is not None:
            self._element(NO_ENDPOINT_NODE_PORTS, key, VERDICTS[refusal], self._name)

    def _write_external_chain(self) -> None:
        if self._plan.captures_external:
            self._rules(self._chains.external, self._external_rules())

    def _external_rules(self) -> Iterator[str]:
        """What becomes of external traffic: masquerade, or for policy Local the exceptions for local clients."""
        if not self._port.external_policy_local:
            yield f'{self._settings.masquerade} comment "masquerade"'
        else:
            yield from self._short_circuit()
        if self._plan.external_refusal is None:
            yield f"goto {self._external_policy_chain}"

    def _short_circuit(self) -> Iterator[str]:
        """Pods and the node itself reach an external address as if by way of a load balancer: any endpoint serves them."""
        service = self._chains.service
        if self._settings.if_local:
            yield f'{self._settings.if_local} goto {service} comment "short-circuit pod traffic"'
        yield f'fib saddr type local {self._settings.masquerade} comment "masquerade local traffic"'
        yield f'fib saddr type local goto {service} comment "short-circuit local traffic"'

    def _write_firewall_chain(self) -> None:
        """Drop who may not pass; the map leads here before DNAT, and who passes goes on to the nat chains.

        Where the node itself may pass, so may the VIPs: a node that has a VIP as its own sends from it to itself.
        """
        if not self._restricts_sources:
            return
        sources = [str(prefix) for prefix in self._port.source_ranges]
        if self._plan.allows_node:
            sources += [str(vip) for vip in self._port.load_balancer_vips]
        rule = f"{self._settings.ip} saddr != {{ {' , '.join(sources)} }} drop"
        self._rules(self._chains.firewall, iter((rule,)))

    def _declare_affinity_sets(self) -> None:
        """One set for each endpoint, of the clients that stick to it. Their time starts anew with each connection."""
        seconds = self._port.affinity_seconds
        if seconds is None:
            return
        for names in self._endpoints.values():
            self._objects.affinity[names.affinity] = seconds
            self._objects.statements.append(affinity_set(self._settings, names.affinity, seconds))

    def _write_policy_chains(self) -> None:
        if self._plan.uses_cluster_policy:
            self._rules(self._chains.service, self._policy_rules(self._plan.cluster))
        if self._plan.uses_local_policy:
            self._rules(self._chains.local, self._policy_rules(self._plan.local))

    def _policy_rules(self, endpoints: Sequence[Endpoint]) -> Iterator[str]:
        """An even choice, in one rule; with affinity first whom the client had before."""
        if self._port.affinity_seconds is not None:
            yield from self._sticky_rules([self._endpoints[e.text] for e in endpoints])
        elif len(endpoints) == 1:
            yield f"meta l4proto {self._protocol} dnat to {endpoints[0].text}"
        else:
            choice = " , ".join([f"{i} : {e.ip} . {e.port}" for i, e in enumerate(endpoints)])
            to = f"{self._settings.ip} addr . port to numgen random mod {len(endpoints)} map {{ {choice} }}"
            yield f"meta l4proto {self._protocol} dnat {to}"

    def _sticky_rules(self, endpoints: Sequence[EndpointNames]) -> Iterator[str]:
        for names in endpoints:
            yield f"{self._settings.ip} saddr @{names.affinity} goto {names.chain}"
        choice = " , ".join([f"{i} : goto {names.chain}" for i, names in enumerate(endpoints)])
        yield f"numgen random mod {len(endpoints)} vmap {{ {choice} }}"

    def _write_endpoint_chains(self) -> None:
        for text, names in self._endpoints.items():
            remember = f"update @{names.affinity} {{ {self._settings.ip} saddr }}"
            translate = f"meta l4proto {self._protocol} dnat to {text}"
            self._rules(names.chain, iter((remember, translate)))


def affinity_set(settings: Settings, name: str, seconds: int) -> str:
    """The declaration of an affinity set; its elements live for ``seconds`` after they were last updated."""
    timeout = f"flags dynamic,timeout ; timeout {seconds}s ;"
    return f"add set {settings.ip} {TABLE} {name} {{ type {settings.address_type} ; {timeout} }}\n"
