"""Authorization: the union of authorizers. The first that allows or denies decides; where all have no opinion, the answer is no.

Ref: staging/src/k8s.io/apiserver/pkg/authorization/{union/union.go,authorizerfactory/builtin.go} (v1.37);
kubeadm's --authorization-mode=Node,RBAC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netsim.cluster.access.attributes import Attributes, Authorizer, Decision, Opinion
from netsim.cluster.access.node import NodeAuthorizer
from netsim.cluster.access.rbac import RBAC
from netsim.cluster.access.users import MASTERS
from netsim.cluster.errors import Forbidden
from netsim.cluster.watch_cache import WatchCache


class Masters:
    """Whoever is in system:masters may do anything, and no Role or binding takes that away."""

    name = "system:masters"

    def authorize(self, request: Attributes) -> Decision:
        """Allow who is in the group."""
        if MASTERS in request.user.groups:
            return Decision(Opinion.ALLOW, self.name, "allowed to the group system:masters")
        return Decision(Opinion.NO_OPINION, self.name)


class Authorization:
    """Authorizers, asked in their order."""

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = tuple(authorizers)

    @classmethod
    def of_kubeadm(cls, store: WatchCache) -> Authorization:
        """The authorizers of a cluster that kubeadm made."""
        return cls((Masters(), NodeAuthorizer(store), RBAC(store)))

    def opinions(self, request: Attributes) -> Iterator[Decision]:
        """What each authorizer says, up to the one that decides."""
        for authorizer in self._authorizers:
            decision = authorizer.authorize(request)
            yield decision
            if decision.opinion is not Opinion.NO_OPINION:
                return

    def decide(self, request: Attributes) -> Decision:
        """What becomes of a request; where it is refused, the reasons of all who were asked."""
        asked = list(self.opinions(request))
        if asked and asked[-1].opinion is not Opinion.NO_OPINION:
            return asked[-1]
        return Decision(Opinion.NO_OPINION, "", "\n".join(found.reason for found in asked if found.reason))

    def check(self, request: Attributes) -> Decision:
        """The decision that allows a request. Raises Forbidden in the API server's words."""
        decision = self.decide(request)
        if decision.allowed:
            return decision
        why = f"{request.forbidden}: {decision.reason}" if decision.reason else request.forbidden
        resource = f"{request.resource}.{request.group}" if request.group else request.resource
        raise Forbidden.of(resource, request.name, why)
