"""Names that nobody gave: hashes of templates, ends of generated names, uids. All follow from what they name and a seed."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter

from netsim.cluster.documents import canonical
from netsim.objects.json import Json

ALPHANUMERICS = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no look-alikes. Ref: staging/src/k8s.io/apimachinery/pkg/util/rand/rand.go (v1.37)."""

_MAX_GENERATED = 58  # 63 - 5. Ref: staging/src/k8s.io/apiserver/pkg/storage/names/generate.go (v1.37)


def fnv32a(data: bytes) -> int:
    """FNV-1a of 32 bits, as Go's hash/fnv New32a()."""
    value = 0x811C9DC5
    for octet in data:
        value = (value ^ octet) * 0x01000193 & 0xFFFFFFFF
    return value


def safe_encode(text: str) -> str:
    """Each character replaced by one that is fit for a name. Ref: util/rand/rand.go:SafeEncodeString() (v1.37)."""
    return "".join(ALPHANUMERICS[ord(c) % len(ALPHANUMERICS)] for c in text)


def template_hash(template: Json, collisions: int | None = None) -> str:
    """The ``pod-template-hash`` of a pod template.

    Kubernetes: FNV-32a over Go's dump of the struct, then SafeEncodeString() over its decimal digits.
    Here the FNV is over canonical JSON, as a dump of Go's structs needs every default and pointer of Go's types: the form is
    the same, the value is not that of a real cluster. Ref: pkg/controller/controller_utils.go:ComputeHash() (v1.37).
    """
    data = canonical(template).encode()
    if collisions is not None:
        data += collisions.to_bytes(8, "little")
    return safe_encode(str(fnv32a(data)))


class NameSource:
    """Generated names and uids, the same for the same seed and the same requests, whatever else was named in between."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._asked: Counter[str] = Counter()

    def generate(self, scope: str, prefix: str) -> str:
        """The prefix and five characters; another each time that it is asked for in the same scope (kind and namespace)."""
        digest = self._digest("name", scope, prefix)
        number = int.from_bytes(digest[:8], "big")
        tail = ""
        for _ in range(5):
            number, index = divmod(number, len(ALPHANUMERICS))
            tail += ALPHANUMERICS[index]
        return prefix[:_MAX_GENERATED] + tail

    def uid(self, kind: str, namespace: str, name: str) -> str:
        """A UUID; another each time that an object of this name is made."""
        digest = self._digest("uid", f"{kind}/{namespace}", name)
        return str(uuid.UUID(bytes=digest[:16], version=4))

    def _digest(self, *parts: str) -> bytes:
        what = "\0".join(parts)
        self._asked[what] += 1
        return hashlib.sha256(f"{self._seed}\0{what}\0{self._asked[what]}".encode()).digest()
