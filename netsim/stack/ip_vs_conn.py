"""IPVS's connection table: entries by client and virtual address, found again from the real server's side, and templates of persistence.

Time is the world's clock: an entry that ran out is gone at its next look-up, unless connections hang on it.
Ref: net/netfilter/ipvs/ip_vs_conn.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from math import ceil

from netsim.dataclass import dataclass
from netsim.net.address import Address, parse_address
from netsim.net.packet import Packet, Protocol, SCTPChunk, SCTPHeader, TCPFlags, TCPHeader, endpoint
from netsim.rules.ipvs.ast import Forwarding
from netsim.stack import ip_vs_proto_sctp
from netsim.stack.ip_vs_dest import Dest
from netsim.stack.ip_vs_proto_sctp import IpVsSctpState
from netsim.stack.ip_vs_proto_tcp import ACTIVE, INPUT, INPUT_ONLY, OUTPUT, TIMEOUTS, IpVsTcpState, next_state
from netsim.stack.steps import Clock

NEW_SECONDS = 3.0
UDP_SECONDS = 300.0
HELD_SECONDS = 60.0
"""How much longer a template stays on which connections hang."""

PROTOCOL_NAMES = {0: "IP", 6: "TCP", 17: "UDP", 132: "SCTP"}


@dataclass(frozen=True, slots=True)
class ConnKey:
    """Protocol, client's end, virtual end.

    A template has client port 0; that of a firewall mark has protocol 0, and the mark for ``vaddr``.
    """

    protocol: int
    caddr: Address
    cport: int
    vaddr: Address | int
    vport: int


@dataclass(slots=True, eq=False)
class Conn:
    """One connection, or the template of a persistent client's connections (``template``).

    ``conntrack`` is IP_VS_CONN_F_NFCT: its conntrack entry is kept. ``control`` is the template that it hangs on, ``controlled`` how many
    hang on this one. ``deadline`` in seconds of the world's clock.
    """

    key: ConnKey
    daddr: Address
    dport: int
    forwarding: Forwarding
    dest: Dest | None
    conntrack: bool
    template: bool = False
    one_packet: bool = False
    state: IpVsTcpState | IpVsSctpState = IpVsTcpState.NONE
    active: bool = False
    no_output: bool = False
    control: Conn | None = None
    controlled: int = 0
    timeout: float = NEW_SECONDS
    deadline: float = 0.0

    @property
    def state_name(self) -> str:
        """As ``ipvsadm -Lnc`` prints it."""
        if self.template:
            return "ASSURED" if self.state is IpVsTcpState.ESTABLISHED else "NONE"
        if isinstance(self.state, IpVsSctpState):
            return self.state.value
        return {Protocol.TCP: self.state.name, Protocol.UDP: "UDP"}.get(Protocol(self.key.protocol), "NONE")

    def text(self, now: float) -> str:
        """The entry as ``ipvsadm -Lnc`` prints it: protocol, what is left of its time, state, client, virtual and real end."""
        left = max(0, ceil(self.deadline - now))
        vaddr = parse_address(self.key.vaddr) if isinstance(self.key.vaddr, int) else self.key.vaddr
        virtual = endpoint(vaddr, self.key.vport)
        words = (PROTOCOL_NAMES[self.key.protocol], f"{left // 60:02}:{left % 60:02}", self.state_name)
        return " ".join((*words, endpoint(self.key.caddr, self.key.cport), virtual, endpoint(self.daddr, self.dport)))


@dataclass(slots=True)
class ConnTable:
    """The entries of one namespace."""

    clock: Clock
    _by_client: dict[ConnKey, Conn] = field(default_factory=dict)
    _by_real: dict[ConnKey, Conn] = field(default_factory=dict)

    def resume(self, earlier: ConnTable) -> None:
        """Go on with the entries of the same namespace's table at an earlier time; they are this table's from now on."""
        self._by_client, self._by_real = earlier._by_client, earlier._by_real
        now = self.clock.now()
        for conn in [conn for conn in self._by_client.values() if conn.deadline <= now and not conn.template]:
            self.remove(conn)  # by its timer, which nobody had to look at

    def rebind(self, conn: Conn, dest: Dest) -> None:
        """Count an entry at its real server, which may be another object than before: the virtual server was made anew."""
        conn.dest = dest
        if conn.template:
            dest.persistent += 1
        elif conn.active:
            dest.active += 1
        else:
            dest.inactive += 1
        dest.bound()

    def __iter__(self) -> Iterator[Conn]:
        now = self.clock.now()
        return iter([conn for conn in self._by_client.values() if conn.deadline > now])

    def find(self, key: ConnKey) -> Conn | None:
        """The entry of packets from the client, or the template. Ref: ip_vs_conn_in_get(), ip_vs_ct_in_get()."""
        return self._alive(self._by_client.get(key))

    def find_reply(self, protocol: int, server: tuple[Address, int], client: tuple[Address, int]) -> Conn | None:
        """The entry that an answer belongs to: from the real server where it is masqueraded, else from the virtual address.

        Ref: ip_vs_conn_out_get().
        """
        found = self._by_real.get(ConnKey(protocol, *client, *server))
        return self._alive(found)

    def _alive(self, conn: Conn | None) -> Conn | None:
        if conn is None:
            return None
        if conn.deadline > self.clock.now():
            return conn
        if conn.controlled:
            conn.deadline = self.clock.now() + HELD_SECONDS
            return conn
        self.remove(conn)
        return None

    def add(self, conn: Conn) -> None:
        """Put an entry in, and count it at its real server. Ref: ip_vs_conn_new(), ip_vs_bind_dest()."""
        self._by_client[conn.key] = conn
        if not conn.template:
            self._by_real[_reply_key(conn)] = conn
        conn.deadline = self.clock.now() + conn.timeout
        if conn.dest is not None:
            self.rebind(conn, conn.dest)

    def control(self, conn: Conn, template: Conn) -> None:
        """Hang a connection on its template. Ref: ip_vs_control_add()."""
        conn.control = template
        template.controlled += 1
        template.deadline = self.clock.now() + template.timeout

    def remove(self, conn: Conn) -> None:
        """Take an entry out. Ref: ip_vs_conn_expire(), ip_vs_unbind_dest()."""
        if self._by_client.get(conn.key) is not conn:
            return
        del self._by_client[conn.key]
        if not conn.template and self._by_real.get(_reply_key(conn)) is conn:
            del self._by_real[_reply_key(conn)]
        if conn.control is not None:
            conn.control.controlled -= 1
        if conn.dest is not None:
            if conn.template:
                conn.dest.persistent -= 1
            elif conn.active:
                conn.dest.active -= 1
            else:
                conn.dest.inactive -= 1
            conn.dest.unbound()

    def saw(self, conn: Conn, packet: Packet, *, reply: bool) -> None:
        """A packet of the connection went by. Ref: ip_vs_set_state(), ip_vs_conn_put()."""
        match packet.l4:
            case TCPHeader(flags=flags):
                self._saw_segment(conn, flags, reply=reply)
            case SCTPHeader(chunk=chunk):
                self._saw_chunk(conn, chunk, reply=reply)
            case _:
                conn.timeout = UDP_SECONDS
                if reply:
                    _assure(conn)
        conn.deadline = self.clock.now() + conn.timeout

    def _saw_segment(self, conn: Conn, flags: TCPFlags, *, reply: bool) -> None:
        before = conn.state if isinstance(conn.state, IpVsTcpState) else IpVsTcpState.NONE
        conn.state = next_state(before, _direction(conn, reply=reply), flags)
        if before is not conn.state is IpVsTcpState.ESTABLISHED:
            _assure(conn)
        conn.timeout = TIMEOUTS[conn.state]
        _count(conn, active=conn.state in ACTIVE)

    def _saw_chunk(self, conn: Conn, chunk: SCTPChunk, *, reply: bool) -> None:
        """Ref: set_sctp_state()."""
        before = conn.state if isinstance(conn.state, IpVsSctpState) else IpVsSctpState.NONE
        conn.state = ip_vs_proto_sctp.next_state(before, _direction(conn, reply=reply), chunk)
        if before is not conn.state is IpVsSctpState.ESTABLISHED:
            _assure(conn)
        conn.timeout = ip_vs_proto_sctp.TIMEOUTS[conn.state]
        _count(conn, active=conn.state is IpVsSctpState.ESTABLISHED)


def _direction(conn: Conn, *, reply: bool) -> str:
    """Of a connection whose answers do not come by here (until one does) packets count otherwise."""
    if not conn.no_output:
        return OUTPUT if reply else INPUT
    conn.no_output = not reply
    return OUTPUT if reply else INPUT_ONLY


def _count(conn: Conn, *, active: bool) -> None:
    if conn.dest is not None and active != conn.active:
        conn.dest.active += 1 if active else -1
        conn.dest.inactive += -1 if active else 1
    conn.active = active


def _assure(conn: Conn) -> None:
    """The template that a connection hangs on has proved good. Ref: include/net/ip_vs.h:ip_vs_control_assure_ct()."""
    if conn.control is not None:
        conn.control.state = IpVsTcpState.ESTABLISHED


def _reply_key(conn: Conn) -> ConnKey:
    """What an answer comes with: its destination as the client's end, its source as the virtual end."""
    key = conn.key
    if conn.forwarding is Forwarding.MASQUERADE:
        return ConnKey(key.protocol, key.caddr, key.cport, conn.daddr, conn.dport)
    return key
