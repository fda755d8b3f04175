"""A client's first packet: which virtual server it is for, which real server it gets, and the entry that remembers it.

Ref: net/netfilter/ipvs/ip_vs_core.c:ip_vs_schedule(), ip_vs_sched_persist(), ip_vs_proto_tcp.c:tcp_conn_schedule() (v6.12).
"""

from __future__ import annotations

from ipaddress import ip_network

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.net.packet import Packet, Protocol, SCTPChunk, SCTPHeader, TCPFlags, TCPHeader
from netsim.rules.ipvs.ast import Forwarding
from netsim.stack.ip_vs_conn import Conn, ConnKey
from netsim.stack.ip_vs_ctl import FTP_DATA, IPVS, Service
from netsim.stack.ip_vs_dest import Dest
from netsim.stack.ip_vs_sched import Asked, Scheduled
from netsim.stack.ip_vs_servers import FTP
from netsim.stack.namespace import Namespace
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Hook


@dataclass(frozen=True, slots=True)
class Client:
    """A packet at a hook."""

    ns: Namespace
    hook: Hook
    skb: SkBuff

    @property
    def packet(self) -> Packet:
        """The packet as it stands."""
        return self.skb.packet

    @property
    def port(self) -> int:
        """The port that it asks for."""
        return self.packet.dport or 0


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a packet for a virtual server: ``conn`` None where no real server takes it; ``detail`` says why."""

    service: Service
    conn: Conn | None
    scheduled: Scheduled | None
    detail: str


def schedule(ipvs: IPVS, client: Client) -> Found | None:
    """A new connection; None where the packet is not IPVS's business."""
    packet = client.packet
    if not _may_open(ipvs, packet):
        return None
    service = ipvs.find_service(client.skb.mark, packet.ip.protocol, packet.ip.dst, client.port)
    if service is None or packet.sport == FTP_DATA or _is_reply(ipvs, client):
        return None
    if service.spec.persistent is not None:
        return _persistent(ipvs, client, service)
    if not service.mark and service.port != client.port:
        return None if service.port == FTP else Found(service, None, None, "port 0 needs a persistent virtual server")
    scheduled = _asked(ipvs, client, service)
    if scheduled.dest is None:
        return Found(service, None, scheduled, _nobody(service))
    conn = _new_conn(ipvs, client, service, scheduled.dest, _dport(client, service, scheduled.dest))
    return Found(service, conn, scheduled, _said(ipvs, service, scheduled))


def _may_open(ipvs: IPVS, packet: Packet) -> bool:
    """Whether the packet may begin a connection. Ref: tcp_conn_schedule(), sctp_conn_schedule(), udp_conn_schedule()."""
    match packet.l4:
        case TCPHeader(flags=flags):
            if flags & TCPFlags.RST:
                return False
            return bool(flags & TCPFlags.SYN or ipvs.sysctl("sloppy_tcp"))
        case SCTPHeader(chunk=chunk):
            return chunk is SCTPChunk.INIT or bool(ipvs.sysctl("sloppy_sctp"))
        case _:
            return True


def _is_reply(ipvs: IPVS, client: Client) -> bool:
    """True for what a real server on this host answers: it is not scheduled. Ref: ip_vs_schedule()."""
    if client.skb.iif not in (None, "lo"):
        return False
    packet = client.packet
    own, peer = (packet.ip.src, packet.sport or 0), (packet.ip.dst, client.port)
    return ipvs.conn_in(packet.ip.protocol, peer, own) is not None


def _asked(ipvs: IPVS, client: Client, service: Service) -> Scheduled:
    place = f"{client.ns.name}: IPVS {service.spec.scheduler} {_name(service)}"
    return service.scheduler.schedule(Asked(client.packet, client.ns.network.chooser, place, ipvs.fresh))


def _name(service: Service) -> str:
    from netsim.rules.ipvs.dump import service_words

    return " ".join(service_words(service.spec.key))


def _dport(client: Client, service: Service, dest: Dest) -> int:
    """The real server's own port, where the packet asked for the virtual server's. Ref: ip_vs_schedule(), ip_vs_sched_persist()."""
    if service.spec.persistent is not None and client.port != service.port:
        return client.port
    return dest.spec.port or client.port


