"""Builds a topology from real network namespaces with pyroute2, and takes it down again.

Namespaces have names of the run's own (``netsim.verify.claim``), so that runs do not meet and the next run can tell what a killed one
left. Interfaces keep their modelled names, since each is made inside its own namespace. Nothing of the host's own
namespace is touched.
"""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from netsim.rules.conntrack.dump import insert_words
from netsim.rules.nft.ast import Ruleset as NftRuleset
from netsim.rules.xtables.ast import Ruleset
from netsim.topology.model import (
    Bridge,
    BridgePort,
    Device,
    Listener,
    Macvlan,
    Neighbour,
    ProxyNeighbour,
    Route,
    Topology,
)
from netsim.verify.claim import Claim, forget, namespaces_of, stale
from netsim.verify.enter import create, entered, remove
from netsim.verify.ipvs import make_virtual_servers
from netsim.verify.load_rules import load_ipsets, load_nftables, load_xtables, refusals_of, run_tool
from netsim.verify.plan import (
    AddAddress,
    AddBridge,
    AddFdb,
    AddLink,
    AddNeighbour,
    AddNetns,
    AddRoute,
    AddRule,
    AddVeth,
    Listen,
    LoadIPSets,
    LoadNftables,
    LoadXtables,
    MakeVirtualServers,
    Operation,
    SeedConntrack,
    SetPort,
    SetState,
    SetSysctl,
    operations,
)
from netsim.verify.prepared import EARLY, PATIENT, QUICK
from netsim.verify.rtnetlink import (
    fdb_values,
    flush_learnt,
    link_values,
    neighbour_values,
    route_values,
    rule_values,
    stacked_link,
)

IFF_UP, IFF_LOWER_UP = 0x1, 0x10000
LONGEST_SETTLING_S = 3.0
IFA_F_NODAD, IFA_F_NOPREFIXROUTE = 0x02, 0x200
"""IPv6 addresses are usable at once; an address brings no route to its network. Ref: include/uapi/linux/if_addr.h."""

REFUSALS = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EINVAL, errno.ENODEV})
"""What the kernel says of a route that cannot be. Ref: net/ipv4/fib_semantics.c:fib_create_info(), fib_check_nh() (v6.12)."""


def remove_stale() -> None:
    """Take down what killed runs left."""
    for run in stale():
        for name in namespaces_of(run):
            with suppress(OSError):
                remove(name)
        forget(run)


