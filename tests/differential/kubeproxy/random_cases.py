"""Random cases for kube-proxy: a node, a configuration, and steps of objects that come, change and go.

Drawn wider than the recorded cases: both families, every local-traffic detector, ``nodePortAddresses``, hints for zones and nodes,
several slices with one endpoint in different states, addresses of the wrong family and in odd spellings, Services that kube-proxy
passes by. Objects are as an API server stores them. No two Services have an address and port in common, and no two slices an
endpoint: which of them wins depends on the order of a Go map.
"""

from __future__ import annotations

import copy
from random import Random
from typing import Any

Object = dict[str, Any]

_FAMILIES = (("IPv4",), ("IPv4",), ("IPv6",), ("IPv4", "IPv6"), ("IPv6", "IPv4"))
_NODE = {"IPv4": ("192.168.0.11", "172.16.0.11"), "IPv6": ("fd00:192:168::11", "fd00:172::11")}
_POD_CIDR = {"IPv4": "10.244.0.0/16", "IPv6": "fd00:10:244::/48"}
_NODE_POD_CIDR = {"IPv4": "10.244.1.0/24", "IPv6": "fd00:10:244:1::/64"}
_SERVICE_CIDR = {"IPv4": "10.96.0.0/12", "IPv6": "fd00:10:96::/112"}
_ZONES = ("a", "b", "")
_PROTOCOLS = ("TCP", "TCP", "UDP", "SCTP")
_CONDITIONS = (
    {"ready": True, "serving": True, "terminating": False},
    {"ready": True, "serving": True, "terminating": False},
    {"ready": True, "serving": True, "terminating": False},
    {"ready": False, "serving": False, "terminating": False},
    {"ready": False, "serving": True, "terminating": True},
    {"ready": False, "serving": False, "terminating": True},
    {"ready": True},
    {"ready": False},
    {},
)
_NODE_PORT_ADDRESSES = {
    "IPv4": (["192.168.0.0/24"], ["172.16.0.11/32"], ["127.0.0.0/8"], ["0.0.0.0/0"], ["198.18.0.0/15"]),
    "IPv6": (["fd00:192:168::/64"], ["fd00:172::11/128"], ["::1/128"], ["::/0"], ["fd00:198::/64"]),
}
_SOURCE_RANGES = {
    "IPv4": ("192.0.2.0/24", "10.0.0.0/8", "0.0.0.0/0", "192.168.0.11/32", " 198.51.100.0/24"),
    "IPv6": ("2001:db8::/32", "fd00::/8", "::/0", "fd00:192:168::11/128", " 2001:db8:9::/48"),
}
_HOST = {"IPv4": "/32", "IPv6": "/128"}
_LOAD_BALANCER = {"IPv4": "203.0.113.{}", "IPv6": "2001:db8:7::{:x}"}
_EXTERNAL = {"IPv4": "198.51.100.{}", "IPv6": "2001:db8:5::{:x}"}