def _new_conn(ipvs: IPVS, client: Client, service: Service, dest: Dest, dport: int) -> Conn:
    packet = client.packet
    protocol = packet.ip.protocol
    key = ConnKey(protocol, packet.ip.src, packet.sport or 0, packet.ip.dst, client.port)
    conn = Conn(
        key,
        dest.spec.address,
        dport,
        dest.spec.forwarding,
        dest,
        conntrack=bool(ipvs.sysctl("conntrack")),
        one_packet=service.spec.one_packet and protocol == Protocol.UDP,
        no_output=dest.spec.forwarding is not Forwarding.MASQUERADE,
    )
    ipvs.conns.add(conn)
    return conn


# --- persistence ---------------------------------------------------------------------------------------------------


def _persistent(ipvs: IPVS, client: Client, service: Service) -> Found:
    """The client's template says which real server; without a usable one a new template is made. Ref: ip_vs_sched_persist()."""
    key = _template_key(client, service)
    template = ipvs.conns.find(key)
    scheduled: Scheduled | None = None
    detail = ""
    if template is not None and template.dest is not None and _usable(ipvs, template.dest):
        dest = template.dest
        detail = f"persistence: the client had been sent to {dest}"
    else:
        if template is not None:
            ipvs.conns.remove(template)
        scheduled = _asked(ipvs, client, service)
        if scheduled.dest is None:
            return Found(service, None, scheduled, _nobody(service))
        dest = scheduled.dest
        detail = _said(ipvs, service, scheduled)
        template = _new_template(ipvs, client, service, key, dest)
    conn = _new_conn(ipvs, client, service, dest, _dport(client, service, dest))
    ipvs.conns.control(conn, template)
    return Found(service, conn, scheduled, detail)


def _usable(ipvs: IPVS, dest: Dest) -> bool:
    """A template leads to weight 0 too, unless expire_quiescent_template forbids that. Ref: ip_vs_check_template()."""
    return dest.available and not (ipvs.sysctl("expire_quiescent_template") and not dest.weight)


def _template_key(client: Client, service: Service) -> ConnKey:
    packet = client.packet
    snet = _granularity(packet.ip.src, service.spec.netmask)
    if service.mark:
        return ConnKey(0, snet, 0, service.mark, 0)
    vport = client.port if client.port == service.port and service.port != FTP else 0
    return ConnKey(packet.ip.protocol, snet, 0, packet.ip.dst, vport)


def _granularity(address: Address, length: int | None) -> Address:
    """The network that stands for a client. Ref: svc->netmask."""
    if length is None:
        return address
    return ip_network((address, length), strict=False).network_address


def _new_template(ipvs: IPVS, client: Client, service: Service, key: ConnKey, dest: Dest) -> Conn:
    port = dest.spec.port if client.port == service.port and service.port != FTP else 0
    template = Conn(
        key,
        dest.spec.address,
        port,
        dest.spec.forwarding,
        dest,
        conntrack=bool(ipvs.sysctl("conntrack")),
        template=True,
        timeout=float(service.spec.persistent or 0),
    )
    ipvs.conns.add(template)
    return template


# --- words ---------------------------------------------------------------------------------------------------------


def _nobody(service: Service) -> str:
    if not service.dests:
        return "the virtual server has no real server"
    if all(dest.weight <= 0 for dest in service.dests):
        return "every real server has weight 0"
    if service.spec.scheduler in ("sh", "dh", "mh"):
        return f"the real server that {service.spec.scheduler} gives this client has weight 0 or is overloaded, and there is no fallback"
    return "no real server takes a new connection"


_WHY = {
    # what a scheduler goes by, as the step says it
    "rr": "each in turn, and whose turn it is depends on earlier connections",
    "wrr": "in turn by weight, and whose turn it is depends on earlier connections",
    "lc": "the fewest connections, which depends on earlier ones",
    "wlc": "the fewest connections for its weight, which depends on earlier ones",
    "sed": "the shortest expected delay, which depends on earlier connections",
    "nq": "an idle one first, which depends on earlier connections",
    "lblc": "the destination's own, which earlier connections chose",
    "lblcr": "one of the destination's own, which earlier connections chose",
    "sh": "by the client's address",
    "dh": "by the virtual address",
    "mh": "by the client's address",
    "fo": "the greatest weight",
    "ovf": "the greatest weight that has room",
    "twos": "the less loaded of two drawn by weight",
}


def _said(ipvs: IPVS, service: Service, scheduled: Scheduled) -> str:
    name = service.spec.scheduler
    if scheduled.choice is not None:
        return _WHY[name]
    if len(service.dests) == 1:
        return "the only real server"
    return _WHY[name].partition(",")[0] if ipvs.fresh or name not in ("lblc", "lblcr") else _WHY[name]
