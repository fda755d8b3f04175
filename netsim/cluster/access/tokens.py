"""ServiceAccount tokens: made by the TokenRequest API, bound to a pod, and checked against what is there.

They are JSON Web Tokens (RFC 7519). A real cluster signs with a private key (RS256); this one with the cluster's own secret (HS256),
which is enough to tell its tokens from others. Ref: pkg/serviceaccount/{claims.go,jwt.go} (v1.37).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping

from netsim.cluster.access.users import User, service_account
from netsim.cluster.clock import VirtualClock
from netsim.cluster.documents import mapping_at, text_at
from netsim.cluster.watch_cache import WatchCache
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object

ISSUER = "https://kubernetes.default.svc.cluster.local"
LIFETIME = 3600
_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a token is not accepted."""

    why: str


class TokenAuthority:
    """Makes and checks the tokens of one cluster."""

    def __init__(self, store: WatchCache, clock: VirtualClock, seed: int = 0) -> None:
        self._store = store
        self._clock = clock
        self._secret = hashlib.sha256(f"netsim service account key {seed}".encode()).digest()

    def issue(
        self, account: Object, *, pod: Object | None = None, seconds: int = LIFETIME, audiences: tuple[str, ...] = ()
    ) -> str:
        """A token of a ServiceAccount; ``pod``: it is worth nothing without that pod."""
        namespace, now = account.metadata.namespace, self._seconds()
        bound: dict[str, Json] = {
            "namespace": namespace,
            "serviceaccount": {"name": account.metadata.name, "uid": account.metadata.uid},
        }
        if pod is not None:
            bound["pod"] = {"name": pod.metadata.name, "uid": pod.metadata.uid}
        return self._signed(
            {
                "aud": list(audiences or (ISSUER,)),
                "exp": now + seconds,
                "iat": now,
                "iss": ISSUER,
                "kubernetes.io": bound,
                "nbf": now,
                "sub": service_account(namespace, account.metadata.name).name,
            }
        )

    def check(self, token: str) -> User | Refused | None:
        """The user of a token, or why it is refused; None for a token that is none of a ServiceAccount here."""
        claims = self._claims(token)
        if claims is None:
            return None
        if claims.get("iss") != ISSUER:
            return Refused("token issuer does not match")
        now, expires = self._seconds(), claims.get("exp")
        if not isinstance(expires, int) or now >= expires:
            return Refused("service account token has expired")
        audiences = claims.get("aud")
        if not isinstance(audiences, list) or ISSUER not in audiences:
            return Refused("token audiences are not of this API server")
        return self._bound(mapping_at(claims, "kubernetes.io"))

    def _bound(self, bound: Document) -> User | Refused:
        namespace, name = text_at(bound, "namespace"), text_at(bound, "serviceaccount", "name")
        account = self._store.find(Key("ServiceAccount", namespace, name))
        if account is None or account.metadata.uid != text_at(bound, "serviceaccount", "uid"):
            return Refused(f"service account {namespace}/{name} is not the one that the token is of")
        user = service_account(namespace, name, account.metadata.uid)
        pod = mapping_at(bound, "pod")
        if not pod:
            return user
        found = self._store.find(Key("Pod", namespace, text_at(pod, "name")))
        if found is None or found.metadata.uid != pod.get("uid"):
            return Refused("service account token has been invalidated: its pod is gone")
        extra = {_POD_NAME: (found.metadata.name,), _POD_UID: (found.metadata.uid,)}
        return User(user.name, user.groups, user.uid, extra)

    def time_after(self, seconds: int) -> str:
        """When something ends that lasts so long, as ``metav1.Time`` is written."""
        return self._clock.timestamp_at(self._clock.now() + seconds)

    # --- RFC 7515 ---------------------------------------------------------------------------------------------------

    def _signed(self, claims: Mapping[str, Json]) -> str:
        head = _encoded(b'{"alg":"HS256","typ":"JWT"}')
        body = _encoded(json.dumps(claims, sort_keys=True, separators=(",", ":")).encode())
        return f"{head}.{body}.{self._signature(f'{head}.{body}')}"

    def _signature(self, text: str) -> str:
        return _encoded(hmac.new(self._secret, text.encode(), hashlib.sha256).digest())

    def _claims(self, token: str) -> Document | None:
        signed, _, signature = token.rpartition(".")
        if signed.count(".") != 1 or not hmac.compare_digest(self._signature(signed).encode(), signature.encode()):
            return None
        try:
            body = signed.partition(".")[2]
            claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        except (binascii.Error, ValueError):
            return None
        return claims if isinstance(claims, dict) else None

    def _seconds(self) -> int:
        return int(self._clock.now() - self._clock.seconds_of("1970-01-01T00:00:00Z"))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
