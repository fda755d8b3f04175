"""Write netsim/objects/schema.json from the models of the PyPI package ``kubernetes`` (a development tool, not shipped).

Run with the release of the client whose API the schema should describe::

    python tools/schema.py

The file has three parts. ``source`` says which client it was made from. ``kinds`` maps ``apiVersion`` to the kinds served there,
each as ``[type, namespaced, plural]``. ``types`` maps a type's name to its fields, written as words ``name:type`` in one string, which
json reads at once and ``netsim.objects.schema`` takes apart only for the types that a manifest uses. A field's type is

    s string   i integer   b boolean   n number   t time   y base64 bytes   x integer or string   q quantity   * anything
    [T list of T   {T map of T   anything else: a type's name        and a trailing ! where the field is required
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import pkgutil
import re
from pathlib import Path
from typing import Any

import kubernetes.client.api
import kubernetes.client.models

TARGET = Path(__file__).parent.parent / "netsim" / "objects" / "schema.json"
SCALARS = {"str": "s", "int": "i", "bool": "b", "float": "n", "datetime": "t", "bytes": "y", "object": "*"}

QUANTITIES = re.compile(
    r"""\.(
      (limits|requests|hard|used|overhead|podFixed|capacity|allocatable|allocatedResources|consumedCapacity)
    | (divisor|sizeLimit|averageValue|maximumVolumeSize)
    | LimitRangeItem\.(default|defaultRequest|max|min|maxLimitRequestRatio)
    | (MetricTarget|MetricValueStatus|Counter|DeviceCapacity)\.value
    | CapacityRequestPolicy\.(default|validValues)
    | CapacityRequestPolicyRange\.(min|max|step)
    )$""",
    re.VERBOSE,
)
"""Fields of Go type resource.Quantity: the client calls them strings, the API takes numbers too."""

NOT_REQUIRED = {
    "EndpointSlice.endpoints": "the zero value is an empty list, which the API server accepts",
    "NetworkPolicySpec.podSelector": "the zero value selects every pod",
    "EventSeries.count": "events are not checked",
}
"""Required by the OpenAPI document, not by the API server's validation."""


def main() -> None:
    """Write the schema."""
    models = all_models()
    kinds = served_kinds(models)
    used: dict[str, str] = {}
    waiting = sorted({entry[0] for served in kinds.values() for entry in served.values()})
    while waiting:
        name = waiting.pop()
        if name not in used:
            fields = fields_of(models[name])
            used[name] = " ".join(f"{key}:{kind}" for key, kind in sorted(fields.items()))
            waiting += [ref for kind in fields.values() if (ref := kind.strip("[{!")) in models]
    source = f"kubernetes client {importlib.metadata.version('kubernetes')}"
    schema = {"source": source, "kinds": kinds, "types": dict(sorted(used.items()))}
    TARGET.write_text(json.dumps(schema, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def all_models() -> dict[str, Any]:
    """Every model class of the client by name."""
    found: dict[str, Any] = {}
    for entry in pkgutil.iter_modules(kubernetes.client.models.__path__):
        module = importlib.import_module(f"{kubernetes.client.models.__name__}.{entry.name}")
        found |= {name: model for name, model in vars(module).items() if hasattr(model, "openapi_types")}
    return found


def served_kinds(models: dict[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """``apiVersion`` → kind → [type, namespaced, plural], from the paths that the client posts to."""
    kinds: dict[str, dict[str, list[Any]]] = {}
    for entry in pkgutil.iter_modules(kubernetes.client.api.__path__):
        text = (Path(kubernetes.client.api.__path__[0]) / f"{entry.name}.py").read_text(encoding="utf-8")
        for method in re.split(r"\n    def (?=create_)", text)[1:]:
            body = re.search(r"\n        body: (\w+),", method)
            path = re.search(r"resource_path='/apis?/([^'{]+?)/(namespaces/\{namespace\}/)?([a-z]+)',", method)
            if body is None or path is None or body[1] not in models or "body" not in method.split("\n    def ")[0]:
                continue
            kind = re.sub(r"^(?:[A-Z][a-z]+)?V\d+(?:(?:alpha|beta)\d+)?(?=[A-Z])", "", body[1])
            if "apiVersion" in models[body[1]].attribute_map.values():
                kinds.setdefault(path[1], {})[kind] = [body[1], path[2] is not None, path[3]]
    return kinds


def fields_of(model: Any) -> dict[str, str]:
    """A model's fields by JSON name, each in the schema's notation."""
    by_alias = {field.serialization_alias or name: field for name, field in model.model_fields.items()}
    plain = re.sub(r"^(?:[A-Z][a-z]+)?V\d+(?:(?:alpha|beta)\d+)?(?=[A-Z])", "", model.__name__)
    fields = {}
    for name, declared in model.openapi_types.items():
        key = model.attribute_map[name]
        kind = notation(declared, str(by_alias[key].annotation))
        if QUANTITIES.search(f".{plain}.{key}") and kind in {"s", "[s", "{s"}:
            kind = kind[:-1] + "q"
        required = by_alias[key].is_required() and f"{plain}.{key}" not in NOT_REQUIRED
        fields[key] = kind + ("!" if required else "")
    return fields


def notation(declared: str, annotation: str) -> str:
    """``List[str]`` → ``[s``; the annotation tells an integer-or-string from any value."""
    if inner := re.fullmatch(r"List\[(.+)\]", declared):
        return "[" + notation(inner[1], "")
    if inner := re.fullmatch(r"Dict\[str, (.+)\]", declared):
        return "{" + notation(inner[1], "")
    if declared == "object" and "[int" in annotation and "[str" in annotation:
        return "x"
    return SCALARS.get(declared, declared)


if __name__ == "__main__":
    main()
