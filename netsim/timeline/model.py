"""A timeline: what happens when, and what is expected of the packets."""

from __future__ import annotations

from dataclasses import field
from typing import TypeAlias

from netsim.check.expectation import Wanted
from netsim.cluster.machines import ProbeKind
from netsim.dataclass import dataclass
from netsim.objects.json import Document
from netsim.rules.source import Origin
from netsim.scenario.question import PacketOptions


@dataclass(frozen=True, slots=True)
class Send:
    """A packet, or the first packets of a connection. ``name`` is how later steps name it; ``again`` names an earlier one to repeat.

    Again over TCP is a segment of the same connection; over UDP the next datagram from the same port.
    """

    name: str
    source: str = ""
    destination: str = ""
    packet: PacketOptions = field(default_factory=PacketOptions)
    again: str = ""
    wanted: Wanted | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """A new connection each ``interval`` seconds, until a time. ``most_lost`` None: any number may be lost."""

    name: str
    source: str
    destination: str
    packet: PacketOptions
    interval: float
    until: float
    most_lost: int | None = None


@dataclass(frozen=True, slots=True)
class Apply:
    """Objects that are made or changed, as ``kubectl apply`` does."""

    documents: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    """An object that is deleted; ``word`` as on kubectl's command line, ``pod/web-0``."""

    word: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A workload's number of replicas."""

    word: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe of a pod that fails from now on, or is mended."""

    pod: str
    kind: ProbeKind
    fails: bool
    container: str = ""


@dataclass(frozen=True, slots=True)
class NodePower:
    """A node that loses its power, or gets it back."""

    node: str
    on: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """kube-proxies that sync no more until they are released; no ``nodes``: all."""

    nodes: tuple[str, ...]
    held: bool


@dataclass(frozen=True, slots=True)
class Forget:
    """``conntrack -F`` on a node."""

    node: str


Action: TypeAlias = Send | Traffic | Apply | Delete | Scale | Probe | NodePower | Hold | Forget


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """One action at a time: seconds since the cluster came to rest."""

    at: float
    action: Action
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Timeline:
    """A whole file. ``until``: how long time goes by after the last step, at least to that instant."""

    name: str
    steps: tuple[TimelineStep, ...]
    topology: tuple[str, ...] = ()
    with_world: bool = False
    until: float = 0.0
    seed: int = 0
