"""kube-proxy at size: 10,000 Services with 3 endpoints each; the first sync, then one endpoint changed; each mode in a process of its own.

    python bench/proxy.py [--services N] [--mode MODE]

``take in`` is what the trackers do with decoded objects, ``first sync`` makes every rule, ``change`` is one endpoint of one
Service replaced and synced (median of many). Decoding JSON is not counted: kube-proxy's figures do not have it either.
"""

from __future__ import annotations

import argparse
import gc
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from yardstick import yardstick

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

MODES = ("iptables", "ipvs", "nftables")
CHANGES = 50


def service(number: int) -> dict[str, object]:
    """A ClusterIP Service as the API server stores it."""
    address = f"10.{96 + number // 65536}.{number // 256 % 256}.{number % 256}"
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"s{number}", "namespace": "default"},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": address,
            "clusterIPs": [address],
            "ipFamilies": ["IPv4"],
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}],
        },
    }


def slice_of(number: int, last: int = 3) -> dict[str, object]:
    """Its EndpointSlice; ``last`` is the third endpoint's place."""
    places = [number * 4 + place for place in (1, 2, last)]
    endpoints = [
        {
            "addresses": [f"10.{128 + place // 65536}.{place // 256 % 256}.{place % 256}"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "nodeName": f"node{place % 3 + 1}",
        }
        for place in places
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"s{number}-abcde",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": f"s{number}"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": endpoints,
    }


def measure(mode: str, services: int) -> None:
    """One mode, in this process."""
    from netsim.net.address import Family, parse_address
    from netsim.objects.core import EndpointSlice, Service
    from netsim.objects.meta import Object
    from proxy import server
    from proxy.config.read import read_configuration
    from proxy.names import NamespacedName
    from proxy.node import ProxyNode

    def view(number: int, last: int = 3) -> EndpointSlice:
        return EndpointSlice.of(Object.of(slice_of(number, last)))

    unit = yardstick()
    configuration = read_configuration({"mode": mode, "clusterCIDR": "10.128.0.0/9"})
    ips = {Family.IPV4: parse_address("192.168.0.11"), Family.IPV6: parse_address("::1")}
    node = ProxyNode("node1", ips, addresses=(ips[Family.IPV4],))
    proxy = getattr(server, f"{mode}_proxy")(configuration, node)
    objects = [(Service.of(Object.of(service(number))), view(number)) for number in range(services)]
    gc.collect()
    begin = time.perf_counter()
    for found, endpoints in objects:
        proxy.on_service(NamespacedName("default", found.metadata.name), found)
        proxy.on_endpoint_slice(endpoints)
    taken = time.perf_counter() - begin
    begin = time.perf_counter()
    proxy.sync(0)
    first = time.perf_counter() - begin
    changes = []
    for change in range(CHANGES):
        changed = view(change * 97 % services, 4)
        begin = time.perf_counter()
        proxy.on_endpoint_slice(changed)
        proxy.sync(change + 1)
        changes.append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cells = [taken, first, median(changes)]
    print(
        f"{mode:<9} {unit * 1000:9.1f}", *(f"{cell * 1000:10.1f} {cell / unit:8.2f}" for cell in cells), f"{peak:8.0f}"
    )


def main() -> None:
    """Measure one mode here, or every mode in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--mode", choices=MODES)
    given = parser.parse_args()
    if given.mode:
        measure(given.mode, given.services)
        return
    print(f"{given.services} Services; times in ms, and in yardsticks; memory in MiB")
    head = [f"{name:>10} {'ratio':>8}" for name in ("take in", "first sync", "change")]
    print(f"{'mode':<9} {'yardstick':>9}", *head, f"{'memory':>8}")
    for mode in MODES:
        words = [sys.executable, __file__, "--mode", mode, "--services", str(given.services)]
        print(subprocess.run(words, check=True, capture_output=True, text=True).stdout, end="")


if __name__ == "__main__":
    main()
