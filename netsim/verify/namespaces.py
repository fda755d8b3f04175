"""Builds a topology from real network namespaces with pyroute2, and takes it down again.

Namespaces are named ``netsim-PID-N``: the PID is this process's, so that runs do not meet, and so that the next run can tell
what a killed one left. Interfaces keep their modelled names, since each is made inside its own namespace. Nothing of the host's
own namespace is touched.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from pyroute2 import NetNS, netns

from netsim.net.address import Family
from netsim.rules.xtables.ast import Ruleset
from netsim.rules.xtables.dump import dump
from netsim.topology.model import BridgePort, Device, Route, Topology
from netsim.verify.agent import Agent, OpenListener, WriteSysctl
from netsim.verify.plan import (
    AddAddress,
    AddBridge,
    AddNeighbour,
    AddNetns,
    AddRoute,
    AddVeth,
    Listen,
    LoadXtables,
    Operation,
    SetPort,
    SetState,
    SetSysctl,
    operations,
)

_NAME = re.compile(r"netsim-(\d+)-\d+")


def stale() -> Iterator[str]:
    """Names of namespaces that a run left whose process is gone."""
    for name in netns.listnetns():
        found = _NAME.fullmatch(str(name))
        if found and not Path("/proc", found[1]).exists():
            yield str(name)


class RealNetwork:
    """A topology as real namespaces, for as long as the context lasts."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._names = {name: f"netsim-{os.getpid()}-{i}" for i, name in enumerate(topology.namespaces)}
        self._handles: dict[str, Any] = {}
        self._agents: dict[str, Agent] = {}
        self._clients: dict[str, Agent] = {}

    def __enter__(self) -> RealNetwork:
        for name in stale():
            netns.remove(name)
        try:
            for operation in operations(self._topology):
                self._carry_out(operation)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every agent and remove every namespace."""
        for agent in (*self._agents.values(), *self._clients.values()):
            agent.stop()
        for handle in self._handles.values():
            handle.close()
        for name in self._names.values():
            with suppress(OSError):
                netns.remove(name)
        self._agents, self._clients, self._handles = {}, {}, {}

    @property
    def listening(self) -> tuple[str, ...]:
        """The modelled names of the namespaces that have listeners."""
        return tuple(name for name, netns in self._topology.namespaces.items() if netns.listeners)

    def real_name(self, name: str) -> str:
        """The real namespace that stands for a modelled one."""
        return self._names[name]

    def agent(self, name: str) -> Agent:
        """The agent that listens in a namespace."""
        return self._agent(self._agents, name)

    def client(self, name: str) -> Agent:
        """The agent that connects from a namespace."""
        return self._agent(self._clients, name)

    def _agent(self, agents: dict[str, Agent], name: str) -> Agent:
        if name not in agents:
            agents[name] = Agent(self._names[name], netns.setns)
        return agents[name]

    def _carry_out(self, operation: Operation) -> None:
        match operation:
            case AddNetns(netns=name):
                netns.create(self._names[name])
                self._handles[name] = NetNS(self._names[name])
            case AddVeth(netns=name, device=device, peer_netns=peer_netns, peer=peer):
                there = {"ifname": peer.name, "net_ns_fd": self._names[peer_netns], **_link_values(peer)}
                self._handles[name].link("add", ifname=device.name, kind="veth", **_link_values(device), peer=there)
            case AddBridge(netns=name, device=device):
                values = {**_link_values(device), "br_stp_state": 0, "br_mcast_snooping": 0}
                self._handles[name].link("add", ifname=device.name, kind="bridge", **values)
            case SetPort(netns=name, device=device):
                self._set_port(name, device)
            case AddAddress(netns=name, device=device_name, address=address):
                extra = {"flags": 0x02} if address.version == 6 else {}  # IFA_F_NODAD: usable at once
                self._handles[name].addr(
                    "add",
                    index=self._index(name, device_name),
                    address=str(address.ip),
                    prefixlen=address.network.prefixlen,
                    **extra,
                )
            case SetState(netns=name, device=device_name, up=up):
                self._handles[name].link("set", index=self._index(name, device_name), state="up" if up else "down")
            case SetSysctl(netns=name, name=sysctl, value=value):
                self.agent(name).ask(WriteSysctl(sysctl, value))
            case AddRoute(netns=name, route=route):
                self._handles[name].route("add", **self._route_values(name, route))
            case AddNeighbour(netns=name, neighbour=entry):
                index = self._index(name, entry.device)
                self._handles[name].neigh(
                    "add", dst=str(entry.address), lladdr=str(entry.mac), ifindex=index, state="permanent"
                )
            case LoadXtables(netns=name, ruleset=ruleset):
                load_xtables(self._names[name], ruleset)
            case Listen(netns=name, listener=listener):
                self.agent(name).ask(OpenListener(listener))

    def _index(self, name: str, device: str) -> int:
        found = self._handles[name].link_lookup(ifname=device)
        if not found:
            raise LookupError(f"{name} has no device {device}")
        return int(found[0])

    def _set_port(self, name: str, device: Device) -> None:
        port = device.port
        assert isinstance(port, BridgePort)
        index = self._index(name, device.name)
        self._handles[name].link("set", index=index, master=self._index(name, port.master))
        self._handles[name].brport(
            "set", index=index, mode=int(port.hairpin), learning=int(port.learning), isolated=int(port.isolated)
        )

    def _route_values(self, name: str, route: Route) -> dict[str, object]:
        values: dict[str, object] = {"dst": str(route.to), "type": route.type.value}
        if route.to.prefixlen == 0:
            values["dst"] = "default"
            values["family"] = 2 if route.to.version == 4 else 10
        if route.via is not None:
            values["gateway"] = str(route.via)
        if route.device is not None:
            values["oif"] = self._index(name, route.device)
        if route.source is not None:
            values["prefsrc"] = str(route.source)
        if route.metric:
            values["priority"] = route.metric
        if route.onlink:
            values["flags"] = 4  # RTNH_F_ONLINK
        return values


def _link_values(device: Device) -> dict[str, object]:
    return {"address": str(device.mac), "mtu": device.mtu}


_LOADERS: dict[Family, str] = {Family.IPV4: "iptables-restore", Family.IPV6: "ip6tables-restore"}


def load_xtables(real_name: str, ruleset: Ruleset) -> None:
    """Load iptables rules into a real namespace. Raises RuntimeError with the tool's message where it refuses them."""
    words = ["ip", "netns", "exec", real_name, _LOADERS[ruleset.family]]
    done = subprocess.run(words, input=dump(ruleset), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{words[-1]} refused the rules of {real_name}: {done.stderr.strip()}")
