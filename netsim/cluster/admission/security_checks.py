"""What PodSecurity's levels forbid: each check answers what is wrong with a pod's spec, empty where nothing is.

Ref: staging/src/k8s.io/pod-security-admission/policy/check_*.go (v1.37); the words are theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from netsim.cluster import sysctls
from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json


@dataclass(frozen=True, slots=True)
class Check:
    """One check. ``id`` is the order in which what is found is told."""

    id: str
    reason: str
    find: Callable[[Document], str]


_DEFAULT_CAPABILITIES = (
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT"
)
_SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_VOLUMES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
    "image",
)


def _containers(spec: Document) -> Iterator[Document]:
    """Ref: policy/visitor.go:visitContainers()."""
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for container in list_at(spec, group):
            if isinstance(container, Mapping):
                yield container


def _names(spec: Document, bad: Callable[[Document], bool]) -> list[str]:
    return [text_at(c, "name") for c in _containers(spec) if bad(mapping_at(c, "securityContext"))]


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def _told(names: list[str]) -> str:
    """``container "a"`` or ``containers "a", "b"``."""
    return f"container{'s' if len(names) > 1 else ''} {_quoted(names)}" if names else ""


def _setters(spec: Document, bad: Callable[[Document], bool]) -> str:
    """``pod and container "a"``: who sets something bad in its securityContext."""
    pod = "pod" if bad(mapping_at(spec, "securityContext")) else ""
    return " and ".join(filter(None, (pod, _told(_names(spec, bad)))))


def _contexts(spec: Document) -> Iterator[Document]:
    yield mapping_at(spec, "securityContext")
    for container in _containers(spec):
        yield mapping_at(container, "securityContext")


# --- baseline ---------------------------------------------------------------------------------------------------


def _app_armor(spec: Document) -> str:
    def bad(context: Document) -> bool:
        return text_at(context, "appArmorProfile", "type") not in ("", "RuntimeDefault", "Localhost")

    who = _setters(spec, bad)
    values = sorted({text_at(context, "appArmorProfile", "type") for context in _contexts(spec) if bad(context)})
    return f"{who} must not set AppArmor profile type to {_quoted(values)}" if who else ""


def _added(allowed: frozenset[str]) -> Callable[[Document], str]:
    def check(spec: Document) -> str:
        def added(context: Document) -> set[str]:
            return {str(name) for name in list_at(context, "capabilities", "add")} - allowed

        names = _names(spec, lambda context: bool(added(context)))
        words = sorted(set().union(*(added(context) for context in _contexts(spec))))
        return f"{_told(names)} must not include {_quoted(words)} in securityContext.capabilities.add" if names else ""

    return check


def _host_namespaces(spec: Document) -> str:
    return ", ".join(f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name) is True)


def _volumes(spec: Document) -> Iterator[Document]:
    for volume in list_at(spec, "volumes"):
        if isinstance(volume, Mapping):
            yield volume


def _host_path(spec: Document) -> str:
    names = [text_at(volume, "name") for volume in _volumes(spec) if volume.get("hostPath") is not None]
    return f"volume{'s' if len(names) > 1 else ''} {_quoted(names)}" if names else ""


def _host_ports(spec: Document) -> str:
    names: list[str] = []
    ports: set[int] = set()
    for container in _containers(spec):
        given = [p.get("hostPort") for p in list_at(container, "ports") if isinstance(p, Mapping)]
        found = [port for port in given if isinstance(port, int) and port]
        if found:
            names.append(text_at(container, "name"))
            ports.update(found)
    uses = f"use{'' if len(names) > 1 else 's'} hostPort{'s' if len(ports) > 1 else ''}"
    return f"{_told(names)} {uses} {', '.join(map(str, sorted(ports)))}" if names else ""


def _hosts(spec: Document) -> str:
    names: set[str] = set()
    hosts: set[str] = set()
    for container in _containers(spec):
        handlers = [mapping_at(container, probe) for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
        handlers += [mapping_at(container, "lifecycle", when) for when in ("postStart", "preStop")]
        found = {text_at(handler, way, "host") for handler in handlers for way in ("httpGet", "tcpSocket")} - {""}
        if found:
            names.add(text_at(container, "name"))
            hosts |= found
    uses = f"use{'' if len(names) > 1 else 's'} probe or lifecycle host{'s' if len(hosts) > 1 else ''}"
    return f"{_told(sorted(names))} {uses} {_quoted(sorted(hosts))}" if names else ""


def _privileged(spec: Document) -> str:
    names = _names(spec, lambda context: context.get("privileged") is True)
    return f"{_told(names)} must not set securityContext.privileged=true" if names else ""


def _proc_mount(spec: Document) -> str:
    def bad(context: Document) -> bool:
        return text_at(context, "procMount") not in ("", "Default")

    names = _names(spec, bad)
    values = sorted({text_at(context, "procMount") for context in _contexts(spec) if bad(context)})
    return f"{_told(names)} must not set securityContext.procMount to {_quoted(values)}" if names else ""


def _selinux(spec: Document) -> str:
    def wrong(context: Document) -> tuple[str, bool, bool]:
        options = mapping_at(context, "seLinuxOptions")
        kind = text_at(options, "type")
        return ("" if kind in _SELINUX_TYPES else kind, bool(options.get("user")), bool(options.get("role")))

    who = _setters(spec, lambda context: any(wrong(context)))
    found = [wrong(context) for context in _contexts(spec)]
    types = sorted({kind for kind, _, _ in found if kind})
    data = [f"type{'s' if len(types) > 1 else ''} {_quoted(types)}"] if types else []
    data += ["user may not be set"] if any(user for _, user, _ in found) else []
    data += ["role may not be set"] if any(role for _, _, role in found) else []
    return f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}" if who else ""


def _seccomp_bad(context: Document) -> bool:
    return text_at(context, "seccompProfile", "type") not in ("", "RuntimeDefault", "Localhost")


def _seccomp(spec: Document) -> str:
    who = _setters(spec, _seccomp_bad)
    values = sorted(
        {text_at(context, "seccompProfile", "type") for context in _contexts(spec) if _seccomp_bad(context)}
    )
    return f"{who} must not set securityContext.seccompProfile.type to {_quoted(values)}" if who else ""


def _sysctls(spec: Document) -> str:
    return ", ".join(name for name in sysctls.asked(spec) if name not in sysctls.SAFE)


def _host_process(spec: Document) -> str:
    who = _setters(spec, lambda context: mapping_at(context, "windowsOptions").get("hostProcess") is True)
    return f"{who} must not set securityContext.windowsOptions.hostProcess=true" if who else ""


# --- restricted -------------------------------------------------------------------------------------------------


def _escalation(spec: Document) -> str:
    names = _names(spec, lambda context: context.get("allowPrivilegeEscalation") is not False)
    return f"{_told(names)} must set securityContext.allowPrivilegeEscalation=false" if names else ""


def _capabilities(spec: Document) -> str:
    keeps = _names(spec, lambda context: "ALL" not in list_at(context, "capabilities", "drop"))
    dropped = f'{_told(keeps)} must set securityContext.capabilities.drop=["ALL"]' if keeps else ""
    return "; ".join(filter(None, (dropped, _added(frozenset({"NET_BIND_SERVICE"}))(spec))))


def _restricted_volumes(spec: Document) -> str:
    bad = [volume for volume in _volumes(spec) if not any(volume.get(kind) is not None for kind in _VOLUMES)]
    names = [text_at(volume, "name") for volume in bad]
    kinds = sorted({kind for volume in bad for kind in volume if kind != "name"})
    uses = f"use{'' if len(names) > 1 else 's'} restricted volume type{'s' if len(kinds) > 1 else ''}"
    return f"volume{'s' if len(names) > 1 else ''} {_quoted(names)} {uses} {_quoted(kinds)}" if names else ""


def _unset(spec: Document, says: Callable[[Document], bool]) -> list[str]:
    """The containers that leave something to the pod, which does not say it either."""
    return [] if says(mapping_at(spec, "securityContext")) else _names(spec, lambda context: not says(context))


def _non_root(spec: Document) -> str:
    if spec.get("hostUsers") is False:  # a pod in a user namespace of its own
        return ""
    who = _setters(spec, lambda context: context.get("runAsNonRoot") is False)
    if who:
        return f"{who} must not set securityContext.runAsNonRoot=false"
    names = _unset(spec, lambda context: context.get("runAsNonRoot") is True)
    return f"pod or {_told(names)} must set securityContext.runAsNonRoot=true" if names else ""


def _root(spec: Document) -> str:
    def root(context: Document) -> bool:
        user: Json = context.get("runAsUser")
        return user == 0 and not isinstance(user, bool)

    who = "" if spec.get("hostUsers") is False else _setters(spec, root)
    return f"{who} must not set runAsUser=0" if who else ""


def _seccomp_restricted(spec: Document) -> str:
    bad = _seccomp(spec)
    names = _unset(spec, lambda context: bool(text_at(context, "seccompProfile", "type")))
    needs = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return bad or (f"pod or {_told(names)} {needs}" if names else "")


BASELINE = (
    Check("appArmorProfile", "forbidden AppArmor profile", _app_armor),
    Check("hostNamespaces", "host namespaces", _host_namespaces),
    Check("hostPathVolumes", "hostPath volumes", _host_path),
    Check("hostPorts", "hostPort", _host_ports),
    Check("hostProbesAndHostLifecycle", "probe or lifecycle host", _hosts),
    Check("privileged", "privileged", _privileged),
    Check("procMount", "procMount", _proc_mount),
    Check("seLinuxOptions", "seLinuxOptions", _selinux),
    Check("sysctls", "forbidden sysctls", _sysctls),
    Check("windowsHostProcess", "hostProcess", _host_process),
)
"""Checks of baseline that restricted has too."""

OVERLAPPING = (
    Check("capabilities_baseline", "non-default capabilities", _added(frozenset(_DEFAULT_CAPABILITIES.split()))),
    Check("seccompProfile_baseline", "seccompProfile", _seccomp),
)
"""Checks of baseline in whose place restricted has stricter ones."""

RESTRICTED = (
    Check("allowPrivilegeEscalation", "allowPrivilegeEscalation != false", _escalation),
    Check("capabilities_restricted", "unrestricted capabilities", _capabilities),
    Check("restrictedVolumes", "restricted volume types", _restricted_volumes),
    Check("runAsNonRoot", "runAsNonRoot != true", _non_root),
    Check("runAsUser", "runAsUser=0", _root),
    Check("seccompProfile_restricted", "seccompProfile", _seccomp_restricted),
)
