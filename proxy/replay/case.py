"""A recorded case as values: parsed documents in, typed objects out. Reading files is the caller's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netsim.dataclass import dataclass
from netsim.objects.core import Node
from netsim.objects.json import DecodeError, Document, Json
from netsim.objects.meta import Key, Object
from proxy.config.model import KubeProxyConfiguration
from proxy.config.read import read_configuration
from proxy.node import ProxyNode, proxy_node


@dataclass(frozen=True, slots=True)
class Case:
    """``case.yaml`` for one mode."""

    node: ProxyNode
    configuration: KubeProxyConfiguration
    service_cidrs: tuple[str, ...]
    modes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseStep:
    """``step-NN.yaml``: objects that go, then objects that come or change, before sync NN."""

    delete: tuple[Key, ...]
    apply: tuple[Object, ...]


def read_case(document: Document, mode: str) -> Case:
    """A case for a mode, which takes the place of ``mode: MODE``. Raises DecodeError and ConfigurationError."""
    configuration = read_configuration({**_mapping(document, "kubeProxy"), "mode": mode})
    node = Node.of(Object.of(_mapping(document, "node")))
    sysctls = {key: str(value) for key, value in _mapping(document, "sysctls", required=False).items()}
    return Case(
        node=proxy_node(
            node, name=configuration.hostname_override, bind_address=configuration.bind_address, sysctls=sysctls
        ),
        configuration=configuration,
        service_cidrs=tuple(str(cidr) for cidr in _sequence(document, "serviceCIDRs")),
        modes=tuple(str(name) for name in _sequence(document, "modes")),
    )


def read_step(document: Document) -> CaseStep:
    """One step of a case. Raises DecodeError."""
    return CaseStep(
        delete=tuple(_key(item, f"delete[{i}]") for i, item in enumerate(_sequence(document, "delete"))),
        apply=tuple(_item(item, f"apply[{i}]") for i, item in enumerate(_sequence(document, "apply"))),
    )


def _item(value: Json, path: str) -> Object:
    try:
        return Object.of(_object(value, path))
    except DecodeError as error:
        raise DecodeError(f"{path}.{error.path}" if error.path != path else path, error.message) from error


def _key(item: Json, path: str) -> Key:
    entry = _object(item, path)
    return Key(str(entry.get("kind", "")), str(entry.get("namespace", "")), str(entry.get("name", "")))


def _mapping(document: Document, key: str, *, required: bool = True) -> Mapping[str, Json]:
    value = document.get(key)
    if value is None and not required:
        return {}
    return _object(value, key)


def _object(value: Json, path: str) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise DecodeError(path, "expected an object")
    return value


def _sequence(document: Document, key: str) -> Sequence[Json]:
    value = document.get(key)
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise DecodeError(key, "expected a list")
    return value
