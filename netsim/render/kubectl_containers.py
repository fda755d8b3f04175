"""The containers and volumes of a pod under ``kubectl describe``. Ref: kubectl/pkg/describe/describe.go (v1.37)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.objects.json import Document, Json
from netsim.render.kubectl_pod import mappings

NONE = "<none>"
Lines: TypeAlias = "list[list[str]]"


def container_lines(label: str, containers: Sequence[Json], statuses: Sequence[Json]) -> Lines:
    """What is said of each container; nothing where there is none."""
    known = {str(s.get("name")): s for s in statuses if isinstance(s, Mapping)}
    lines: Lines = []
    for container in (c for c in containers if isinstance(c, Mapping)):
        lines += [[f"  {container.get('name')}:"], *_container(container, known.get(str(container.get("name"))))]
    return [[f"{label}:"], *lines] if lines else []


def _container(container: Document, status: Document | None) -> Lines:
    ports = mappings(list_at(container, "ports"))
    listed = ", ".join(f"{p.get('containerPort')}/{p.get('protocol') or 'TCP'}" for p in ports)
    hosts = ", ".join(f"{p.get('hostPort', 0)}/{p.get('protocol') or 'TCP'}" for p in ports)
    lines: Lines = [
        ["Image:", text_at(container, "image")],
        ["Port:", listed or NONE],
        ["Host Port:", hosts or NONE],
    ]
    for label, name in (("Command:", "command"), ("Args:", "args")):
        words = [str(word) for word in list_at(container, name)]
        lines += [[label], *([f"  {word}"] for word in words)] if words else []
    if status is not None:
        lines += _state("State:", mapping_at(status, "state"))
        if mapping_at(status, "lastState"):
            lines += _state("Last State:", mapping_at(status, "lastState"))
        lines.append(["Ready:", "True" if status.get("ready") is True else "False"])
        lines.append(["Restart Count:", str(status.get("restartCount", 0))])
    for label, name in (("Limits:", "limits"), ("Requests:", "requests")):
        amounts = mapping_at(container, "resources", name)
        lines += [[label], *([f"  {key}:", str(value)] for key, value in sorted(amounts.items()))] if amounts else []
    for label, name in (("Liveness:", "livenessProbe"), ("Readiness:", "readinessProbe"), ("Startup:", "startupProbe")):
        probe = mapping_at(container, name)
        lines += [[label, probe_text(probe)]] if probe else []
    lines += _environment(mappings(list_at(container, "env")))
    mounts = [
        [f"  {m.get('mountPath')} from {m.get('name')} ({'ro' if m.get('readOnly') else 'rw'})"]
        for m in mappings(list_at(container, "volumeMounts"))
    ]
    lines += [["Mounts:"], *mounts] if mounts else [["Mounts:", NONE]]
    return [[f"    {line[0]}", *line[1:]] for line in lines]


def _state(label: str, state: Document) -> Lines:
    for word in ("Running", "Waiting", "Terminated"):
        found = mapping_at(state, word.lower())
        if word.lower() in state:
            lines: Lines = [[label, word]]
            for name, key in (
                ("Reason:", "reason"),
                ("Message:", "message"),
                ("Exit Code:", "exitCode"),
                ("Started:", "startedAt"),
            ):
                if found.get(key) is not None:
                    lines.append([f"  {name}", str(found[key])])
            return lines
    return [[label, "Waiting"]]


def _environment(variables: list[Document]) -> Lines:
    rows = []
    for variable in variables:
        source = mapping_at(variable, "valueFrom")
        value = text_at(variable, "value")
        for kind, names in source.items():
            if isinstance(names, Mapping):
                place = names.get("fieldPath") or f"{names.get('name')}:{names.get('key')}"
                value = f"<{kind}: {place}>"
        rows.append([f"  {variable.get('name')}:", value])
    return [["Environment:"], *rows] if rows else [["Environment:", NONE]]


def probe_text(probe: Document) -> str:
    """``http-get http://:8080/healthz delay=0s timeout=1s period=10s #success=1 #failure=3``. Ref: describe.go:DescribeProbe()."""
    numbers = (
        ("delay", "initialDelaySeconds", 0),
        ("timeout", "timeoutSeconds", 1),
        ("period", "periodSeconds", 10),
    )
    timing = " ".join(f"{word}={probe.get(name, default)}s" for word, name, default in numbers)
    attributes = f"{timing} #success={probe.get('successThreshold', 1)} #failure={probe.get('failureThreshold', 3)}"
    http, tcp, grpc = (mapping_at(probe, name) for name in ("httpGet", "tcpSocket", "grpc"))
    if http:
        scheme, host = (text_at(http, "scheme") or "HTTP").lower(), text_at(http, "host")
        return f"http-get {scheme}://{host}:{http.get('port')}{text_at(http, 'path') or '/'} {attributes}"
    if tcp:
        return f"tcp-socket {text_at(tcp, 'host')}:{tcp.get('port')} {attributes}"
    if grpc:
        return f"grpc <pod>:{grpc.get('port')} {text_at(grpc, 'service')} {attributes}"
    words = " ".join(str(word) for word in list_at(probe, "exec", "command"))
    return f"exec [{words}] {attributes}"


_VOLUMES = {
    # field: (what kubectl calls it, the field that names what is mounted, its label)
    "configMap": ("ConfigMap (a volume populated by a ConfigMap)", "name", "Name:"),
    "secret": ("Secret (a volume populated by a Secret)", "secretName", "SecretName:"),
    "hostPath": ("HostPath (bare host directory volume)", "path", "Path:"),
    "emptyDir": ("EmptyDir (a temporary directory that shares a pod's lifetime)", "medium", "Medium:"),
    "persistentVolumeClaim": (
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        "claimName",
        "ClaimName:",
    ),
    "projected": ("Projected (a volume that contains injected data from multiple sources)", "", ""),
}


def volume_lines(volumes: Sequence[Json]) -> Lines:
    """What is said of a pod's volumes."""
    lines: Lines = []
    for volume in mappings(list(volumes)):
        lines.append([f"  {volume.get('name')}:"])
        kind = next((k for k in volume if k != "name"), "emptyDir")
        words, named, label = _VOLUMES.get(kind, (kind, "", ""))
        lines.append(["    Type:", words])
        if named:
            lines.append([f"    {label}", text_at(volume, kind, named)])
    return [["Volumes:"], *lines] if lines else [["Volumes:", NONE]]
