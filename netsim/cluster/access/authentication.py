"""Authentication: who a request is of. The authenticators are asked in turn; the first that knows the credentials answers.

A token that nobody knows is refused even where anonymous requests are let in. Ref: pkg/kubeapiserver/authenticator/config.go:New(),
staging/src/k8s.io/apiserver/pkg/authentication/request/{x509,bearertoken,anonymous} (v1.37).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from netsim.cluster.access.tokens import Refused, TokenAuthority
from netsim.cluster.access.users import ANONYMOUS, AUTHENTICATED, Credentials, User
from netsim.cluster.clock import VirtualClock
from netsim.cluster.documents import mapping_at
from netsim.cluster.errors import Unauthorized
from netsim.cluster.watch_cache import WatchCache
from netsim.dataclass import dataclass
from netsim.objects.meta import Key, Object

_BOOTSTRAP = "bootstrap.kubernetes.io/token"


@dataclass(frozen=True, slots=True)
class Identity:
    """A user, and which authenticator knew them."""

    user: User
    by: str


class Authentication:
    """The union of authenticators. ``tokens`` is kube-apiserver's --token-auth-file, as data."""

    def __init__(
        self,
        store: WatchCache,
        clock: VirtualClock,
        authority: TokenAuthority,
        tokens: Mapping[str, User] | None = None,
        *,
        anonymous: bool = True,
    ) -> None:
        self._store = store
        self._clock = clock
        self._authority = authority
        self._tokens = dict(tokens or {})
        self._anonymous = anonymous

    def identify(self, credentials: Credentials) -> Identity:
        """Who the credentials are of. Raises Unauthorized."""
        certificate = credentials.certificate
        if certificate is not None and certificate.common_name:
            return Identity(_authenticated(User(certificate.common_name, certificate.organizations)), "x509")
        if credentials.token:
            return self._by_token(credentials.token)
        if not self._anonymous:
            raise Unauthorized
        return Identity(ANONYMOUS, "anonymous")

    def _by_token(self, token: str) -> Identity:
        known = self._tokens.get(token)
        if known is not None:
            return Identity(_authenticated(known), "token file")
        account = self._authority.check(token)
        if isinstance(account, User):
            return Identity(account, "service account token")
        if account is None:
            bootstrap = self._bootstrap(token)
            if bootstrap is not None:
                return Identity(_authenticated(bootstrap), "bootstrap token")
        raise Unauthorized from (ValueError(account.why) if isinstance(account, Refused) else None)

    def _bootstrap(self, token: str) -> User | None:
        """The user of a bootstrap token ``abcdef.0123456789abcdef``. Ref: plugin/pkg/auth/authenticator/token/bootstrap."""
        number, _, secret = token.partition(".")
        found = self._store.find(Key("Secret", "kube-system", f"bootstrap-token-{number}"))
        if found is None or found.document.get("type") != _BOOTSTRAP or found.metadata.deletion_timestamp:
            return None
        data = _secret_data(found)
        expires = data.get("expiration", "")
        if expires and self._clock.now() >= self._clock.seconds_of(expires):
            return None
        if (data.get("token-id"), data.get("token-secret")) != (number, secret):
            return None
        if data.get("usage-bootstrap-authentication") != "true":
            return None
        groups = tuple(filter(None, data.get("auth-extra-groups", "").split(",")))
        return User(f"system:bootstrap:{number}", ("system:bootstrappers", *groups))


def _authenticated(user: User) -> User:
    if AUTHENTICATED in user.groups:
        return user
    return User(user.name, (*user.groups, AUTHENTICATED), user.uid, user.extra)


def _secret_data(secret: Object) -> dict[str, str]:
    """A Secret's values as text; ``stringData`` goes over ``data``."""
    found: dict[str, str] = {}
    for name, value in mapping_at(secret.document, "data").items():
        try:
            found[name] = base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            found[name] = ""
    return found | {name: str(value) for name, value in mapping_at(secret.document, "stringData").items()}
