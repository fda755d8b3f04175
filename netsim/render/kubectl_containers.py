"""The containers and volumes of a pod under ``kubectl describe``. Ref: kubectl/pkg/describe/describe.go (v1.37)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.objects.json import Document, Json
from netsim.render.kubectl_cells import text
from netsim.render.kubectl_pod import mappings
from netsim.render.kubectl_sections import Lines, rfc1123

NONE = "<none>"
FieldValue: TypeAlias = Callable[[str], str]
"""The value of a pod's field that a variable refers to, empty where it is not known."""


def container_lines(
    label: str,
    containers: Sequence[Json],
    statuses: Sequence[Json] = (),
    *,
    template: bool = False,
    field: FieldValue = lambda _: "",
) -> Lines:
    """What is said of each container; ``template``: of a pod that is to be made, which stands further in."""
    known = {str(s.get("name")): s for s in mappings(list(statuses))}
    indent = "  " if template else ""
    lines: Lines = [[f"{indent}{label}:" if containers else f"{indent}{label}: {NONE}"]]
    for container in mappings(list(containers)):
        name = str(container.get("name"))
        lines.append([f"{'   ' if template else '  '}{name}:"])
        lines += [[f"    {line[0]}", *line[1:]] for line in _container(container, known.get(name), field)]
    return lines


def _container(container: Document, status: Document | None, field: FieldValue) -> Lines:
    lines: Lines = [["Container ID:", text_at(status, "containerID")]] if status is not None else []
    lines.append(["Image:", text_at(container, "image")])
    lines += [["Image ID:", text_at(status, "imageID")]] if status is not None else []
    ports = mappings(list_at(container, "ports"))
    for label, name in (("Port", "containerPort"), ("Host Port", "hostPort")):
        told = [f"{p.get(name) or 0}/{p.get('protocol') or 'TCP'}" for p in ports]
        lines.append([f"{label}s:" if len(told) > 1 else f"{label}:", ", ".join(told) or NONE])
    for label, name in (("Command:", "command"), ("Args:", "args")):
        words = [line for word in list_at(container, name) for line in str(word).split("\n")]
        lines += [[label], *([f"  {word}"] for word in words)] if words else []
    if status is not None:
        lines += _state("State:", mapping_at(status, "state"))
        if mapping_at(status, "lastState", "terminated"):
            lines += _state("Last State:", mapping_at(status, "lastState"))
        lines.append(["Ready:", "True" if status.get("ready") is True else "False"])
        lines.append(["Restart Count:", str(status.get("restartCount", 0))])
    for label, name in (("Limits:", "limits"), ("Requests:", "requests")):
        amounts = mapping_at(container, "resources", name)
        lines += [[label], *([f"  {key}:", str(value)] for key, value in sorted(amounts.items()))] if amounts else []
    for label, name in (("Liveness:", "livenessProbe"), ("Readiness:", "readinessProbe"), ("Startup:", "startupProbe")):
        probe = mapping_at(container, name)
        lines += [[label, probe_text(probe)]] if probe else []
    return [*lines, *_environment(container, field), *_mounts(container)]


def _mounts(container: Document) -> Lines:
    mounts = sorted(mappings(list_at(container, "volumeMounts")), key=lambda mount: text_at(mount, "mountPath"))
    lines = [[f"  {m.get('mountPath')} from {m.get('name')} ({_flags(m)})"] for m in mounts]
    return [["Mounts:"], *lines] if lines else [["Mounts:", NONE]]


def _flags(mount: Document) -> str:
    part = f',path="{mount["subPath"]}"' if mount.get("subPath") else ""
    return ("ro" if mount.get("readOnly") else "rw") + part


_STATES = {
    # what is said of each state, and how
    "running": (("Started:", "startedAt"),),
    "waiting": (("Reason:", "reason"),),
    "terminated": (
        ("Reason:", "reason"),
        ("Message:", "message"),
        ("Exit Code:", "exitCode"),
        ("Signal:", "signal"),
        ("Started:", "startedAt"),
        ("Finished:", "finishedAt"),
    ),
}


def _state(label: str, state: Document) -> Lines:
    for word, fields in _STATES.items():
        found = mapping_at(state, word)
        if word in state:
            told = [[f"  {name}", rfc1123(text(found.get(key)))] for name, key in fields if found.get(key) is not None]
            return [[label, word.capitalize()], *told]
    return [[label, "Waiting"]]


def _environment(container: Document, field: FieldValue) -> Lines:
    rows: Lines = []
    for variable in mappings(list_at(container, "env")):
        name = f"  {variable.get('name')}:"
        source = mapping_at(variable, "valueFrom")
        if not source:
            first, *more = text_at(variable, "value").split("\n")
            rows += [[name, first], *([" ", line] for line in more)]
        for kind, place in source.items():
            if isinstance(place, Mapping):
                rows.append([name, *_source(kind, place, field)])
    sources = [_whole(source) for source in mappings(list_at(container, "envFrom"))]
    head: Lines = [["Environment Variables from:"], *sources] if sources else []
    return [*head, *([["Environment:"], *rows] if rows else [["Environment:", NONE]])]


