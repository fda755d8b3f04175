"""The controllers that keep identities and roles: each namespace's default ServiceAccount and root certificate, aggregated ClusterRoles.

Ref: pkg/controller/serviceaccount/serviceaccounts_controller.go, pkg/controller/certificates/rootcacertpublisher/publisher.go,
pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from netsim.cluster.admission.service_account import default_account
from netsim.cluster.context import Context
from netsim.cluster.documents import canonical, list_at, with_value, without
from netsim.cluster.selectors import of_label_selector
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Json
from netsim.objects.meta import Key, Object

ROOT_CA: Final = "kube-root-ca.crt"
_CERTIFICATE: Final = (
    "-----BEGIN CERTIFICATE-----\nbmV0c2ltOiBubyBjZXJ0aWZpY2F0ZSBpcyBtb2RlbGxlZA==\n-----END CERTIFICATE-----\n"
)


def root_certificate(namespace: str) -> Object:
    """The ConfigMap from which a namespace's pods know the API server's certificate."""
    said = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints"
    more = "such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across"
    metadata: dict[str, Json] = {
        "name": ROOT_CA,
        "namespace": namespace,
        "annotations": {"kubernetes.io/description": f"{said} {more} distributions of Kubernetes clusters."},
    }
    return Object.of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": _CERTIFICATE}})


class _EachNamespace:
    """Keeps one object in every namespace that is not being deleted."""

    name = ""
    kind = ""
    object_name = ""

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._store = context.store
        self._namespaces = context.informers.of("Namespace")
        self._namespaces.add_handler(self._namespace_changed)
        context.informers.of(self.kind).add_handler(self._object_changed)

    def made(self, namespace: str) -> Object:
        """The object of a namespace."""
        raise NotImplementedError

    def sync(self, key: Key) -> None:
        """Make the object where it is not there."""
        namespace = self._namespaces.get(key)
        if namespace is None or namespace.metadata.deletion_timestamp is not None:
            return
        if self._store.find(Key(self.kind, key.name, self.object_name)) is None:
            self._store.create(self.made(key.name))

    def _namespace_changed(self, before: Object | None, item: Object | None) -> None:
        if before is None and item is not None:
            self.queue.add(item.key)

    def _object_changed(self, before: Object | None, item: Object | None) -> None:
        if item is None and before is not None and before.metadata.name == self.object_name:
            self.queue.add(Key("Namespace", "", before.metadata.namespace))


class ServiceAccountController(_EachNamespace):
    """Every namespace has a ServiceAccount ``default``."""

    name, kind, object_name = "service-account-controller", "ServiceAccount", "default"

    def made(self, namespace: str) -> Object:
        """The account of a namespace."""
        return default_account(namespace)


class RootCACertPublisher(_EachNamespace):
    """Every namespace has the ConfigMap ``kube-root-ca.crt``."""

    name, kind, object_name = "root-ca-certificate-publisher-controller", "ConfigMap", ROOT_CA

    def made(self, namespace: str) -> Object:
        """The ConfigMap of a namespace."""
        return root_certificate(namespace)


_AGGREGATES: Final = "aggregates"


class ClusterRoleAggregationController:
    """A ClusterRole with an ``aggregationRule`` has the rules of those that it selects, in the order of their names."""

    name = "clusterrole-aggregation-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._store = context.store
        self._roles = context.informers.of("ClusterRole")
        self._roles.add_index(_AGGREGATES, lambda role: ("yes",) if _selectors(role) else ())
        self._roles.add_handler(self._changed)

    def sync(self, key: Key) -> None:
        """Bring one ClusterRole's rules up to date."""
        role = self._roles.get(key)
        if role is None or role.metadata.deletion_timestamp is not None or not _selectors(role):
            return
        rules = aggregated(role, self._roles.all())
        if canonical(rules) != canonical(list_at(role.document, "rules")):
            document = without(with_value(role.document, ("rules",), rules), ("metadata", "resourceVersion"))
            self._store.update(Object.of(document))

    def _changed(self, _: Object | None, __: Object | None) -> None:
        for role in self._roles.by_index(_AGGREGATES, "yes"):
            self.queue.add(role.key)


def aggregated(role: Object, roles: Iterable[Object]) -> list[Json]:
    """The rules of the ClusterRoles that a role's ``aggregationRule`` selects, each rule once."""
    selectors = [of_label_selector(selector) for selector in _selectors(role)]
    rules: dict[str, Json] = {}
    for other in roles:
        if other.metadata.name != role.metadata.name and any(
            selector.matches(other.metadata.labels) for selector in selectors
        ):
            for rule in list_at(other.document, "rules"):
                rules.setdefault(canonical(rule), rule)
    return list(rules.values())


def _selectors(role: Object) -> list[Json]:
    found = list_at(role.document, "aggregationRule", "clusterRoleSelectors")
    return [selector for selector in found if isinstance(selector, Mapping)]
