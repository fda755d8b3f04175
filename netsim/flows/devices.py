"""A namespace's devices taken apart: those that lead to one pod or host each take part in a flow only if what is behind them does."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Set
from dataclasses import dataclass, fields

from netsim.flows.codes import Code, calls, code_of
from netsim.flows.shapes import Shape
from netsim.topology.model import IPIP, Device, Dummy, Netns, Veth, Vxlan

OF_NAMES = frozenset({"name", "kind", "mac", "addresses", "port"})
"""Fields of a Device that are told apart from names, or are names."""

_PER_DEVICE = ("conf", "neigh")


@dataclass(frozen=True, slots=True)
class _Device:
    """One device; ``codes`` are its addresses and, of a tunnel, its ends'.

    ``behind`` is the namespace behind it, ``sysctls`` only those of one that takes its name from what it leads to.
    """

    name: str
    form: Hashable
    codes: tuple[Code, ...]
    behind: str | None
    sysctls: tuple[tuple[str, str], ...]
    dummy: frozenset[Code] | None


class DeviceTable:
    """The devices of one namespace. ``renamed`` are those that lead to one pod or host each, by the namespace behind them."""

    def __init__(self, spec: Netns, stands_for: Callable[[Veth], bool], number: Callable[[Hashable], int]) -> None:
        self.renamed = {
            d.name: d.kind.peer.netns for d in spec.devices if isinstance(d.kind, Veth) and stands_for(d.kind)
        }
        self.sysctls, per_device = self._sysctls(spec)
        self._number = number
        self._kept: list[tuple[int, _Device]] = []
        self._by_peer: dict[str, list[tuple[int, _Device]]] = {}
        for order, device in enumerate(spec.devices):
            found = self._device(device, tuple(per_device.get(device.name, ())))
            if device.name not in self.renamed:
                self._kept.append((order, found))
            else:
                self._by_peer.setdefault(self.renamed[device.name], []).append((order, found))

    def _sysctls(self, spec: Netns) -> tuple[tuple[tuple[str, str], ...], Mapping[str, list[tuple[str, str]]]]:
        """The namespace's own sysctls, and those of renamed devices without their names."""
        plain: list[tuple[str, str]] = []
        per_device: dict[str, list[tuple[str, str]]] = {}
        for name, value in sorted(spec.sysctls.items()):
            device = _device_of(name)
            if device in self.renamed:
                per_device.setdefault(device, []).append((name.replace(f".{device}.", ".*."), value))
            else:
                plain.append((name, value))
        return tuple(plain), per_device

    def _device(self, device: Device, sysctls: tuple[tuple[str, str], ...]) -> _Device:
        shape = Shape()
        rest = tuple((e.name, shape.add(getattr(device, e.name))) for e in fields(Device) if e.name not in OF_NAMES)
        kind: Hashable
        if isinstance(device.kind, Veth):
            kind = ("veth", device.kind.peer.device if device.name in self.renamed else "")
        else:
            kind = shape.add(device.kind)
        port = None if device.port is None else shape.add(device.port)
        of_hosts = bears_hosts(device)
        lengths = () if of_hosts else tuple(a.network.prefixlen for a in device.addresses)
        codes = tuple(code_of(a.ip) for a in device.addresses if device.name != "lo")
        form = self._number((rest, kind, port, device.mac.value == 0, lengths))
        behind = device.kind.peer.netns if isinstance(device.kind, Veth) else None
        dummy = frozenset(codes) if of_hosts else None
        return _Device(device.name, form, (*(() if of_hosts else codes), *shape.exact), behind, sysctls, dummy)

    def forms(self, machines: Mapping[str, int], addresses: Mapping[Code, int], words: Set[str]) -> Hashable:
        """The devices, those left out that lead to what is no concern of the flow. ``words`` are those that rules compare devices with."""
        kept = tuple(
            [
                (d.form, d.name, -1 if d.behind is None else machines.get(d.behind, -1), _numbers(d, addresses))
                for _, d in self._kept
            ]
        )
        ports = [
            (order, machines[peer], d.form, tuple(sorted(w for w in words if calls(w, d.name))), d.sysctls, _numbers(d, addresses))
            for peer in (self._by_peer.keys() & machines.keys())
            for order, d in self._by_peer[peer]
        ]  # fmt: skip
        ports.sort()
        return (kept, tuple([port[1:] for port in ports]))

    def ports_to(self, netns: str) -> Hashable:
        """The devices that lead to one namespace."""
        return tuple((device.form, device.sysctls) for _, device in self._by_peer.get(netns, ()))


def bears_hosts(device: Device) -> bool:
    """True for a dummy device with nothing but single addresses, as ``kube-ipvs0``: there may be thousands, and no network behind any."""
    lengths = (each.network.prefixlen == each.network.max_prefixlen for each in device.addresses)
    return isinstance(device.kind, Dummy) and all(lengths)


def tunnel_ends(device: Device) -> tuple[Code, ...]:
    """The addresses that a tunnel was given for its own packets."""
    if not isinstance(device.kind, Vxlan | IPIP):
        return ()
    return tuple(code_of(end) for end in (device.kind.local, device.kind.remote) if end is not None)


def _numbers(device: _Device, addresses: Mapping[Code, int]) -> tuple[int, ...]:
    if device.dummy is not None:
        return tuple(sorted([addresses[code] for code in addresses.keys() & device.dummy]))
    return tuple([addresses.get(code, -1) for code in device.codes])


def _device_of(sysctl: str) -> str:
    parts = sysctl.split(".")
    return parts[3] if len(parts) > 4 and parts[2] in _PER_DEVICE else ""
