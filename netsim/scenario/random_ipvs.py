"""Hypothesis strategies for what only kube-proxy's mode ipvs has: schedulers, sysctls, and virtual servers of a node's own."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from netsim.net.address import parse_address
from netsim.net.packet import Protocol, endpoint
from netsim.scenario.every_flow import Asked
from netsim.scenario.random_ground import Ground

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "sed", "nq", "sh", "dh", "mh", "lblc", "lblcr", "fo", "ovf")
SYSCTLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # sysctl of a node, and values that differ from what kube-proxy or the kernel sets
    ("net.ipv4.vs.conntrack", ("0",)),
    ("net.ipv4.vs.snat_reroute", ("0",)),
    ("net.ipv4.vs.sloppy_tcp", ("1",)),
    ("net.ipv4.vs.nat_icmp_send", ("1",)),
    ("net.ipv4.vs.conn_reuse_mode", ("0", "2")),
    ("net.ipv4.vs.expire_nodest_conn", ("0",)),
)
OWN_PORT = 8000
OWN_MARK = 1
"""What flows of a node may be marked with."""


@st.composite
def ipvs_settings(draw: st.DrawFn) -> dict[str, Any]:
    """The section ``ipvs`` of kube-proxy's configuration."""
    return {"scheduler": draw(st.sampled_from(("", "", *SCHEDULERS)))}


@st.composite
def ipvs_text(draw: st.DrawFn, number: int, ground: Ground) -> str:
    """Virtual servers of a node's own, as ``ipvsadm -R`` takes them: on its address, and for a mark."""
    own = endpoint(parse_address(own_address(number, ground)), OWN_PORT)
    services = draw(st.lists(st.sampled_from((f"-t {own}", f"-u {own}", _marked(ground))), min_size=1, unique=True))
    return "".join(f"{line}\n" for service in services for line in draw(_virtual_server(service, ground)))


def _marked(ground: Ground) -> str:
    return f"-f {OWN_MARK}" + (" -6" if ground.version == 6 else "")


@st.composite
def _virtual_server(draw: st.DrawFn, service: str, ground: Ground) -> list[str]:
    options = ["-s", draw(st.sampled_from(SCHEDULERS))]
    if draw(st.integers(0, 3)) == 0:
        options += ["-p", "300"]
    elif service.startswith("-u") and draw(st.integers(0, 3)) == 0:
        options.append("-o")
    lines = [" ".join(["-A", service, *options])]
    for address in draw(st.lists(st.sampled_from(_reals(ground)), max_size=3, unique=True)):
        method = draw(st.sampled_from(("-m", "-m", "-m", "-g", "-i") if ground.version == 4 else ("-m", "-m", "-g")))
        port = draw(st.sampled_from((8080, 80, 53))) if method == "-m" and not service.startswith("-f") else 0
        port = port or (0 if service.startswith("-f") else OWN_PORT)
        real = endpoint(parse_address(address), port)
        lines.append(f"-a {service} -r {real} {method} -w {draw(st.sampled_from((1, 1, 2, 0)))}")
    return lines


def _reals(ground: Ground) -> tuple[str, ...]:
    pods = (
        ("10.244.1.2", "10.244.1.3", "10.244.2.2") if ground.version == 4 else ("fd00:10:244:1::2", "fd00:10:244:2::2")
    )
    return (*pods, ground.near.split("/")[0], ground.first_node, *ground.nobody[:1])


def own_address(number: int, ground: Ground) -> str:
    """The address of a node's own virtual servers: the node's."""
    return f"192.168.0.{10 + number}" if ground.version == 4 else f"fd00:192:168::{10 + number}"


def asked_of_own(nodes: int, ground: Ground) -> list[Asked]:
    """Flows to virtual servers of nodes' own."""
    addresses = [own_address(number, ground) for number in range(1, nodes + 1)]
    kinds = (Protocol.TCP, Protocol.UDP)
    return [Asked(parse_address(each), each, protocol, OWN_PORT) for each in addresses for protocol in kinds]
