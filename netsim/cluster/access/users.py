"""Users: names and groups, and what a request brings to say who it is of.

Ref: staging/src/k8s.io/apiserver/pkg/authentication/{user/user.go,serviceaccount/util.go} (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from netsim.dataclass import dataclass

MASTERS: Final = "system:masters"
AUTHENTICATED: Final = "system:authenticated"
UNAUTHENTICATED: Final = "system:unauthenticated"
NODES: Final = "system:nodes"
NODE_PREFIX: Final = "system:node:"
SERVICE_ACCOUNTS: Final = "system:serviceaccounts"
SERVICE_ACCOUNT_PREFIX: Final = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class User:
    """Who a request is of. ``extra``: further words of the authenticator, such as the pod that a token is bound to."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def node_name(self) -> str | None:
        """The node whose kubelet this is, None for anybody else. Ref: pkg/auth/nodeidentifier/default.go."""
        if NODES not in self.groups or not self.name.startswith(NODE_PREFIX):
            return None
        return self.name.removeprefix(NODE_PREFIX)


ANONYMOUS: Final = User("system:anonymous", (UNAUTHENTICATED,))
ADMIN: Final = User("kubernetes-admin", ("kubeadm:cluster-admins", AUTHENTICATED))
"""The user of kubeadm's admin.conf, who applies what netsim is given."""


def service_account_name(namespace: str, name: str) -> str:
    """The user name of a ServiceAccount."""
    return f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"


def service_account(namespace: str, name: str, uid: str = "") -> User:
    """The user that a ServiceAccount is."""
    groups = (SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}", AUTHENTICATED)
    return User(service_account_name(namespace, name), groups, uid)


def impersonated(name: str, groups: tuple[str, ...] = ()) -> User:
    """The user that ``--as NAME --as-group GROUP`` means.

    A ServiceAccount has its groups without being given them. Ref: apiserver/pkg/endpoints/filters/impersonation (v1.37).
    """
    if name.startswith(SERVICE_ACCOUNT_PREFIX) and name.count(":") == 3 and not groups:
        _, _, namespace, account = name.split(":")
        return service_account(namespace, account)
    if name == ANONYMOUS.name:
        return User(name, groups or (UNAUTHENTICATED,))
    return User(name, groups if AUTHENTICATED in groups else (*groups, AUTHENTICATED))


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client certificate's subject, whose signature somebody has checked: CN is the user, each O a group."""

    common_name: str
    organizations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brings: a bearer token, a certificate, both or nothing."""

    token: str = ""
    certificate: Certificate | None = None
