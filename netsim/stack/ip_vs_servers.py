"""What a namespace's virtual servers come to as a whole, found out once: a walk does not grow with their number.

Ref: net/netfilter/ipvs/ip_vs_ctl.c:ip_vs_svc_table, ip_vs_rtable (hash tables) (v6.12).
"""

from __future__ import annotations

from collections import OrderedDict

from netsim.net.address import Address, Family, family_of
from netsim.rules.ipvs.ast import FirewallMarkService, Forwarding, ServiceKey, TransportService, VirtualServers

FTP = 21
_MARKED = 0
"""The protocol under which real servers of firewall marks stand, which serve every protocol."""


def family_of_service(key: ServiceKey) -> Family:
    """The family of a virtual server's packets."""
    return key.family if isinstance(key, FirewallMarkService) else family_of(key.address)


class ServerIndex:
    """Virtual servers by what IPVS asks of them. ``ftp`` are the families with masqueraded FTP."""

    def __init__(self, servers: VirtualServers) -> None:
        self.servers = servers
        self.families: frozenset[Family] = frozenset(map(family_of_service, servers.servers))
        self.has_any_port = False
        self.addresses: set[Address] = set()
        self.ftp: set[Family] = set()
        self._real: set[tuple[int, Address, int]] = set()
        for key, server in servers.servers.items():
            protocol = _MARKED if isinstance(key, FirewallMarkService) else key.protocol
            self._real.update((protocol, real.address, real.port) for real in server.real_servers)
            if isinstance(key, TransportService):
                self.addresses.add(key.address)
                self.has_any_port = self.has_any_port or key.port == 0
                masquerades = any(real.forwarding is Forwarding.MASQUERADE for real in server.real_servers)
                if key.port == FTP and masquerades:
                    self.ftp.add(family_of(key.address))

    def serves(self, protocol: int, address: Address, port: int) -> bool:
        """True where a real server has this address and port. Ref: ip_vs_has_real_service()."""
        return any((each, address, port) in self._real for each in (protocol, _MARKED))


_CACHE_SIZE = 64
_cache: OrderedDict[int, ServerIndex] = OrderedDict()


def index_of(servers: VirtualServers) -> ServerIndex:
    """The index of a value, kept for the most recently used ones: VirtualServers never change."""
    found = _cache.get(id(servers))
    if found is None or found.servers is not servers:
        found = _cache[id(servers)] = ServerIndex(servers)
    _cache.move_to_end(id(servers))
    if len(_cache) > _CACHE_SIZE:
        _cache.popitem(last=False)
    return found
