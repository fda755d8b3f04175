"""Ask a real kube-apiserver how it prints the objects of ``tests.apiserver_tables``.

python -m tests.differential.apiserver.record_tables https://127.0.0.1:6443 > tests/data/apiserver/tables.json
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from netsim.cluster.resources import resource_of
from tests.apiserver_asking import collection
from tests.apiserver_tables import OBJECTS
from tests.differential.apiserver.record import Client

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
CREATED, LASTED = "2026-01-01T00:00:00Z", "3m20s"
_AGES = ("Age", "Last Seen", "First Seen", "Last Schedule")
_MERGE = "application/merge-patch+json"


def _make(client: Client, body: Any) -> None:
    path = collection(body)
    if client("GET", f"{path}/{body['metadata']['name']}", None, "application/json", "admin")[0] == 404:
        status, answer = client("POST", path, body, "application/json", "admin")
        assert status == 201, answer
    if body.get("status"):
        place = f"{path}/{body['metadata']['name']}/status"
        status, answer = client("PATCH", place, {"status": body["status"]}, _MERGE, "admin")
        assert status == 200, (body["kind"], body["metadata"]["name"], answer)


def _plain(item: Any) -> Any:
    for name in ("managedFields", "uid", "resourceVersion", "generation"):
        item["metadata"].pop(name, None)
    item["metadata"]["creationTimestamp"] = CREATED
    return item


def _cell(column: str, cell: Any) -> str:
    """A cell as kubectl prints it, its times as the test has them."""
    told = str(cell).lower() if isinstance(cell, bool) else str(cell)
    if column == "Created At":
        return CREATED
    if told not in ("", "<none>") and (column in _AGES or (column == "Duration" and told != LASTED)):
        return "AGE"
    return re.sub(r"\(\S+ ago\)", "(AGE ago)", told)


def main() -> None:
    """Tables as JSON, an object a line: kind, its columns, the object and its cells."""
    client = Client(sys.argv[1])
    _, _ = client("POST", "/api/v1/namespaces", {"metadata": {"name": "tables"}}, "application/json", "admin")
    account = {"metadata": {"name": "default"}}
    client("POST", "/api/v1/namespaces/tables/serviceaccounts", account, "application/json", "admin")
    for body in OBJECTS:
        _make(client, body)
    lines = []
    for body in OBJECTS:
        path = f"{collection(body)}/{body['metadata']['name']}"
        _, item = client("GET", path, None, "application/json", "admin")
        _, table = client("GET", f"{path}?includeObject=None", None, "application/json", "admin", accept=_TABLE)
        columns = sorted(table["columnDefinitions"], key=lambda column: column["priority"] > 0)
        cells = dict(zip((c["name"] for c in table["columnDefinitions"]), table["rows"][0]["cells"], strict=True))
        shown = {c["name"].upper(): _cell(c["name"], cells[c["name"]]) for c in columns}
        told = {"object": _plain(item), "shown": list(shown.items())}
        resource = resource_of(body["kind"], body["apiVersion"])
        lines.append(json.dumps([f"{resource.plural}: {body['metadata']['name']}", told], sort_keys=True))
    print("[\n" + ",\n".join(lines) + "\n]")


if __name__ == "__main__":
    main()
