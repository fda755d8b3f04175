"""What a request asks for, as authorizers see it, and what they answer.

Ref: staging/src/k8s.io/apiserver/pkg/authorization/authorizer/interfaces.go, endpoints/handlers/responsewriters/errors.go (v1.37).
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Protocol

from netsim.cluster.access.users import User
from netsim.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Attributes:
    """A request. ``resource`` is the plural, empty for a path that is no resource (``/metrics``); ``fields`` the field selector."""

    user: User
    verb: str
    resource: str = ""
    group: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    path: str = ""
    fields: str = ""

    @property
    def combined(self) -> str:
        """``pods/status``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def forbidden(self) -> str:
        """``User "x" cannot create resource "pods" in API group "" in the namespace "y"``. Ref: errors.go:forbiddenMessage()."""
        user = json.dumps(self.user.name, ensure_ascii=False)
        if not self.resource:
            return f'User {user} cannot {self.verb} path "{self.path}"'
        scope = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        return f'User {user} cannot {self.verb} resource "{self.combined}" in API group "{self.group}" {scope}'


class Opinion(Enum):
    """What an authorizer says. Who has no opinion leaves it to the next."""

    ALLOW = "allow"
    DENY = "deny"
    NO_OPINION = "no opinion"


@dataclass(frozen=True, slots=True)
class Decision:
    """An opinion, whose it is, and why: ``RBAC: allowed by ClusterRoleBinding "x" of ClusterRole "y" to User "z"``."""

    opinion: Opinion
    by: str = ""
    reason: str = ""

    @property
    def allowed(self) -> bool:
        """True where the request may go on."""
        return self.opinion is Opinion.ALLOW


class Authorizer(Protocol):
    """One of those who are asked."""

    name: str

    def authorize(self, request: Attributes) -> Decision:
        """Whether a request may be done."""
