"""What a user may do, and by which rule: for ``netsim auth can-i`` and for who explains a pod's creation."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.cluster.access.attributes import Attributes, Decision
from netsim.cluster.access.rbac import grants
from netsim.cluster.access.users import MASTERS, User
from netsim.objects.meta import Key
from netsim.scenario.inspection import Inspection

EVERYTHING = "*"
HEADERS = ("VERBS", "RESOURCES", "GROUPS", "NAMES", "PATHS", "GRANTED BY")


def decide(inspection: Inspection, verb: str, what: str, namespace: str, subresource: str = "") -> Decision:
    """Whether the inspection's user may do a verb to ``pods``, ``pods/web``, ``deployments.apps``, ``*`` or a path such as ``/metrics``.

    Raises InspectionError for a resource that there is not.
    """
    if what.startswith("/"):
        request = Attributes(inspection.user, verb, path=what)
        return inspection.plane.api.authorization.decide(request)
    word, _, name = what.partition("/")
    if word == EVERYTHING:
        request = Attributes(inspection.user, verb, EVERYTHING, namespace=namespace, name=name, subresource=subresource)
        return inspection.plane.api.authorization.decide(request)
    resource = inspection.resource(word)
    return decision_of(inspection, inspection.user, verb, Key(resource.kind, namespace, name), subresource)


def decision_of(inspection: Inspection, user: User, verb: str, key: Key, subresource: str = "") -> Decision:
    """Whether a user may do a verb to an object, or (without a name) to its kind."""
    api = inspection.plane.api.acting_as(user)
    return api.authorization.decide(api.attributes(verb, key, subresource=subresource))


def rows(inspection: Inspection, namespace: str) -> Iterator[tuple[str, ...]]:
    """Every rule that allows the user something in a namespace, in the order in which they are asked."""
    if MASTERS in inspection.user.groups:
        yield "*", "*", "*", "", "*", "the group system:masters"
    for grant in grants(inspection.plane.store, inspection.user, namespace):
        rule = grant.rule
        if rule is None:
            yield "", "", "", "", "", f"{grant.source}: {grant.problem}"
            continue
        groups = [group or '""' for group in rule.groups]
        parts = (rule.verbs, rule.resources, groups, rule.names, rule.urls)
        yield *(",".join(part) for part in parts), grant.source
