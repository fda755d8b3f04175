"""What the sysctls of one network namespace say, by the kernel's own ways of asking.

Ref: include/linux/inetdevice.h IN_DEV_* (v6.12). Values and defaults are ``netsim.topology.sysctl``'s.
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.topology import sysctl as table


class Sysctls:
    """The values in one namespace, each read once."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._set = table.canonical_names(values)
        self._read: dict[str, int] = {}

    def get(self, name: str) -> int:
        """The value of a sysctl that is one number; raises KeyError for a name that netsim does not know."""
        value = self._read.get(name)
        if value is None:
            value = self._read[name] = int(table.read_canonical(self._set, name))
        return value

    def conf(self, device: str, key: str) -> int:
        """``IN_DEV_CONF_GET``: the device's own value."""
        return self.get(f"net.ipv4.conf.{device.replace('.', '/')}.{key}")

    def conf6(self, device: str, key: str) -> int:
        """``idev->cnf``: an IPv6 device's own value."""
        return self.get(f"net.ipv6.conf.{device.replace('.', '/')}.{key}")

    def any_conf(self, device: str, key: str) -> bool:
        """``IN_DEV_ORCONF``: set for all devices, or for this one."""
        return bool(self.get(f"net.ipv4.conf.all.{key}") or self.conf(device, key))

    def max_conf(self, device: str, key: str) -> int:
        """``IN_DEV_MAXCONF``: the larger of all and the device's."""
        return max(self.get(f"net.ipv4.conf.all.{key}"), self.conf(device, key))

    def forwarding(self, device: str) -> bool:
        """``IN_DEV_FORWARD``: packets that come in on the device may be forwarded."""
        return bool(self.conf(device, "forwarding"))
