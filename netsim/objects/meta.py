"""What every Kubernetes object has: kind, metadata, and its whole document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.objects.json import Document, decode


@dataclass(frozen=True, slots=True)
class OwnerReference:
    """``metadata.ownerReferences[]``."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """``metadata``. ``namespace`` is empty for cluster-scoped objects."""

    name: str = ""
    namespace: str = ""
    generate_name: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What names an object in a store: kind, namespace (empty where cluster-scoped) and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


@dataclass(frozen=True, slots=True)
class Object:
    """One object: its whole JSON document, with kind and metadata read out of it."""

    api_version: str
    kind: str
    metadata: ObjectMeta
    document: Document = field(repr=False)

    @classmethod
    def of(cls, document: Document) -> Object:
        """Read an object from its document. Raises DecodeError."""
        head = decode(_Head, document)
        return cls(head.api_version, head.kind, head.metadata, document)

    @property
    def key(self) -> Key:
        """What names the object in a store."""
        return Key(self.kind, self.metadata.namespace, self.metadata.name)


@dataclass(frozen=True, slots=True)
class _Head:
    api_version: str
    kind: str
    metadata: ObjectMeta
