"""Virtual servers and real servers, and their text as ``ipvsadm -Sn`` prints it. Ref: ipvsadm 1.31, ipvsadm(8)."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.dataclass import dataclass
from netsim.net.address import Address

SERVICE_OPTIONS = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}


@dataclass(frozen=True, slots=True)
class RealServer:
    """Where connections go. The forwarding method is masquerading (``-m``), always.

    Weight 1, or 0 where it only keeps the connections that it has.
    """

    address: Address
    port: int
    weight: int = 1

    @property
    def text(self) -> str:
        """``10.244.1.2:8080`` or ``[fd00::2]:8080``: what names it, and the order in which real servers stand."""
        return address_and_port(self.address, self.port)


@dataclass(frozen=True, slots=True)
class VirtualServer:
    """A destination that IPVS balances, and its real servers in the order of their text.

    ``protocol`` is as in the API (``TCP``). ``persistence`` is the timeout of session affinity in seconds, None without.
    ``hashes_client_port`` is the flag ``mh-port`` (IP_VS_SVC_F_SCHED2).
    """

    protocol: str
    address: Address
    port: int
    scheduler: str
    persistence: int | None = None
    hashes_client_port: bool = False
    real_servers: tuple[RealServer, ...] = ()

    @property
    def service(self) -> str:
        """``-t 10.96.0.10:80``: what names it, in ipvsadm's words."""
        return f"{SERVICE_OPTIONS[self.protocol]} {address_and_port(self.address, self.port)}"

    @property
    def options(self) -> str:
        """``-s rr -p 10800``: how it balances."""
        persistence = "" if self.persistence is None else f" -p {self.persistence}"
        flags = f" -b {self.scheduler}-port" if self.hashes_client_port else ""
        return f"-s {self.scheduler}{persistence}{flags}"

    def lines(self) -> Iterator[str]:
        """The lines of ``ipvsadm -Sn`` for this virtual server."""
        service = self.service
        yield f"-A {service} {self.options}\n"
        for real in self.real_servers:
            yield f"-a {service} -r {real.text} -m -w {real.weight}\n"


def address_and_port(address: Address, port: int) -> str:
    """As Go's net.JoinHostPort."""
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
