"""How the rows of ``tests.apiserver_rows`` are asked, and what of an answer is compared.

``ask`` speaks to any server: a function from method, path with parameters, body, content type and user to status and body.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from netsim.cluster.resources import resource_of
from tests.apiserver_rows import WORLD, Doc, Row

Send: TypeAlias = Callable[[str, str, Any, str, str], tuple[int, Any]]

_JSON, _MERGE = "application/json", "application/merge-patch+json"
_SERVER_OWN = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation")


def collection(body: Doc) -> str:
    """Where the objects of a kind are."""
    resource = resource_of(body["kind"], body["apiVersion"])
    group = body["apiVersion"]
    root = f"/apis/{group}" if "/" in group else f"/api/{group}"
    inside = f"/namespaces/{body['metadata'].get('namespace', 'default')}" if resource.namespaced else ""
    return f"{root}{inside}/{resource.plural}"


def furnish(send: Send) -> None:
    """Make what is there before the rows."""
    for body in WORLD:
        if send("GET", f"{collection(body)}/{body['metadata']['name']}", None, _JSON, "admin")[0] == 404:
            status, answer = send("POST", collection(body), body, _JSON, "admin")
            assert status == 201, answer
    quota = WORLD[[b["kind"] for b in WORLD].index("ResourceQuota")]
    used = {"hard": quota["spec"]["hard"], "used": dict.fromkeys(quota["spec"]["hard"], "0")}
    path = f"{collection(quota)}/{quota['metadata']['name']}/status"
    status, answer = send("PATCH", path, {"status": used}, _MERGE, "admin")
    assert status == 200, answer


def ask(send: Send, row: Row) -> Doc:
    """What a server answers to a row: the code, and a refusal's reason, message and causes, or the object."""
    path, options = collection(row.body), "?fieldValidation=Strict&dryRun=All&fieldManager=rows"
    if row.patch is None and row.body["kind"] == "Service":
        return _made_and_gone(send, path, row)
    if row.patch is None:
        return _told(*send("POST", path + options, row.body, _JSON, row.user))
    if row.stored:
        status, answer = send("POST", path, row.body, _JSON, "admin")
        assert status in (201, 409), (row.id, answer)
    return _told(*send("PATCH", f"{path}/{row.body['metadata']['name']}{options}", row.patch, _MERGE, row.user))


def _made_and_gone(send: Send, path: str, row: Row) -> Doc:
    """A dry run does not ask whether an address is taken: a Service is made, and deleted again."""
    found = _told(*send("POST", f"{path}?fieldValidation=Strict&fieldManager=rows", row.body, _JSON, row.user))
    if "object" in found:
        send("DELETE", f"{path}/{row.body['metadata']['name']}", {}, _JSON, "admin")
    return found


def _told(status: int, answer: Any) -> Doc:
    if status >= 400:
        found = {"code": status, "reason": answer.get("reason", ""), "message": _told_shortly(answer["message"])}
        details = {k: v for k, v in answer.get("details", {}).items() if k != "uid"}
        causes = details.get("causes", ())
        if "causes" in details:  # their texts are those of the message
            details["causes"] = [f"{cause.get('reason', '')} {cause.get('field', '')}".strip() for cause in causes]
        return {**found, "details": details} if details else found
    return {"code": status, "object": _plain(answer)}


_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHORTER = (
    # the difference of Go's inner structures, which a real server adds to its answer
    (re.compile(r"\n@@.*?\n(?=\]|$)", re.DOTALL), ""),
    # a pod template as such a structure
    (re.compile(r"spec\.template: Invalid value: \{.*\}: "), "spec.template: Invalid value: {…}: "),
    (re.compile(r"^Invalid value: \{.*\}: field"), "Invalid value: {…}: field"),
    # the whole document that a patch has made
    (re.compile(r'Invalid value: "\{.*\}": strict'), 'Invalid value: "{…}": strict'),
    (_UID, "UID"),
    # an address that was allocated
    (re.compile(r'"10\.96\.\d+\.\d+": expected'), '"ADDRESS": expected'),
)


def _told_shortly(message: str) -> str:
    for pattern, instead in _SHORTER:
        message = pattern.sub(instead, message)
    return message.rstrip("\n")


def _plain(answer: Doc) -> Doc:
    """An object without what a server makes up: identity, addresses, ports, generated names."""
    text = _without_empty(answer)
    text.pop("status", None)
    metadata = text["metadata"]
    for name in _SERVER_OWN:
        metadata.pop(name, None)
    spec = text.get("spec", {})
    if text["kind"] == "Service":
        _without_numbers(spec)
    if text["kind"] == "Pod":
        _rename_tokens(spec)
    return text  # type: ignore[no-any-return]


def _without_empty(value: Any) -> Any:
    """A copy without the structures of Go that are written though nothing is in them."""
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    if not isinstance(value, dict):
        return _UID.sub("UID", value) if isinstance(value, str) else value
    kept = {k: _without_empty(v) for k, v in value.items()}
    return {k: v for k, v in kept.items() if v not in ({}, "") or k not in _EMPTY}


_EMPTY = ("resources", "metadata", "conditions", "serviceName", "status")


def _without_numbers(spec: Doc) -> None:
    if spec.get("clusterIP", "None") != "None":
        spec["clusterIP"], spec["clusterIPs"] = "ADDRESS", ["ADDRESS"] * len(spec["clusterIPs"])
    for port in spec.get("ports", ()):
        if port.get("nodePort"):
            port["nodePort"] = 1
    if spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = 1


def _rename_tokens(spec: Doc) -> None:
    mounts = [m for g in ("containers", "initContainers") for c in spec.get(g, ()) for m in c.get("volumeMounts", ())]
    for item in (*spec.get("volumes", ()), *mounts):
        item["name"] = re.sub(r"^kube-api-access-.....$", "kube-api-access", item["name"])
