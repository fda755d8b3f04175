"""The sysctls that decide a packet's way: their defaults, ranges, and whether the walk knows them.

``KNOWN`` is the table. ``check`` is for what a user sets, ``read`` is what ``sysctl -n NAME`` would print in a namespace.
Names are dotted; ``/`` inside a component stands for a dot in a device's name, as sysctl(8) has it (``net.ipv4.conf.eth0/100.rp_filter``).

Ref: Documentation/networking/ip-sysctl.rst, nf_conntrack-sysctl.rst, ipvs-sysctl.rst (v6.12). The defaults of what is not
``net.ipv4.vs`` were read from a fresh network namespace of Linux 6.18 with br_netfilter loaded.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from enum import Enum

from netsim.dataclass import dataclass
from netsim.topology.sysctl_table import KNOWN, Sysctl

ALIASES = {
    # one variable of the kernel under two names. Ref: net/ipv4/devinet.c ctl_forward_entry
    "net.ipv4.conf.all.forwarding": "net.ipv4.ip_forward",
}

_BY_PATTERN = {sysctl.name: sysctl for sysctl in KNOWN}
_DEVICE_GROUPS = ("net.ipv4.conf.", "net.ipv6.conf.", "net.ipv4.neigh.", "net.ipv6.neigh.")


class ProblemKind(Enum):
    """What is wrong with a setting."""

    UNKNOWN_NAME = "unknown name"
    BAD_VALUE = "bad value"
    NOT_MODELLED = "not modelled"


@dataclass(frozen=True, slots=True)
class SysctlProblem:
    """A setting that cannot stand. ``advice`` says what to do about it."""

    kind: ProblemKind
    name: str
    message: str
    advice: str = ""


def canonical(name: str) -> str:
    """The dotted name: ``net/ipv4/ip_forward`` is ``net.ipv4.ip_forward``, and an alias is the name it stands for."""
    slash, dot = name.find("/"), name.find(".")
    if slash != -1 and (dot == -1 or slash < dot):
        name = name.translate(str.maketrans("/.", "./"))
    return ALIASES.get(name, name)


def known(name: str) -> Sysctl | None:
    """The table's row for a name, None where there is none."""
    name = canonical(name)
    return _BY_PATTERN.get(name) or _BY_PATTERN.get(_pattern(name))


def check(name: str, value: str) -> SysctlProblem | None:
    """Why this setting cannot stand; None where it can.

    A sysctl that the walk does not know may be set to its default, which changes nothing.
    """
    row = known(name)
    if row is None:
        return SysctlProblem(
            ProblemKind.UNKNOWN_NAME, name, f"{name!r} is not a sysctl that netsim knows", _nearest(name)
        )
    if (message := row.refuses(value)) is not None:
        return SysctlProblem(
            ProblemKind.BAD_VALUE, name, f"{name} = {value!r}: {message}", f"the kernel's default is {row.default!r}"
        )
    if not row.modelled and normal(value) != normal(default(name)):
        advice = f"leave it at the kernel's default, {default(name)!r}; with another value the real packet may go another way"
        return SysctlProblem(
            ProblemKind.NOT_MODELLED,
            name,
            f"{name} = {value}: the walk does not model this sysctl ({row.meaning})",
            advice,
        )
    return None


def default(name: str) -> str:
    """The kernel's default as ``sysctl -n`` prints it; raises KeyError for a name that is not in the table."""
    row = known(name)
    if row is None:
        raise KeyError(name)
    everywhere = _device(canonical(name)) == "all"
    return row.default_of_all if everywhere and row.default_of_all is not None else row.default


def read(sysctls: Mapping[str, str], name: str) -> str:
    """The value in a namespace whose settings differ from the defaults by ``sysctls``; raises KeyError for an unknown name.

    A device that nobody set has what ``default`` has (devices are made after the sysctls are set), and forwarding of a device follows
    ``ip_forward`` (IPv6: ``all``), whose writing sets every device's. Ref: net/ipv4/devinet.c:inet_forward_change().
    """
    return read_canonical(canonical_names(sysctls), name)


def canonical_names(sysctls: Mapping[str, str]) -> dict[str, str]:
    """The same settings under their canonical names."""
    return {canonical(name): value for name, value in sysctls.items()}


def read_canonical(settings: Mapping[str, str], name: str) -> str:
    """What ``read`` gives, of settings whose names are canonical: worth it where many are read of one namespace."""
    wanted = canonical(name)
    for candidate in _inheritance(wanted):
        if candidate in settings:
            return settings[candidate]
    return default(wanted)


def inherited_by_new_netns(sysctls: Mapping[str, str]) -> dict[str, str]:
    """What a network namespace that is made on such a machine begins with: IPv4's ``conf.all`` and ``conf.default`` (so ``ip_forward``).

    So a pod on a node with rp_filter=1 has rp_filter=1. IPv6's start from the kernel's defaults.
    Ref: net/ipv4/devinet.c:devinet_init_net() with net.core.devconf_inherit_init_net=0 (v6.12).
    """
    begins = ("net.ipv4.conf.all.", "net.ipv4.conf.default.")
    settings = canonical_names(sysctls)
    return {name: value for name, value in settings.items() if name == "net.ipv4.ip_forward" or name.startswith(begins)}


def normal(value: str) -> str:
    """A value with its white space made even: ``sysctl`` prints a tab between two numbers."""
    return " ".join(value.split())


def _inheritance(name: str) -> tuple[str, ...]:
    device = _device(name)
    if device is None or device == "all":
        return (name,)
    group, key = name.split(f".{device}.", 1)
    everywhere = key in ("forwarding", "disable_ipv6")
    master = ALIASES.get(f"{group}.all.{key}", f"{group}.all.{key}") if everywhere else None
    fallback = [f"{group}.default.{key}"] if device != "default" else []
    return (name, *fallback, *([master] if master else []))


def _device(name: str) -> str | None:
    group = next((group for group in _DEVICE_GROUPS if name.startswith(group)), None)
    return None if group is None else name[len(group) :].split(".", 1)[0]


def _pattern(name: str) -> str:
    device = _device(name)
    if device is None:
        return name
    group = next(group for group in _DEVICE_GROUPS if name.startswith(group))
    return group + "*" + name[len(group) + len(device) :]


def _nearest(name: str) -> str:
    device = _device(canonical(name)) or "all"
    names = [row.name.replace("*", device) for row in KNOWN]
    close = difflib.get_close_matches(canonical(name), names, n=1, cutoff=0.6)
    return (
        f"did you mean {close[0]}?" if close else "only sysctls that decide a packet's way are read here; leave it out"
    )
