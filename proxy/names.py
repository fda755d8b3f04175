"""What names a Service, one of its ports, and one of its endpoints in every table of the proxy."""

from __future__ import annotations

from typing import NamedTuple


class NamespacedName(NamedTuple):
    """A namespaced object's name. Sorts by namespace, then name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class ServicePortName(NamedTuple):
    """What names one port of one Service: the key of every map of plans. Sorts by namespace, name, port, protocol.

    ``protocol`` is as in the API (``TCP``). Two ports of a Service may share a port name only if their protocols differ,
    and ``str()`` leaves the protocol out, as kube-proxy's comments do.
    Ref: pkg/proxy/types.go:ServicePortName (v1.37)
    """

    namespace: str
    name: str
    port: str
    protocol: str

    @property
    def service(self) -> NamespacedName:
        """The Service that the port belongs to."""
        return NamespacedName(self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}:{self.port}" if self.port else f"{self.namespace}/{self.name}"