class Draw:
    """The case of a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.families = self.random.choice(_FAMILIES)
        self.services: dict[str, Object] = {}
        self.slices: dict[str, Object] = {}
        self.taken = 0
        self.on_host = 0
        self.node_ports: set[int] = set()
        self.special = ["192.168.0.11", "fd00:192:168::11", "10.244.1.4"]

    def chance(self, of: float) -> bool:
        return self.random.random() < of

    def case(self) -> tuple[Object, list[Object]]:
        """``case.yaml`` and the steps, as values."""
        pick = self.random
        labels = {"topology.kubernetes.io/zone": zone} if (zone := pick.choice(_ZONES)) else {}
        several = self.chance(0.3)
        addresses = [
            {"type": "InternalIP", "address": address}
            for family in self.families
            for address in _NODE[family][: 2 if several else 1]
        ]
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "node1", "labels": {**labels, "kubernetes.io/hostname": "node1"}},
            "spec": {"podCIDRs": [_NODE_POD_CIDR[family] for family in self.families] if self.chance(0.6) else []},
            "status": {"addresses": addresses},
        }
        case = {
            "node": node,
            "serviceCIDRs": [_SERVICE_CIDR[family] for family in self.families],
            "kubeProxy": self.configuration(),
            "sysctls": {"net.netfilter.nf_conntrack_tcp_be_liberal": 1} if self.chance(0.1) else {},
            "modes": ["iptables", "ipvs", "nftables"],
        }
        return case, [self.step(number) for number in range(pick.randint(1, 5))]

    def configuration(self) -> Object:
        pick = self.random
        masquerade_all, bit = self.chance(0.15), pick.choice((14, 14, 14, 7, 31, 0))
        cidrs = [_POD_CIDR[family] for family in self.families]
        configuration: Object = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "MODE",
            "hostnameOverride": "node1",
            "clusterCIDR": pick.choice((",".join(cidrs), ",".join(cidrs), cidrs[0], "")),
            "detectLocalMode": pick.choice(
                ("ClusterCIDR", "ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix", "")
            ),
            "detectLocal": {"bridgeInterface": "cni0", "interfaceNamePrefix": "veth"},
            "iptables": {
                "localhostNodePorts": self.chance(0.7),
                "masqueradeAll": masquerade_all,
                "masqueradeBit": bit,
            },
            "ipvs": {
                "scheduler": pick.choice(("rr", "", "sh", "mh", "lc", "wrr")),
                "strictARP": self.chance(0.2),
                "excludeCIDRs": ["10.97.0.0/16"] if self.chance(0.1) else [],
            },
            "nftables": {"masqueradeAll": masquerade_all, "masqueradeBit": bit},
        }
        if self.chance(0.45):
            configuration["nodePortAddresses"] = self.node_port_addresses()
        if self.chance(0.1):
            configuration["bindAddress"] = pick.choice(
                ("0.0.0.0", "::", *(_NODE[family][1] for family in self.families))
            )
        if self.chance(0.1):
            configuration["hostnameOverride"] = "node2"
        return configuration

    def node_port_addresses(self) -> list[str]:
        if self.chance(0.25):
            return self.random.choice((["primary"], ["localhost"], ["all"], ["primary", "localhost"]))
        return [
            cidr
            for family in self.families
            if self.chance(0.8)
            for cidr in self.random.choice(_NODE_PORT_ADDRESSES[family])
        ]

    # --- steps ---------------------------------------------------------------------------------------------------

    def step(self, number: int) -> Object:
        delete: list[Object] = []
        apply: list[Object] = []
        for _ in range(self.random.randint(1, 6) if number == 0 else self.random.randint(0, 3)):
            change = self.random.choice(
                (self.add,)
                if number == 0
                else (self.add, self.change, self.change, self.remove, self.endpoints, self.endpoints)
            )
            change(delete, apply)
        return {"delete": delete, "apply": copy.deepcopy(apply)}

    def spelled(self, address: str) -> str:
        """An address, now and then in another spelling that Go's sloppy parser takes."""
        if not self.chance(0.05) or address.endswith("org"):
            return address
        if ":" in address:
            return address.upper()
        return ".".join(f"{int(part):03d}" for part in address.split("."))

    def add(self, delete: list[Object], apply: list[Object]) -> None:
        del delete
        self.taken += 1
        name = f"{self.random.choice(('web', 'db', 'auth'))}-{self.taken}"
        service = self.services[name] = self.service(name, self.taken)
        apply.append(service)
        for _ in range(self.random.choice((0, 1, 1, 1, 2))):
            apply.append(self.slice(name, service))

    def change(self, delete: list[Object], apply: list[Object]) -> None:
        if not self.services:
            return self.add(delete, apply)
        name = self.random.choice(sorted(self.services))
        old = self.services[name]
        new = self.service(name, int(name.rpartition("-")[2]))
        if self.chance(0.5):
            new["spec"]["ports"] = old["spec"].get("ports", new["spec"].get("ports", []))
        self.services[name] = new
        apply.append(new)
        return None

    def remove(self, delete: list[Object], apply: list[Object]) -> None:
        del apply
        if not self.services:
            return
        name = self.random.choice(sorted(self.services))
        del self.services[name]
        delete.append({"kind": "Service", "namespace": "default", "name": name})
        if self.chance(0.8):
            for item in [key for key in self.slices if key.startswith(f"{name}-")]:
                del self.slices[item]
                delete.append({"kind": "EndpointSlice", "namespace": "default", "name": item})

    def endpoints(self, delete: list[Object], apply: list[Object]) -> None:
        if not self.slices or not self.services:
            return self.add(delete, apply)
        name = self.random.choice(sorted(self.slices))
        owner = self.slices[name]["metadata"]["labels"].get("kubernetes.io/service-name", "")
        if self.chance(0.2) or owner not in self.services:
            del self.slices[name]
            delete.append({"kind": "EndpointSlice", "namespace": "default", "name": name})
            return None
        changed = copy.deepcopy(self.slices[name])
        if self.chance(0.3):
            changed["ports"] = self.slice_ports(self.services[owner])
        changed["endpoints"] = [item for item in changed["endpoints"] if self.chance(0.8)]
        for item in changed["endpoints"]:
            if self.chance(0.3):
                item["conditions"] = self.random.choice(_CONDITIONS)
        if self.chance(0.5):
            changed["endpoints"].append(self.endpoint(changed["addressType"], int(name.rpartition("-")[2])))
        self.slices[name] = changed
        apply.append(changed)
        return None

    # --- objects ---------------------------------------------------------------------------------------------------

    def service(self, name: str, number: int) -> Object:
        pick = self.random
        metadata: Object = {"name": name, "namespace": "default"}
        if self.chance(0.05):
            metadata["labels"] = {"service.kubernetes.io/service-proxy-name": "another"}
        if self.chance(0.05):
            return {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"type": "ExternalName", "externalName": "example.org", "sessionAffinity": "None"},
            }
        families = list(self.families) if self.chance(0.6) else [pick.choice(self.families)]
        pick.shuffle(families)
        cluster_ips = [
            f"10.96.{pick.randint(0, 9)}.{number}" if family == "IPv4" else f"fd00:10:96::{number:x}"
            for family in families
        ]
        headless = self.chance(0.06)
        kind = "ClusterIP" if headless else pick.choice(("ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer"))
        spec: Object = {
            "type": kind,
            "clusterIP": "None" if headless else cluster_ips[0],
            "clusterIPs": ["None"] if headless else cluster_ips,
            "ipFamilies": families,
            "ipFamilyPolicy": "SingleStack" if len(families) == 1 else "PreferDualStack",
            "internalTrafficPolicy": pick.choice(("Cluster", "Cluster", "Local")),
            "sessionAffinity": "None",
            "ports": self.ports(kind),
        }
        if self.chance(0.3):
            spec["sessionAffinity"] = "ClientIP"
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": pick.choice((10800, 60, 1))}}
        if self.chance(0.3):
            spec["externalIPs"] = [
                self.spelled(address)
                for family in self.families
                for address in self.own(_EXTERNAL[family], number, pick.randint(0, 2))
            ]
            if self.chance(0.1) and self.special:
                spec["externalIPs"].append(self.special.pop())
        if self.chance(0.3):
            spec["trafficDistribution"] = pick.choice(("PreferClose", "PreferSameZone", "PreferSameNode"))
        if kind != "ClusterIP" or spec.get("externalIPs"):
            spec["externalTrafficPolicy"] = pick.choice(("Cluster", "Cluster", "Local"))
        if self.chance(0.04) and len(families) == 1:
            for key in ("ipFamilies", "ipFamilyPolicy", "clusterIPs"):
                del spec[key]
        service: Object = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
        if kind == "LoadBalancer":
            self.load_balancer(service, number)
        return service

    def load_balancer(self, service: Object, number: int) -> None:
        pick = self.random
        spec = service["spec"]
        spec["allocateLoadBalancerNodePorts"] = self.chance(0.8)
        if not spec["allocateLoadBalancerNodePorts"]:
            for port in spec["ports"]:
                port.pop("nodePort", None)
        if spec["externalTrafficPolicy"] == "Local":
            spec["healthCheckNodePort"] = 32000 + number
        if self.chance(0.4):
            spec["loadBalancerSourceRanges"] = [
                cidr
                for family in self.families
                for cidr in pick.sample(
                    (*_SOURCE_RANGES[family], self.own(_LOAD_BALANCER[family], number, 1)[0] + _HOST[family]),
                    pick.randint(0, 3),
                )
            ]
        ingress: list[Object] = []
        for family in self.families:
            for address in self.own(_LOAD_BALANCER[family], number, pick.choice((0, 1, 1, 2))):
                ingress.append({"ip": self.spelled(address), "ipMode": pick.choice(("VIP", "VIP", "Proxy"))})
        if self.chance(0.1):
            ingress = [{"hostname": "lb.example.org"}]
        service["status"] = {"loadBalancer": {"ingress": ingress} if ingress else {}}

    @staticmethod
    def own(form: str, number: int, count: int) -> list[str]:
        """The first of the two addresses that a Service's number gives it."""
        return [form.format(2 * number), form.format(2 * number + 1)][:count]

    def ports(self, kind: str) -> list[Object]:
        pick = self.random
        count = pick.choice((1, 1, 2, 3))
        ports = []
        for index in range(count):
            port: Object = {
                "port": 80 + index if self.chance(0.8) else 80,
                "protocol": pick.choice(_PROTOCOLS),
                "targetPort": pick.choice((8080 + index, "http")),
            }
            if any((other["port"], other["protocol"]) == (port["port"], port["protocol"]) for other in ports):
                port["port"] = 90 + index
            if count > 1 or self.chance(0.5):
                port["name"] = f"p{index}"
            if kind != "ClusterIP":
                port["nodePort"] = self.node_port()
            ports.append(port)
        return ports

    def node_port(self) -> int:
        while (port := self.random.randint(30000, 31999)) in self.node_ports:
            pass
        self.node_ports.add(port)
        return port

    def slice(self, name: str, service: Object) -> Object:
        pick = self.random
        self.taken += 1
        family = pick.choice(service["spec"].get("ipFamilies", self.families))
        if self.chance(0.05):
            family = pick.choice(("IPv4", "IPv6", "FQDN"))
        labels = {"kubernetes.io/service-name": name} if self.chance(0.97) else {}
        if service["spec"].get("clusterIP") == "None" and self.chance(0.7):
            labels["service.kubernetes.io/headless"] = ""
        item: Object = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "addressType": family,
            "metadata": {"name": f"{name}-{self.taken}", "namespace": "default", "labels": labels},
            "ports": self.slice_ports(service),
            "endpoints": [self.endpoint(family, self.taken) for _ in range(pick.choice((0, 1, 2, 3, 5)))],
        }
        self.slices[item["metadata"]["name"]] = item
        return item

    def slice_ports(self, service: Object) -> list[Object]:
        ports = []
        for index, port in enumerate(service["spec"].get("ports", [])):
            if self.chance(0.95):
                number = port["targetPort"] if isinstance(port["targetPort"], int) else 9000 + index
                item: Object = {"name": port.get("name", ""), "port": number, "protocol": port["protocol"]}
                if self.chance(0.03):
                    item["port"] = None
                ports.append(item)
        return ports

    def endpoint(self, family: str, number: int) -> Object:
        """One of 18 addresses of a slice's number: twice in one slice, but not in two, whose order is a Go map's."""
        pick = self.random
        node, host = pick.randint(1, 3), 6 * number % 240 + pick.randint(2, 7)
        own = {"IPv4": _NODE["IPv4"][0], "IPv6": _NODE["IPv6"][0], "FQDN": "host.example.org"}[family]
        address = {"IPv4": f"10.244.{node}.{host}", "IPv6": f"fd00:10:244:{node}::{host}", "FQDN": own}[family]
        if self.chance(0.04) and self.on_host in (0, number):
            self.on_host, address = number, own
        endpoint: Object = {
            "addresses": [self.spelled(address)],
            "conditions": pick.choice(_CONDITIONS),
        }
        if self.chance(0.9):
            endpoint["nodeName"] = f"node{node}"
        if self.chance(0.6):
            endpoint["zone"] = pick.choice("ab")
        if self.chance(0.5):
            endpoint["hints"] = {"forZones": [{"name": zone} for zone in pick.sample("abc", pick.randint(1, 2))]}
            if self.chance(0.5):
                endpoint["hints"]["forNodes"] = [{"name": f"node{pick.randint(1, 2)}"}]
        return endpoint
