"""Elements of sets and maps, and how they are kept equal to what the Services ask for.

Several service ports may ask for the same element: all ports of a Service have its cluster IP, two Services may share an
endpoint or (by mistake) an external address. An element goes when none asks for it any longer. Where they disagree about
its value, the service port whose name sorts last has it; kube-proxy walks them in no fixed order and the last one wins.

What is compared is the value, not the comment: as in kube-proxy, an element whose value is right keeps the comment of the
service port for which it was added. Ref: pkg/proxy/nftables/proxier.go:nftElementStorage (v1.37)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from proxy.names import ServicePortName


class Element(NamedTuple):
    """An element of a set (``value`` empty) or map. ``key`` and ``value`` are text; ``comment`` may be empty."""

    container: str
    key: str
    value: str = ""
    comment: str = ""

    def body(self) -> str:
        """What stands between the braces where it is added. The comment is the key's, so it comes before the value."""
        comment = f' comment "{self.comment}"' if self.comment else ""
        return f"{self.key}{comment} : {self.value}" if self.value else f"{self.key}{comment}"


class ElementStorage:
    """The elements of one set or map, and who asks for them."""

    def __init__(self, where: str, container: str) -> None:
        self._add = f"add element {where} {container} {{ "
        self._delete = f"delete element {where} {container} {{ "
        self._elements: dict[str, Element] = {}
        self._claims: dict[str, dict[ServicePortName, Element]] = {}
        self._last: dict[
            str, ServicePortName
        ] = {}  # of several service ports, the one that sorts last, until it is released
        self._released: dict[str, None] = {}

    def reset(self) -> None:
        """Forget everything: the set or map was emptied."""
        self._elements.clear()
        self._claims.clear()
        self._last.clear()
        self._released.clear()

    def snapshot(self) -> Mapping[str, Element]:
        """The elements by key, as they are now."""
        return self._elements.copy()

    def claim(self, name: ServicePortName, element: Element) -> str:
        """Note that a service port asks for an element. Returns the statements that it takes, mostly none or one."""
        key = element.key
        claims = self._claims.get(key)
        if claims is None:
            self._claims[key] = {name: element}
        else:
            claims[name] = element
            last = self._last.get(key)
            if last is not None and last < name:
                self._last[key] = name
            element = self._strongest(key, claims)
        return self._put(element)

    def release(self, name: ServicePortName, key: str) -> None:
        """Note that a service port no longer asks for an element; ``settle`` sees to what follows.

        After a ``reset`` there is nothing to take back.
        """
        claims = self._claims.get(key)
        if claims is not None:
            claims.pop(name, None)
            self._released[key] = None
            if self._last.get(key) == name:
                del self._last[key]

    def settle(self) -> str:
        """The statements that the releases since the last call take, once all claims are known."""
        statements = []
        for key in self._released:
            claims = self._claims.get(key)
            if claims:
                statements.append(self._put(self._strongest(key, claims)))
                continue
            self._claims.pop(key, None)
            if self._elements.pop(key, None) is not None:
                statements.append(f"{self._delete}{key} }}\n")
        self._released.clear()
        return "".join(statements)

    def _strongest(self, key: str, claims: Mapping[ServicePortName, Element]) -> Element:
        """What the service port asks for that sorts last. A thousand Services may share an endpoint, so it is looked for rarely."""
        last = self._last.get(key)
        if last is None:
            last = self._last[key] = max(claims)
        return claims[last]

    def _put(self, element: Element) -> str:
        current = self._elements.get(element.key)
        if current is not None and current.value == element.value:
            return ""
        self._elements[element.key] = element
        add = f"{self._add}{element.body()} }}\n"
        return add if current is None else f"{self._delete}{element.key} }}\n{add}"
