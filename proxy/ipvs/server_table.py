"""The virtual servers of a family as they are programmed, and what ipvsadm was told to bring them there.

Where two service ports want the same destination (an external IP that two Services name), kube-proxy programs one after
the other, and the last one's stays. It walks Services in no fixed order; the emulation takes the last by name.
Ref: pkg/proxy/ipvs/proxier.go:syncService(), syncEndpoint(), cleanLegacyService() (v1.37)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netsim.net.address import Prefix
from proxy.ipvs.termination import CHECK_INTERVAL, ConnectionCounts, apply_steps, expired, succeed
from proxy.ipvs.virtual_server import RealServer, VirtualServer
from proxy.names import ServicePortName

_NONE: Mapping[str, VirtualServer] = {}


class ServerTable:
    """Virtual servers by ``VirtualServer.service``: who wants what, and what is programmed."""

    def __init__(self, excluded: tuple[Prefix, ...], connections: ConnectionCounts) -> None:
        self._excluded = excluded
        self._connections = connections
        self._wanted: dict[str, dict[ServicePortName, VirtualServer]] = {}
        self._programmed: dict[str, VirtualServer] = {}
        self._touched: dict[str, None] = {}
        self._draining: dict[str, None] = {}
        self._next_check: int | None = None
        self._told: list[str] = []

    def exchange(
        self, name: ServicePortName, before: Mapping[str, VirtualServer], after: Mapping[str, VirtualServer] = _NONE
    ) -> None:
        """Replace what a service port wants."""
        for service in before:
            if service not in after:
                wanted = self._wanted[service]
                del wanted[name]
                if not wanted:
                    del self._wanted[service]
                self._touched[service] = None
        for service, server in after.items():
            if before.get(service) != server:
                self._wanted.setdefault(service, {})[name] = server
                self._touched[service] = None

    def program(self, now: int) -> str:
        """Bring what is programmed to what is wanted. Returns what ipvsadm is told, as lines for ``ipvsadm -R``."""
        self._check(now)
        touched, self._touched = self._touched, {}
        gone = [service for service in touched if service not in self._wanted]
        for service in touched:
            if service in self._wanted:
                wanted = self._wanted[service]
                self._put(service, wanted[max(wanted)])
        for service in gone:
            self._delete(service)
        told, self._told = self._told, []
        return "".join(told)

    def snapshot(self) -> Mapping[str, VirtualServer]:
        """What is programmed."""
        return dict(self._programmed)

    @property
    def next_check(self) -> int | None:
        """When real servers of weight 0 are looked at again; None where there are none."""
        return self._next_check if self._draining else None

    def _check(self, now: int) -> None:
        """Delete real servers of weight 0 whose connections have ended, where a minute has passed."""
        if self._next_check is None:
            self._next_check = now + CHECK_INTERVAL
        if now < self._next_check:
            return
        self._next_check += ((now - self._next_check) // CHECK_INTERVAL + 1) * CHECK_INTERVAL
        for service in sorted(self._draining):
            server = self._programmed[service]
            self._apply(service, server, [("-d", real) for real in expired(server, self._connections)])

    def _put(self, service: str, wanted: VirtualServer) -> None:
        current = self._programmed.get(service)
        if current is None:
            self._told += wanted.lines()
            self._programmed[service] = wanted
            return
        if replace(current, real_servers=wanted.real_servers) != wanted:
            self._told.append(f"-E {service} {wanted.options}\n")
            current = replace(wanted, real_servers=current.real_servers)
        self._apply(service, current, list(succeed(current, wanted, self._connections)))

    def _apply(self, service: str, server: VirtualServer, steps: list[tuple[str, RealServer]]) -> None:
        self._told += [_real_server_line(verb, service, real) for verb, real in steps]
        programmed = apply_steps(server, steps) if steps else server
        self._programmed[service] = programmed
        if any(real.weight == 0 for real in programmed.real_servers):
            self._draining[service] = None
        else:
            self._draining.pop(service, None)

    def _delete(self, service: str) -> None:
        """Delete a virtual server and with it its real servers, at once. Those in excluded prefixes stay as they are."""
        server = self._programmed.get(service)
        if server is None or any(server.address in prefix for prefix in self._excluded):
            return
        del self._programmed[service]
        self._draining.pop(service, None)
        self._told.append(f"-D {service}\n")


def _real_server_line(verb: str, service: str, real: RealServer) -> str:
    options = "" if verb == "-d" else f" -m -w {real.weight}"
    return f"{verb} {service} -r {real.text}{options}\n"
