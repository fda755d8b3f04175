"""The chain: every plugin may change a new object, then every plugin may refuse it.

Policies, webhooks and the plugins that are not here are not modelled. Ref: pkg/kubeapiserver/options/plugins.go:AllOrderedPlugins (v1.37).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from netsim.cluster.admission.limits import limit_ranger, limit_ranger_defaults
from netsim.cluster.admission.namespace import namespace_lifecycle
from netsim.cluster.admission.plugin import Plugin
from netsim.cluster.admission.pod_security import pod_security
from netsim.cluster.admission.priority import default_toleration_seconds, priority
from netsim.cluster.admission.quota import resource_quota
from netsim.cluster.admission.service_account import service_account
from netsim.cluster.admission.storage import default_storage_class
from netsim.objects.meta import Key, Object

if TYPE_CHECKING:
    from netsim.cluster.store import Store

CHAIN: tuple[Plugin, ...] = (
    # NamespaceLifecycle is first: nothing else needs to be asked where there is no place for the object.
    Plugin("NamespaceLifecycle", mutate=namespace_lifecycle),
    Plugin("LimitRanger", mutate=limit_ranger_defaults, validate=limit_ranger),
    Plugin("ServiceAccount", mutate=service_account),
    Plugin("PodSecurity", validate=pod_security),
    Plugin("Priority", mutate=priority),
    Plugin("DefaultTolerationSeconds", mutate=default_toleration_seconds),
    Plugin("DefaultStorageClass", mutate=default_storage_class),
    # ResourceQuota is last: it counts what the others have left of the object.
    Plugin("ResourceQuota", validate=resource_quota),
)


Between: TypeAlias = Callable[[Object], Object]
"""What is done to an object when the chain has changed it, before the chain refuses it: it is completed and validated."""


def admit(item: Object, store: Store, between: Between = lambda item: item) -> Object:
    """The object as the whole chain leaves it. Raises StatusError where a plugin refuses it."""
    return _admit(item, store, between)[0]


def _admit(item: Object, store: Store, between: Between) -> tuple[Object, tuple[str, ...]]:
    changed: tuple[str, ...] = ()
    for plugin in CHAIN:
        if plugin.mutate is not None:
            after = plugin.mutate(item, store)
            if after is not item:
                item, changed = after, (*changed, plugin.name)
    item = between(item)
    for plugin in CHAIN:
        if plugin.validate is not None:
            plugin.validate(item, store)
    return item, changed


class Admission:
    """The chain, and which of its plugins changed what: for who asks how an object came to be as it is."""

    def __init__(self) -> None:
        self._changed: dict[Key, tuple[str, ...]] = {}

    def admit(self, item: Object, store: Store, between: Between = lambda item: item) -> Object:
        """The object as the whole chain leaves it. Raises StatusError where a plugin refuses it."""
        after, changed = _admit(item, store, between)
        if changed:
            self._changed[after.key] = changed
        return after

    def changes(self) -> tuple[tuple[Key, tuple[str, ...]], ...]:
        """Every object that was changed, and by which plugins."""
        return tuple(sorted(self._changed.items()))

    def restore(self, key: Key, plugins: tuple[str, ...]) -> None:
        """Know again what changed an object."""
        self._changed[key] = plugins

    def changed_by(self, key: Key) -> tuple[str, ...]:
        """The plugins that changed an object when it was last made, in their order."""
        return self._changed.get(key, ())
