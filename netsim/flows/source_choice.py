"""Which address a machine gives a packet as its source, where it is not simply one of the device's that it leaves by."""

from __future__ import annotations

from netsim.flows.codes import Code, address_of, code_of
from netsim.stack.addrconf import GLOBAL_SCOPE, ipv6_addr_scope
from netsim.stack.fib import address_scope, addresses_of
from netsim.stack.fib_trie import Scope
from netsim.stack.ip6_fib import Fib6
from netsim.stack.sysctl import Sysctls
from netsim.topology.model import Device, Netns


def first_address(device: Device) -> Code | None:
    """The first IPv4 address of a device that means something elsewhere, None where it has none."""
    return next((code_of(a.ip) for a in addresses_of(device) if address_scope(a) is Scope.UNIVERSE), None)


def spare_address(spec: Netns) -> Code | None:
    """What a machine gives a packet of IPv4 that leaves by a device without an address.

    Ref: net/ipv4/devinet.c:inet_select_addr() (v6.12).
    """
    return next((code for device in spec.devices if (code := first_address(device)) is not None), None)


class Choice6:
    """The choices of one machine among its IPv6 addresses, by RFC 6724, which compares their bits with the destination's."""

    def __init__(self, spec: Netns) -> None:
        self._spec = spec
        self._fib: Fib6 | None = None
        self._single = {device.name: _globals(device) == 1 for device in spec.devices}

    def source(self, device: str, code: Code) -> Code | None:
        """The source for a packet to an address that leaves by a device; None where the device has one address for all of them."""
        if self._single.get(device, True):
            return None
        if self._fib is None:
            spec = self._spec
            self._fib = Fib6(spec, {each.name: each for each in spec.devices}, Sysctls(spec.sysctls))
        found = self._fib.select_source(device, address_of(code))
        return None if found is None else code_of(found)


def _globals(device: Device) -> int:
    return sum(a.version == 6 and ipv6_addr_scope(a.ip) == GLOBAL_SCOPE for a in device.addresses)
