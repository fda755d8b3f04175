"""Small networks that are written by hand: machines, wires, switches, rules."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace

from netsim.net.address import MAC, Family, parse_address, parse_interface, parse_prefix
from netsim.net.packet import Protocol
from netsim.rules.nft.parse import parse as parse_nft
from netsim.rules.xtables.parse import parse as parse_xtables
from netsim.stack.addrconf import eui64_link_local
from netsim.topology.model import (
    Bridge,
    BridgePort,
    Device,
    Endpoint,
    Listener,
    Loopback,
    Netns,
    Role,
    Route,
    Topology,
    Veth,
)
from netsim.trace.model import Flow

ROUTER: Mapping[str, str] = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}
LO = Device("lo", Loopback(), MAC(0), 65536, addresses=(parse_interface("127.0.0.1/8"),))


def tcp(sender: str, destination: str, port: int = 80) -> Flow:
    """A connection."""
    return Flow(sender, parse_address(destination), Protocol.TCP, port, owner=f"{sender}/x", dont_fragment=True)


def ping(sender: str, destination: str) -> Flow:
    """An echo request."""
    address = parse_address(destination)
    return Flow(
        sender, address, Protocol.ICMP if address.version == 4 else Protocol.ICMPV6, 0, owner=f"{sender}/x", payload=16
    )


def mac(netns: str, device: str) -> MAC:
    """A MAC that follows from the device's name."""
    return MAC(0x02_00_00_00_00_00 | zlib.crc32(f"{netns}/{device}".encode()))


def link(netns: str, device: str, peer: str, *addresses: str, port: str = "") -> Device:
    """One end of a wire; ``peer`` is ``NETNS/DEVICE``, ``port`` the bridge that it is a port of."""
    master = BridgePort(port) if port else None
    end = Endpoint(*peer.split("/"))
    return Device(device, Veth(end), mac(netns, device), addresses=tuple(map(parse_interface, addresses)), port=master)


def host(
    name: str,
    *devices: Device,
    routes: tuple[Route, ...] = (),
    listen: tuple[int, ...] = (80,),
    role: Role = Role.EXTERNAL,
) -> Netns:
    """A machine that forwards, with TCP listeners."""
    listeners = tuple(Listener(Protocol.TCP, port, owner=f"{name}/{port}") for port in listen)
    return Netns(name, role, name, devices=(LO, *devices), routes=routes, sysctls=ROUTER, listeners=listeners)


def switch(name: str, *peers: str) -> Netns:
    """A bridge with a port to each peer (``NETNS/DEVICE``), which is called as the namespace behind it."""
    ports = (link(name, peer.partition("/")[0], peer, port="br0") for peer in peers)
    return Netns(name, Role.SWITCH, name, devices=(LO, Device("br0", Bridge(), mac(name, "br0")), *ports))


def via(to: str, gateway: str = "", device: str | None = None, **other: object) -> Route:
    """A route."""
    return replace(Route(parse_prefix(to), device, parse_address(gateway) if gateway else None), **other)  # type: ignore[arg-type]


def network(*spaces: Netns) -> Topology:
    """Machines by name."""
    return Topology("row", {netns.name: netns for netns in spaces})


def with_nft(
    netns: Netns, *rules: str, sets: str = "", chain: str = "type nat hook prerouting priority -100;"
) -> Netns:
    """A machine with one chain of nftables."""
    text = f"table ip t {{\n{sets}\nchain c {{ {chain}\n" + "\n".join(rules) + "\n} }\n"
    return replace(netns, nftables=(parse_nft(text, "row"),))


def with_iptables(netns: Netns, table: str, *rules: str) -> Netns:
    """A machine with rules of one table."""
    return replace(netns, xtables=(parse_xtables(f"*{table}\n" + "\n".join(rules) + "\nCOMMIT\n", Family.IPV4, "row"),))


# --- one network: a client, a router, and three servers behind it on a switch ------------------------------------------


def client() -> Netns:
    """10.0.0.2, behind the router."""
    return host("client", link("client", "eth0", "router/eth0", "10.0.0.2/24"), routes=(via("0.0.0.0/0", "10.0.0.1"),))


def router() -> Netns:
    """10.0.0.1 and 10.1.0.1, between both networks."""
    return host(
        "router",
        link("router", "eth0", "client/eth0", "10.0.0.1/24"),
        link("router", "eth1", "lan/router", "10.1.0.1/24"),
    )


def server(number: int, *listen: int) -> Netns:
    """10.1.0.11 and so on."""
    name = f"server{number}"
    return host(
        name,
        link(name, "eth0", f"lan/{name}", f"10.1.0.{10 + number}/24"),
        routes=(via("0.0.0.0/0", "10.1.0.1"),),
        listen=listen or (80, 8080),
    )


def lan(*spaces: Netns) -> Topology:
    """A client, and what stands on the lan behind the router, which is first."""
    ends = tuple(f"{each.name}/{'eth1' if each.name == 'router' else 'eth0'}" for each in spaces)
    return network(client(), switch("lan", *ends), *spaces)


def servers(changed: Netns, *others: Netns) -> Topology:
    """The network with a changed router."""
    return lan(changed, *(others or (server(1), server(2), server(3))))


def link_local(netns: str, device: str = "eth0") -> str:
    """The address that a device gives itself."""
    return str(eui64_link_local(mac(netns, device)).ip)
