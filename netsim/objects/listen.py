"""What a pod listens on: its container ports, or what the annotation ``netsim.io/listen`` says."""

from __future__ import annotations

import re
from typing import TypeAlias

from netsim.net.packet import Protocol
from netsim.objects.core import Pod

LISTEN_ANNOTATION = "netsim.io/listen"

Listen: TypeAlias = tuple[Protocol, int]

PROTOCOLS = {"TCP": Protocol.TCP, "UDP": Protocol.UDP, "SCTP": Protocol.SCTP}
"""The protocols of Kubernetes' ports by their names there."""

_ITEM = re.compile(r"(\d{1,9})(?:/([A-Za-z]+))?")


class ListenError(ValueError):
    """A listen text that cannot be read; the message names the item."""


def parse_listen(text: str) -> tuple[Listen, ...]:
    """``8080/tcp,53/udp`` → ports in order, each once; TCP where no protocol is said; empty text listens on nothing.

    Raises ListenError.
    """
    items = [item.strip() for item in text.split(",")] if text.strip() else []
    return tuple(dict.fromkeys(_parse_item(item) for item in items))


def _parse_item(item: str) -> Listen:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise ListenError(f'"{item}" is not PORT or PORT/PROTOCOL, such as 8080/tcp')
    port, protocol = int(match[1]), (match[2] or "tcp").upper()
    if not 1 <= port <= 65535:
        raise ListenError(f'"{item}": a port is between 1 and 65535')
    if protocol not in PROTOCOLS:
        raise ListenError(f'"{item}": the protocol is tcp, udp or sctp')
    return PROTOCOLS[protocol], port


def pod_listens(pod: Pod) -> tuple[Listen, ...]:
    """The ports on which the pod's processes accept traffic, in the order of its containers.

    Containers are taken to listen on every ``containerPort``, which Kubernetes itself only regards as documentation; the
    annotation overrides all of them. Init containers count where they are sidecars (``restartPolicy: Always``).
    Raises ListenError for a bad annotation.
    """
    said = pod.metadata.annotations.get(LISTEN_ANNOTATION)
    if said is not None:
        return parse_listen(said)
    sidecars = tuple(c for c in pod.spec.init_containers if c.restart_policy == "Always")
    ports = (port for container in (*sidecars, *pod.spec.containers) for port in container.ports)
    return tuple(dict.fromkeys((PROTOCOLS[port.protocol], port.container_port) for port in ports))
