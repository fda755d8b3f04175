"""Connections that IPVS knows before a walk begins, as ``ipvsadm -Lnc`` lists them.

Where the real server is no longer one of the virtual server's, the connection keeps it, unavailable: the kernel has it in its trash.
"""

from __future__ import annotations

from dataclasses import replace

from netsim.net.address import Address
from netsim.net.packet import Protocol
from netsim.rules.ipvs.ast import Forwarding, RealServer
from netsim.rules.ipvs.connections import IPVSConnection
from netsim.stack.ip_vs_conn import Conn, ConnKey
from netsim.stack.ip_vs_ctl import IPVS, Service
from netsim.stack.ip_vs_dest import Dest
from netsim.stack.ip_vs_proto_sctp import IpVsSctpState
from netsim.stack.ip_vs_proto_tcp import ACTIVE, IpVsTcpState


def seed(ipvs: IPVS, known: tuple[IPVSConnection, ...]) -> None:
    """Put the connections into the table, templates first; a client's connections hang on its template."""
    for entry in sorted(known, key=lambda each: not each.template):
        service = _service(ipvs, entry)
        conn = _conn(ipvs, entry, destination_of(entry.real, service))
        ipvs.conns.add(conn)
        template = _template_of(ipvs, entry, service)
        if template is not None:
            ipvs.conns.control(conn, template)
        conn.deadline = ipvs.conns.clock.now() + entry.seconds


def _service(ipvs: IPVS, entry: IPVSConnection) -> Service | None:
    if entry.protocol == 0:
        return ipvs.find_service(int(entry.virtual[0]), 0, *entry.virtual)
    return ipvs.find_service(0, entry.protocol, *entry.virtual)


def destination_of(real: tuple[Address, int], service: Service | None) -> Dest:
    """The virtual server's real server of that address and port; one that is gone is made, unavailable."""
    for dest in service.dests if service is not None else ():
        if dest.spec.address == real[0] and dest.spec.port in (0, real[1]):
            return dest
    gone = RealServer(real[0], real[1], Forwarding.MASQUERADE)
    return Dest(gone, gone.weight, available=False)


def _conn(ipvs: IPVS, entry: IPVSConnection, dest: Dest) -> Conn:
    vaddr = entry.virtual[0] if entry.protocol else int(entry.virtual[0])
    state = _state(entry)
    return Conn(
        ConnKey(entry.protocol, *entry.client, vaddr, entry.virtual[1]),
        entry.real[0],
        entry.real[1],
        dest.spec.forwarding,
        dest,
        conntrack=bool(ipvs.sysctl("conntrack")),
        template=entry.template,
        state=state,
        active=not entry.template and (state in ACTIVE or state is IpVsSctpState.ESTABLISHED),
        no_output=dest.spec.forwarding is not Forwarding.MASQUERADE,
        timeout=float(entry.seconds),
    )


def _state(entry: IPVSConnection) -> IpVsTcpState | IpVsSctpState:
    if entry.protocol == Protocol.SCTP and not entry.template:
        return next((state for state in IpVsSctpState if state.value == entry.state), IpVsSctpState.NONE)
    return IpVsTcpState[entry.state] if entry.state in IpVsTcpState.__members__ else IpVsTcpState.NONE


def _template_of(ipvs: IPVS, entry: IPVSConnection, service: Service | None) -> Conn | None:
    """The template that would have chosen this connection's real server."""
    if entry.template or service is None or service.spec.persistent is None:
        return None
    keys = [ConnKey(entry.protocol, entry.client[0], 0, entry.virtual[0], port) for port in (entry.virtual[1], 0)]
    found = (ipvs.conns.find(replace(key)) for key in keys)
    return next((template for template in found if template is not None), None)