class RealNetwork:
    """A topology as real namespaces, for as long as the context lasts. ``legacy`` loads its rules with iptables-legacy.

    Raises RuntimeError where a tool refuses rules, OSError where the kernel refuses something.
    """

    def __init__(self, topology: Topology, *, legacy: bool = False) -> None:
        self.topology = topology
        self.legacy = legacy
        self._claim = Claim()
        self._names = {name: self._claim.netns(number) for number, name in enumerate(topology.namespaces)}
        self._handles: dict[str, Any] = {}
        self._indexes: dict[tuple[str, str], int] = {}
        self.listeners: list[tuple[str, Listener]] = []
        self.refused: list[tuple[str, Route]] = []
        self._patient = False

    def __enter__(self) -> RealNetwork:
        remove_stale()
        try:
            for operation in operations(self.topology):
                self._carry_out(operation)
            for name in self.topology.namespaces:
                self._prepare(name)
            self._settle()
        except BaseException:
            self.close()
            raise
        self._close_handles()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove every namespace. What is in it goes with it."""
        self._close_handles()
        for name in self._names.values():
            with suppress(OSError):
                remove(name)
        self._claim.release()

    def real_name(self, name: str) -> str:
        """The real namespace that stands for a modelled one."""
        return self._names[name]

    def load_rules(self, name: str) -> None:
        """Load the rules of a modelled namespace anew: its counters and the memory of its matches begin again."""
        for ruleset in self.topology.namespaces[name].xtables:
            self._load_xtables(name, ruleset)
        for rules in self.topology.namespaces[name].nftables:
            self._load_nftables(name, rules)

    def _load_xtables(self, name: str, ruleset: Ruleset) -> None:
        with refusals_of(name):
            load_xtables(self._names[name], ruleset, legacy=self.legacy)

    def _load_nftables(self, name: str, rules: NftRuleset) -> None:
        with refusals_of(name):
            load_nftables(self._names[name], rules)

    def _settle(self) -> None:
        """Wait until the kernel noticed every carrier: before, no bridge port forwards and no IPv6 address answers.

        Ref: net/core/link_watch.c, net/ipv6/addrconf.c:addrconf_notify() (v6.12).
        """
        end = time.monotonic() + LONGEST_SETTLING_S
        waiting = [
            self._handles[name] for name, ns in self.topology.namespaces.items() if any(map(_must_settle, ns.devices))
        ]
        while waiting and time.monotonic() < end:
            waiting = [handle for handle in waiting if any(map(_unsettled, handle.get_links()))]
            if waiting:
                time.sleep(0.02)

    def _forget_neighbours(self) -> None:
        """Empty what every namespace learnt: neighbours that are not permanent, and the databases of bridges."""
        for name, real in self._names.items():
            with entered(real), IPRoute() as asked:
                flush_learnt(asked, [self._indexes[name, device.name] for device in self._bridges(name)])

    def _bridges(self, name: str) -> list[Device]:
        return [device for device in self.topology.namespaces[name].devices if isinstance(device.kind, Bridge)]

    def _close_handles(self) -> None:
        for handle in self._handles.values():
            handle.close()
        self._handles = {}

    def _carry_out(self, operation: Operation) -> None:
        match operation:
            case AddNetns(netns=name):
                create(self._names[name])
                with entered(self._names[name]):
                    self._handles[name] = IPRoute()
                self._write(name, EARLY)
            case AddVeth(netns=name, device=device, peer_netns=peer_netns, peer=peer):
                there = {"ifname": peer.name, "net_ns_fd": self._names[peer_netns], **link_values(peer)}
                self._handles[name].link("add", ifname=device.name, kind="veth", **link_values(device), peer=there)
            case AddBridge(netns=name, device=device):
                values = {**link_values(device), "br_stp_state": 0, "br_mcast_snooping": 0}
                self._handles[name].link("add", ifname=device.name, kind="bridge", **values)
            case AddLink(netns=name, device=device):
                self._add_link(name, device)
            case SetPort(netns=name, device=device):
                self._set_port(name, device)
            case AddAddress(netns=name, device=device, address=address, noprefixroute=without_route):
                flags = (IFA_F_NODAD if address.version == 6 else 0) | (IFA_F_NOPREFIXROUTE if without_route else 0)
                extra = {"flags": flags} if flags else {}
                self._handles[name].addr(
                    "add",
                    index=self._index(name, device),
                    address=str(address.ip),
                    prefixlen=address.network.prefixlen,
                    **extra,
                )
            case _:
                self._carry_out_layer3(operation)

    def _carry_out_layer3(self, operation: Operation) -> None:
        match operation:
            case SetState(netns=name, device=device, up=up):
                self._handles[name].link("set", index=self._index(name, device), state="up" if up else "down")
            case SetSysctl(netns=name, name=sysctl, value=value):
                self._set_sysctl(name, sysctl, value)
            case AddRoute(netns=name, route=route):
                self._add_route(name, route)
            case AddRule(netns=name, rule=rule):
                self._handles[name].rule("add", **rule_values(rule))
            case AddFdb(netns=name, entry=forwarding):
                values = fdb_values(forwarding, partial(self._index, name))
                self._handles[name].fdb("append" if forwarding.dst is not None else "replace", **values)
            case AddNeighbour(netns=name, neighbour=entry):
                self._add_neighbour(name, entry)
            case _:
                self._carry_out_rules(operation)

    def _carry_out_rules(self, operation: Operation) -> None:
        match operation:
            case LoadIPSets(netns=name, sets=sets):
                load_ipsets(self._names[name], sets)
            case LoadNftables(netns=name, ruleset=rules):
                self._load_nftables(name, rules)
            case LoadXtables(netns=name, ruleset=ruleset):
                self._load_xtables(name, ruleset)
            case MakeVirtualServers(netns=name, servers=servers):
                make_virtual_servers(self._names[name], servers)
            case SeedConntrack(netns=name):
                self.seed_connections(name)
            case Listen(netns=name, listener=listener):
                self.listeners.append((name, listener))

    def _add_route(self, name: str, route: Route) -> None:
        """A route that the kernel refuses (its device is down, its gateway is on no link) is noted: the model refuses it too."""
        try:
            self._handles[name].route("add", **route_values(route, partial(self._index, name)))
        except NetlinkError as error:
            if error.code not in REFUSALS:
                raise
            self.refused.append((name, route))

    def _set_sysctl(self, name: str, sysctl: str, value: str) -> None:
        with entered(self._names[name]):
            path = _sysctl_path(sysctl)
            if not path.exists():
                raise FileNotFoundError(errno.ENOENT, f"{sysctl} is no sysctl of a network namespace of its own")
            path.write_text(value, encoding="ascii")

    def seed_connections(self, name: str) -> None:
        """Insert the connections that a modelled namespace has before any packet walks. Raises RuntimeError with conntrack's message."""
        for entry in self.topology.namespaces[name].conntrack:
            run_tool(self._names[name], ["conntrack", *insert_words(entry)])

    def begin_afresh(self) -> None:
        """Empty what every namespace learnt (neighbours, bridges' databases), and give ARP more time from now on."""
        self._patient = True
        for name in self._names:
            self._write(name, PATIENT)
        self._forget_neighbours()

    def be_quick(self) -> None:
        """Give ARP little time again."""
        if self._patient:
            self._patient = False
            for name in self._names:
                self._prepare(name)

    def _prepare(self, name: str) -> None:
        self._write(name, QUICK)

    def _write(self, name: str, settings: tuple[tuple[str, str, str], ...]) -> None:
        with entered(self._names[name]):
            for pattern, value, _ in settings:
                for path in sorted(Path("/proc/sys").glob(pattern)):
                    path.write_text(value, encoding="ascii")

    def _index(self, name: str, device: str) -> int:
        if (name, device) not in self._indexes:
            found = self._handles[name].link_lookup(ifname=device)
            if not found:
                raise LookupError(f"{name} has no device {device}")
            self._indexes[name, device] = int(found[0])
        return self._indexes[name, device]

    def _add_neighbour(self, name: str, entry: Neighbour | ProxyNeighbour) -> None:
        self._handles[name].neigh("add", **neighbour_values(entry, self._index(name, entry.device)))

    def _add_link(self, name: str, device: Device) -> None:
        """A device that stands on another one is made beside that, and moved where it belongs."""
        base = device.kind.parent.netns if isinstance(device.kind, Macvlan) else name
        there = {"net_ns_fd": self._names[name]} if base != name else {}
        values = stacked_link(device, partial(self._index, base))
        try:
            self._handles[base].link("add", ifname=device.name, **values, **there)
        except NetlinkError as error:
            raise OSError(error.code, f"this kernel makes no {values['kind']} device {device.name}") from error

    def _set_port(self, name: str, device: Device) -> None:
        port = device.port
        assert isinstance(port, BridgePort)
        index = self._index(name, device.name)
        self._handles[name].link("set", index=index, master=self._index(name, port.master))
        self._handles[name].brport(
            "set", index=index, mode=int(port.hairpin), learning=int(port.learning), isolated=int(port.isolated)
        )


def _must_settle(device: Device) -> bool:
    return device.port is not None or any(each.version == 6 for each in device.addresses if not each.is_loopback)


def _unsettled(link: Any) -> bool:
    """A device with a carrier whose operational state does not say so yet."""
    with_carrier = link["flags"] & (IFF_UP | IFF_LOWER_UP) == IFF_UP | IFF_LOWER_UP
    return bool(with_carrier and link.get_attr("IFLA_OPERSTATE") in ("DOWN", "LOWERLAYERDOWN"))


def _sysctl_path(name: str) -> Path:
    """A sysctl's file. A device's name may hold dots, so of ``conf`` only the ends are split."""
    head, *tail = name.split(".")
    if tail[:2] in (["ipv4", "conf"], ["ipv6", "conf"]):
        tail = [*tail[:2], ".".join(tail[2:-1]), tail[-1]]
    return Path("/proc/sys", head, *tail)