def _source(kind: str, place: Document, field: FieldValue) -> list[str]:
    optional = f"Optional: {text(place.get('optional'), 'false')}"
    key, name = place.get("key"), place.get("name")
    match kind:
        case "fieldRef":
            path = text_at(place, "fieldPath")
            return [f"{field(path)} ({place.get('apiVersion') or 'v1'}:{path})"]
        case "secretKeyRef":
            return [f"<set to the key '{key}' in secret '{name}'>", optional]
        case "configMapKeyRef":
            return [f"<set to the key '{key}' of config map '{name}'>", optional]
        case _:
            return [f" ({place.get('resource')})"]


def _whole(source: Document) -> list[str]:
    kind, place = next(((k, v) for k, v in source.items() if isinstance(v, Mapping)), ("", {}))
    word = "ConfigMap" if kind == "configMapRef" else "Secret"
    return [f"  {place.get('name')}", word, f"Optional: {text(place.get('optional'), 'false')}"]


def probe_text(probe: Document) -> str:
    """``http-get http://:8080/healthz delay=0s timeout=1s period=10s …``. Ref: describe.go:DescribeProbe()."""
    numbers = (("delay", "initialDelaySeconds", 0), ("timeout", "timeoutSeconds", 1), ("period", "periodSeconds", 10))
    timing = " ".join(f"{word}={probe.get(name, default)}s" for word, name, default in numbers)
    thresholds = (("successThreshold", 1), ("failureThreshold", 3))
    attributes = " ".join([timing, *(f"{name}={probe.get(name, default)}" for name, default in thresholds)])
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


_VOLUMES: Mapping[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    # field: what kubectl calls it; label, field and usual value of what it says of it
    "configMap": (
        "ConfigMap (a volume populated by a ConfigMap)",
        (("Name", "name", ""), ("Optional", "optional", "false")),
    ),
    "secret": (
        "Secret (a volume populated by a Secret)",
        (("SecretName", "secretName", ""), ("Optional", "optional", "false")),
    ),
    "hostPath": ("HostPath (bare host directory volume)", (("Path", "path", ""), ("HostPathType", "type", ""))),
    "emptyDir": (
        "EmptyDir (a temporary directory that shares a pod's lifetime)",
        (("Medium", "medium", ""), ("SizeLimit", "sizeLimit", "<unset>")),
    ),
    "persistentVolumeClaim": (
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        (("ClaimName", "claimName", ""), ("ReadOnly", "readOnly", "false")),
    ),
}
_PROJECTED = "Projected (a volume that contains injected data from multiple sources)"
_DOWNWARD = "DownwardAPI (a volume populated by information about the pod)"


def volume_lines(volumes: Sequence[Json], *, template: bool = False) -> Lines:
    """What is said of a pod's volumes."""
    indent = "  " if template else ""
    lines: Lines = []
    for volume in mappings(list(volumes)):
        lines.append([f"{'   ' if template else '  '}{volume.get('name')}:"])
        lines += [[f"    {line[0]}", *line[1:]] for line in _volume(volume)]
    return [[f"{indent}Volumes:"], *lines] if lines else [[f"{indent}Volumes:", NONE]]


def _volume(volume: Document) -> Lines:
    kind = next((k for k in volume if k != "name"), "emptyDir")
    source = mapping_at(volume, kind)
    if kind in _VOLUMES:
        words, fields = _VOLUMES[kind]
        return [["Type:", words], *([f"{label}:", text(source.get(name), usual)] for label, name, usual in fields)]
    if kind == "projected":
        return [["Type:", _PROJECTED], *(line for part in mappings(list_at(source, "sources")) for line in _part(part))]
    if kind == "downwardAPI":
        items = mappings(list_at(source, "items"))
        told = [f"  {text_at(i, 'fieldRef', 'fieldPath')} -> {i.get('path')}" for i in items]
        return [["Type:", _DOWNWARD], ["Items:"], *([line] for line in told)]
    return [["Type:", kind]]


def _part(source: Document) -> Lines:
    """One source of a projected volume. Ref: describe.go:printProjectedVolumeSource()."""
    for kind, label in (("secret", "SecretName:"), ("configMap", "ConfigMapName:")):
        if kind in source:
            place = mapping_at(source, kind)
            return [[label, text_at(place, "name")], ["Optional:", text(place.get("optional"), "false")]]
    if "downwardAPI" in source:
        return [["DownwardAPI:", "true"]]
    seconds = mapping_at(source, "serviceAccountToken").get("expirationSeconds")
    return [["TokenExpirationSeconds:", str(seconds)]] if seconds is not None else []
