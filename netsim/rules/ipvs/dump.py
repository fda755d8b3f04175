"""Typed virtual servers → the text of ``ipvsadm -Sn``, which ``ipvsadm -R`` takes.

Compared with ipvsadm 1.31 for the options that kube-proxy uses; ``-o`` and thresholds are printed as ``ipvsadm -R`` reads them.
"""

from __future__ import annotations

from netsim.net.address import Family
from netsim.net.packet import endpoint
from netsim.rules.ipvs.ast import (
    FirewallMarkService,
    RealServer,
    ServiceKey,
    TransportService,
    VirtualServer,
    VirtualServers,
)

_OPTIONS = {6: "-t", 17: "-u", 132: "--sctp-service"}


def dump(servers: VirtualServers) -> str:
    """Every virtual server with its real servers, ordered as ipvsadm orders them: by protocol, address and port; then firewall marks."""
    ordered = sorted(servers.servers.values(), key=_order)
    return "".join(f"{line}\n" for server in ordered for line in server_lines(server))


def _order(server: VirtualServer) -> tuple[int, int, int, int, int]:
    match server.key:
        case TransportService(protocol, address, port):
            return 0, protocol, address.version, int(address), port
        case FirewallMarkService(mark, family):
            return 1, 0, family.value, mark, 0


def server_lines(server: VirtualServer) -> list[str]:
    """``-A …`` and one ``-a …`` for each real server."""
    service = service_words(server.key)
    words = ["-A", *service, "-s", server.scheduler]
    if server.persistent is not None:
        words += ["-p", str(server.persistent)]
    if server.netmask is not None:
        words += ["-M", _netmask(server)]
    if server.persistence_engine:
        words += ["--pe", server.persistence_engine]
    if server.one_packet:
        words.append("-o")
    if server.flags:
        words += ["-b", ",".join(f"flag-{number}" for number in sorted(server.flags))]
    return [" ".join(words), *(" ".join(["-a", *service, *server_words(real)]) for real in server.real_servers)]


def service_words(key: ServiceKey) -> list[str]:
    """``-t 10.0.0.1:80``."""
    if isinstance(key, FirewallMarkService):
        return ["-f", str(key.mark), *(["-6"] if key.family is Family.IPV6 else [])]
    return [_OPTIONS[key.protocol], endpoint(key.address, key.port)]


def _netmask(server: VirtualServer) -> str:
    key, length = server.key, server.netmask or 0
    ipv4 = key.family is Family.IPV4 if isinstance(key, FirewallMarkService) else key.address.version == 4
    if not ipv4:
        return str(length)
    mask = ((1 << length) - 1) << (32 - length)
    return ".".join(str(mask >> shift & 0xFF) for shift in (24, 16, 8, 0))


def server_words(real: RealServer) -> list[str]:
    """``-r 10.244.1.2:8080 -m -w 1``."""
    words = ["-r", endpoint(real.address, real.port), f"-{real.forwarding.value}", "-w", str(real.weight), *real.tunnel]
    if real.upper:
        words += ["-x", str(real.upper)]
    if real.lower:
        words += ["-y", str(real.lower)]
    return words
