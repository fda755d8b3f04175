"""On which of the node's addresses node ports are served (``nodePortAddresses``).

Ref: pkg/proxy/util/nodeport_addresses.go, cmd/kube-proxy/app/server.go (v1.37)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family, Prefix, parse_prefix
from proxy.addresses import prefixes_of_family

LOOPBACK: Mapping[Family, str] = {Family.IPV4: "127.0.0.0/8", Family.IPV6: "::1/128"}
ANY: Mapping[Family, str] = {Family.IPV4: "0.0.0.0/0", Family.IPV6: "::/0"}

_LOOPBACK4 = parse_prefix(LOOPBACK[Family.IPV4])


@dataclass(frozen=True, slots=True)
class NodePortAddresses:
    """The prefixes of one family in which a node address must lie to serve node ports.

    ``match_all`` says that every address of the family does; then nothing needs to be listed.
    """

    prefixes: tuple[Prefix, ...]
    match_all: bool

    @property
    def contains_ipv4_loopback(self) -> bool:
        """True where 127.0.0.0/8 or a part of it serves node ports."""
        return any(p.version == 4 and p.overlaps(_LOOPBACK4) for p in self.prefixes)

    def of(self, addresses: Iterable[Address]) -> tuple[Address, ...]:
        """Which of the node's addresses serve node ports, sorted and each once."""
        inside = {a for p in self.prefixes for a in addresses if a.version == p.version and a in p}
        return tuple(sorted(inside, key=int))


def node_port_addresses(values: tuple[str, ...], family: Family, node_ips: Iterable[Address]) -> NodePortAddresses:
    """Read ``nodePortAddresses`` for one family.

    ``values`` are prefixes and the words ``primary`` (the node's primary addresses), ``localhost`` and ``all``. Where no
    value is of the family, every address of the family serves node ports, even if other families are restricted.
    """
    texts = tuple(text for value in values for text in _expand(value, node_ips))
    prefixes = prefixes_of_family(texts, family) or prefixes_of_family((ANY[family],), family)
    whole = tuple(p for p in prefixes if p.prefixlen == 0)
    return NodePortAddresses(whole[:1] or prefixes, bool(whole))


def _expand(value: str, node_ips: Iterable[Address]) -> tuple[str, ...]:
    match value:
        case "primary":
            return tuple(f"{ip}/{ip.max_prefixlen}" for ip in node_ips if not ip.is_loopback)
        case "localhost":
            return tuple(LOOPBACK.values())
        case "all":
            return tuple(ANY.values())
        case _:
            return (value,)
